//! The device that tests run on.

#[path = "skip.rs"]
mod skip;

/// The best device; `None` without an adapter if `GPU_INIT_SKIP_GPU_TESTS=1` allows the skip.
pub fn device() -> Option<gpu_init::Device> {
    skip::or_skip(gpu_init::Device::new())
}
