//! What the benches share.

use gpu_init::{Device, Error};

/// The best adapter, if there is one.
pub fn device() -> Option<Device> {
    match Device::new() {
        Ok(device) => Some(device),
        Err(Error::NoAdapter { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}
