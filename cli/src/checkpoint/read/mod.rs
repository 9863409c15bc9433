//! Reading: which tensors a model has, and their elements piece by piece.

pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod pieces;
pub(crate) mod shard;
pub(crate) mod shards;
pub(crate) mod slices;
pub(crate) mod source;
pub(crate) mod tensors;
