//! A file to be written, and its tensors.

use safetensors::Dtype;

use crate::checkpoint::output::destination::Destination;

/// One .safetensors file to be written.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) destination: Destination,
    /// In the order of their data.
    pub(crate) tensors: Vec<Member>,
}

/// A tensor in a shard.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its number among all tensors to be written.
    pub(crate) tensor: usize,
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: u64,
}

impl Shard {
    pub(crate) fn new(destination: Destination, mut tensors: Vec<Member>) -> Self {
        // The widest types first, so that every tensor is aligned, as in files that the crate
        // safetensors writes.
        tensors.sort_by_key(|member| std::cmp::Reverse(member.dtype.bitsize()));
        Shard { destination, tensors }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.tensors.iter().map(|member| member.bytes).sum()
    }
}
