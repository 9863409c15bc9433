//! A whole tensor in a few numbers: its statistics and its fingerprint.
//!
//! Both are sums over chunks in a fixed order, so the GPU and the CPU also agree on these to the
//! bit.

pub(crate) mod fingerprint;
pub(crate) mod lanes;
pub(crate) mod stats;
pub(crate) mod summary;

pub use fingerprint::Fingerprint;
pub use stats::Stats;
pub use summary::Summary;
