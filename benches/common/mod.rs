//! What the benches share.

use gpu_init::{Device, ErrorKind};

/// The best adapter, if there is one.
pub fn device() -> Option<Device> {
    match Device::new() {
        Ok(device) => Some(device),
        Err(error) if matches!(error.kind(), ErrorKind::NoAdapter { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}
