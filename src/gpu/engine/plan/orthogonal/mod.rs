//! Plans for orthogonal matrices: `orthogonal.wgsl`.

pub(crate) mod matrices;
pub(crate) mod sizes;
pub(crate) mod sums;
