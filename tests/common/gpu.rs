//! The adapter that tests run on.

#[path = "skip.rs"]
mod skip;

/// The best device, or `None` if there is no adapter and the skip was asked for by name.
pub fn device() -> Option<gpu_init::Device> {
    skip::or_skip(gpu_init::Device::new())
}
