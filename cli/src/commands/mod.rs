//! The commands, one file or folder each.

pub(crate) mod bench;
pub(crate) mod bits;
pub(crate) mod devices;
pub(crate) mod fill;
pub(crate) mod model;
pub(crate) mod recipe;
mod rules;
pub(crate) mod shader;
pub(crate) mod signal;
pub(crate) mod verify;
