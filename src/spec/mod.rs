//! Requests: a tensor spec, which resolves to a fill; slices and shards; streams and names.

mod fill;
mod names;
pub(crate) mod slice;
pub(crate) mod streams;
mod tensor_spec;

pub use fill::Fill;
pub use names::stream_of;
pub use slice::Shard;
pub use tensor_spec::TensorSpec;
