//! What the files of a model contain and what they are called, for reading and for writing.

pub(crate) mod dtypes;
pub(crate) mod file_names;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod shapes;
pub(crate) mod slices;
