//! The one GPU of the process, opened when it is first asked for.

use std::sync::{Mutex, PoisonError};

use gpu_init::{Device, ErrorKind, FillOptions, Result, TensorSpec};

use crate::listener::Listener;

static DEVICE: Mutex<Option<Device>> = Mutex::new(None);

/// Elements read back at a time.
const PIECE: u64 = 1 << 24;

/// Runs `work` with the device. One that is lost is opened anew by the next call.
fn with_device<T>(work: impl FnOnce(&Device) -> Result<T>) -> Result<T> {
    let device = {
        let mut open = DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            Some(device) => device.clone(),
            None => open.insert(Device::new()?).clone(),
        }
    };
    let result = work(&device);
    if matches!(&result, Err(error) if matches!(error.kind(), ErrorKind::DeviceLost { .. })) {
        *DEVICE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    result
}

/// Fills a tensor on the GPU and reads it back into `out`, which has room for it.
pub(crate) fn fill(spec: &TensorSpec, out: &mut [u8], listener: &mut Listener) -> Result<()> {
    with_device(|device| {
        let mut progress = |done, total| listener.hear(done, total);
        let tensor = device.fill_with(spec, FillOptions::new().progress(&mut progress))?;
        let (len, size) = (tensor.len(), tensor.dtype().size());
        for start in (0..len).step_by(PIECE as usize) {
            let end = (start + PIECE).min(len);
            let piece = tensor.read_range(start..end)?;
            let bytes = (start * size) as usize..(end * size) as usize;
            out[bytes].copy_from_slice(piece.as_bytes());
        }
        Ok(())
    })
}
