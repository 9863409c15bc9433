//! Where files go: paths are checked, and claimed so that one process at a time writes there.

pub(crate) mod claim;
pub(crate) mod destination;
pub(crate) mod extension;
pub(crate) mod path;
