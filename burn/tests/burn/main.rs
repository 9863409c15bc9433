//! Modules of burn, initialized on each of its backends.

mod bits;
mod common;
mod distributions;
#[cfg(feature = "wgpu")]
mod in_place;
mod mistakes;
