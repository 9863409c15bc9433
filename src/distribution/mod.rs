//! Distributions: validated numbers, moments, bounds, and the geometry of those that give elements
//! values by their position. They describe, and run nothing.

pub(crate) mod cache;
pub(crate) mod convolution;
pub(crate) mod diagonal;
pub(crate) mod moments;
pub(crate) mod orthogonal;
mod rounded;
pub(crate) mod sparse;
pub(crate) mod unrounded;

pub use rounded::Distribution;
