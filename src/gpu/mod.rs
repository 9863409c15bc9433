//! The GPU path: an open device, and fills that it runs in its own memory or the caller's.

mod adapter;
mod batch;
mod comparison;
mod context;
mod device;
mod fill;
mod gather;
mod kernels;
mod memory;
mod orthogonal;
mod place;
mod probe;
mod readback;
mod record;
mod reduce;
pub mod shader;
mod table;
mod tensor;
mod vulkan;
mod window;

#[cfg(test)]
mod tests;

pub use adapter::{adapters, best_adapter};
pub use device::{Device, DeviceOptions};
pub use fill::FillOptions;
pub use shader::{FpGuard, WideMul};
pub use tensor::Tensor;
