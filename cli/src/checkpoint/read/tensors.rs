//! The tensors that a file lists.

use gpu_init::DType;

/// A model's tensors, in the source's order.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tensors: Vec<Entry>,
    /// Pairs of owner and alias that share data; both are among `tensors`.
    pub(crate) ties: Vec<(String, String)>,
    /// `architecture` in the source's `__metadata__`.
    pub(crate) architecture: Option<String>,
}

/// One tensor.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// None if a list does not name it.
    pub(crate) dtype: Option<DType>,
    pub(crate) shape: Vec<usize>,
}
