//! The GPU path, on three storeys: a [`device`] and its tensors, which users see; a [`self_test`]
//! below, which compares kernels with the CPU path; and the [`engine`], which alone touches wgpu.

mod device;
mod engine;
mod fill;
mod options;
mod reduce;
mod self_test;
pub mod shader;
mod tensor;
mod wgsl;

#[cfg(test)]
mod tests;

pub use device::Device;
pub use engine::adapter::{AdapterChoice, adapters, best_adapter, best_gpu};
pub use fill::Target;
pub use options::{DeviceOptions, FillOptions};
pub use tensor::Tensor;
pub use wgsl::{FpGuard, WideMul};
