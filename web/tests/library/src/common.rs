//! Devices, buffers and comparisons.

use std::cell::OnceCell;
use std::fmt::Debug;

use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{Device, ErrorKind, Initializer, TensorSpec};
use wasm_bindgen::JsError;

pub type Outcome<T = ()> = Result<T, JsError>;

pub fn mistake(what: impl AsRef<str>) -> JsError {
    JsError::new(what.as_ref())
}

pub fn equal<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> Outcome {
    if actual == expected {
        return Ok(());
    }
    let mut text = format!("{what}: {actual:?} is not {expected:?}");
    text.truncate(1000);
    Err(mistake(text))
}

/// That a call failed, and how.
pub fn fails<T, E: Debug>(
    what: &str,
    result: Result<T, E>,
    is_expected: impl FnOnce(&E) -> bool,
) -> Outcome {
    match result {
        Ok(_) => Err(mistake(format!("{what}: no error"))),
        Err(error) if is_expected(&error) => Ok(()),
        Err(error) => Err(mistake(format!("{what}: {error:?}"))),
    }
}

/// [`fails`] with one kind of error.
macro_rules! assert_kind {
    ($what:expr, $result:expr, $kind:pat) => {
        $crate::common::fails($what, $result, |error: &gpu_init::Error| {
            matches!(error.kind(), $kind)
        })?
    };
}
pub(crate) use assert_kind;

/// The device of all tests but those that lose theirs, with the seed 0.
pub async fn device() -> Outcome<Device> {
    thread_local!(static DEVICE: OnceCell<Device> = const { OnceCell::new() });
    if let Some(device) = DEVICE.with(|device| device.get().cloned()) {
        return Ok(device);
    }
    let opened = Device::open_async(&gpu_init::DeviceOptions::new()).await?;
    Ok(DEVICE.with(|device| device.get_or_init(|| opened).clone()))
}

/// wgpu's device, opened without the library, with WebGPU's default limits.
pub async fn own() -> Outcome<(wgpu::Device, wgpu::Queue)> {
    let adapters = gpu_init::adapters().await;
    let best = gpu_init::best_adapter(&adapters).ok_or_else(|| mistake("no adapter"))?;
    Ok(adapters[best].request_device(&wgpu::DeviceDescriptor::default()).await?)
}

pub const WHOLE: BufferUsages =
    BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);

/// A buffer whose bytes are all 0xab.
pub fn buffer(device: &Device, size: u64, usage: BufferUsages) -> wgpu::Buffer {
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: true };
    let buffer = device.wgpu_device().create_buffer(&descriptor);
    let mut mapped = buffer.get_mapped_range_mut(..).expect("the buffer is mapped");
    mapped.copy_from_slice(&vec![0xab; size as usize]);
    drop(mapped);
    buffer.unmap();
    buffer
}

/// Every byte of a buffer.
pub async fn bytes(device: &Device, buffer: &wgpu::Buffer) -> Outcome<Vec<u8>> {
    let whole = TensorSpec::new([buffer.size() as usize / 4], Initializer::zeros());
    let copy = device.fill_async(&whole).await?;
    let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, copy.buffer(), 0, buffer.size());
    device.wgpu_queue().submit([encoder.finish()]);
    Ok(copy.read_async().await?.as_bytes().to_vec())
}

pub fn spec(name: &str) -> TensorSpec {
    TensorSpec::new([60, 41], Initializer::xavier_normal()).name(name)
}

pub fn is_lost(error: &gpu_init::Error) -> bool {
    matches!(error.kind(), ErrorKind::DeviceLost { .. })
}
