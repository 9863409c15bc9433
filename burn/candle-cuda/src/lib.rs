//! The example of candle with pinned memory, for CUDA devices: a device copies one part of a tensor
//! while the CPU path fills the next. Not published. It compiles candle's kernels, by CUDA's nvcc.

#[path = "../../examples/candle.rs"]
#[allow(dead_code, reason = "the example's main is not called")]
mod example;
mod staging;

use candle_nn::VarMap;
pub use example::{GpuInit, tensor};
pub use staging::Staging;

/// The example's backend, whose variables on CUDA devices come through pinned memory.
pub fn gpu_init(vars: &VarMap, seed: u64) -> GpuInit {
    let staging = Staging::default();
    let make = move |spec: &_, shape, dtype, device: &_| staging.var(spec, shape, dtype, device);
    GpuInit::with(vars, seed, Box::new(make))
}
