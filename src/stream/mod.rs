//! What decides the bits of a weight: the generator, words to values, rounding to half types, the
//! quantile table.
//!
//! Each file is mirrored by a shader: same stem, same functions, same order.

pub(crate) mod guards;
pub(crate) mod half;
pub(crate) mod philox;
pub(crate) mod quantile;
pub(crate) mod sample;
pub(crate) mod truncated;
