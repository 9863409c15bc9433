//! Models in files.
//!
//! Nothing read is trusted: sizes are checked against the file before anything is allocated, and
//! file names before any of them becomes a path.

pub(crate) mod format;
pub(crate) mod output;
pub(crate) mod read;
pub(crate) mod write;
