//! The contenders: this crate in several ways, and what it is compared with.

use gpu_init::{DType, Distribution};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum By {
    /// This crate: the GPU, or all of the CPU's threads.
    GpuInit,
    /// Its kernel with the GPU's built-in functions: shows what portable bits cost.
    BuiltIns,
    /// On one of the CPU's threads, like the following ones.
    OneThread,
    SmallRng,
    RandDistrPhilox,
    PlainPhilox,
}

impl By {
    pub(super) const CPU: &[By] =
        &[By::GpuInit, By::OneThread, By::SmallRng, By::RandDistrPhilox, By::PlainPhilox];

    pub(super) fn name(self) -> &'static str {
        match self {
            By::GpuInit => "gpu-init",
            By::BuiltIns => "WGSL built-ins",
            By::OneThread => "gpu-init, 1 thread",
            By::SmallRng => "rand_distr, SmallRng, 1 thread",
            By::RandDistrPhilox => "rand_distr, Philox4x32, 1 thread",
            By::PlainPhilox => "plain Philox, 1 thread",
        }
    }

    /// Whether a combination is measured: one thread with F32 only; built-ins and plain generators
    /// with normals only; rand_distr has no truncated normal.
    pub(super) fn draws(self, distribution: Distribution, dtype: DType) -> bool {
        let is_normal = matches!(distribution, Distribution::Normal { .. });
        match self {
            By::GpuInit => true,
            By::BuiltIns => is_normal,
            By::OneThread => dtype == DType::F32,
            By::SmallRng => {
                dtype == DType::F32
                    && (is_normal || matches!(distribution, Distribution::Uniform { .. }))
            }
            By::RandDistrPhilox | By::PlainPhilox => dtype == DType::F32 && is_normal,
        }
    }
}
