//! Reading: which tensors a model has, and their elements chunk by chunk.

pub(crate) mod blocks;
pub(crate) mod bytes;
pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod shard;
pub(crate) mod shards;
pub(crate) mod slices;
pub(crate) mod source;
