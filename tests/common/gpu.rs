//! The adapter that tests run on.

use gpu_init::{Device, Error};

/// Asks for the skip of tests that need an adapter where there is none.
pub const SKIP: &str = "GPU_INIT_SKIP_GPU_TESTS";

/// The best device, or `None` if there is no adapter and the skip was asked for by name.
pub fn device() -> Option<Device> {
    match Device::new() {
        Ok(device) => Some(device),
        Err(error @ Error::NoAdapter { .. }) if std::env::var_os(SKIP).is_some() => {
            eprintln!("skipped because {SKIP} is set: {error}");
            None
        }
        Err(error) => panic!("{error}\nset {SKIP}=1 to skip the tests that need an adapter"),
    }
}
