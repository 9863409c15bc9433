//! Distributions: validated numbers, moments and bounds; the geometry of diagonals, sparse columns
//! and orthogonal matrices. This describes; `cpu` and `gpu` run.

pub(crate) mod cache;
pub(crate) mod convolution;
pub(crate) mod diagonal;
pub(crate) mod indexed;
pub(crate) mod log_uniform;
pub(crate) mod moments;
pub(crate) mod orthogonal;
mod range;
mod rounded;
pub(crate) mod sinusoidal;
pub(crate) mod sparse;
pub(crate) mod unrounded;

pub use diagonal::Diagonal;
pub use orthogonal::Orthogonal;
pub use rounded::Distribution;
pub use sparse::Sparse;
