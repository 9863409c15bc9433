//! Writing: planned and checked before anything is computed, streamed to temporary files, and moved
//! to the final names as a whole.

pub(crate) mod commit;
pub(crate) mod encode;
pub(crate) mod files;
pub(crate) mod npy;
pub(crate) mod shard;
pub(crate) mod split;
pub(crate) mod steps;
pub(crate) mod stream;
