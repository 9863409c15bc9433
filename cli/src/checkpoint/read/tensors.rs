//! The tensors that a file lists.

use gpu_init::DType;

/// The tensors, in the source's order.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tensors: Vec<Entry>,
    /// Tensors, owner and alias, that are one in the files; both are among `tensors`.
    pub(crate) ties: Vec<(String, String)>,
    /// `architecture` in the source's `__metadata__`.
    pub(crate) architecture: Option<String>,
}

/// One tensor.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// None where a list names none.
    pub(crate) dtype: Option<DType>,
    pub(crate) shape: Vec<usize>,
}
