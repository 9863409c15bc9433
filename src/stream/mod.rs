//! What decides the bits of a weight: the generator, words to values, rounding to narrow types,
//! the quantile table.
//!
//! Each file but `quantile`, which only the host runs, is mirrored by `shaders/lib`: same stem, same
//! functions, same order (`guards` by `mul_add` and `opaque`).

pub(crate) mod exp;
pub(crate) mod float64;
pub(crate) mod float8;
pub(crate) mod guards;
pub(crate) mod half;
pub(crate) mod log;
pub(crate) mod philox;
pub(crate) mod quantile;
pub(crate) mod sample;
pub(crate) mod sin_cos;
pub(crate) mod truncated;
