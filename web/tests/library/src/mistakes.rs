//! Mistakes with memory that the program owns: each is an error, nothing is written, and the device
//! goes on.

use gpu_init::wgpu::BufferUsages;
use gpu_init::{Cpu, Device, DeviceOptions, ErrorKind, Initializer, TensorSpec};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::common::{Outcome, WHOLE, assert_kind, buffer, bytes, device, equal, spec};

#[wasm_bindgen]
pub async fn mistakes_with_memory() -> Outcome {
    let device = device().await?;
    let memory = buffer(&device, 16_384, WHOLE);
    let no_storage = buffer(&device, 16_384, BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
    let (a, b) = (spec("a"), spec("b"));
    let vector = TensorSpec::new([7], Initializer::xavier_normal());
    // Each has a good tensor before the mistake, which is not written either.
    for (what, wrong, is) in [
        (
            "unaligned",
            (&b, &memory, 6),
            (|k| matches!(k, ErrorKind::UnalignedOffset { .. })) as fn(&ErrorKind) -> bool,
        ),
        ("usage", (&b, &no_storage, 0), |k| matches!(k, ErrorKind::BufferUsage { .. })),
        ("too small", (&b, &memory, 16_384 - 9836), |k| {
            matches!(k, ErrorKind::BufferTooSmall { .. })
        }),
        ("far beyond", (&b, &memory, u64::MAX - 3), |k| {
            matches!(k, ErrorKind::BufferTooSmall { .. })
        }),
        ("a vector", (&vector, &memory, 0), |k| matches!(k, ErrorKind::TooFewDims { .. })),
    ] {
        let targets = [(&a, &memory, 0), wrong];
        let is = |error: &gpu_init::Error| is(error.kind());
        let (spec, to, offset) = wrong;
        crate::common::fails(what, device.fill_into_async(spec, to, offset).await, is)?;
        crate::common::fails(what, device.fill_all_into_async(&targets).await, is)?;
        let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
        crate::common::fails(what, device.encode_async(&targets, &mut encoder).await, is)?;
        device.wgpu_queue().submit([encoder.finish()]);
        for memory in [&memory, &no_storage] {
            let is_untouched = bytes(&device, memory).await?.iter().all(|&byte| byte == 0xab);
            equal(what, is_untouched, true)?;
        }
    }
    let view = device.fill_into_async(&a, &memory, 0).await?;
    equal("afterwards", view.read_async().await?, Cpu::new().fill(&a)?)
}

/// What a buffer's usages do not allow, and a buffer of another device.
#[wasm_bindgen]
pub async fn mistakes_with_usages_and_devices() -> Outcome {
    let device = device().await?;
    let memory = buffer(&device, 16_384, BufferUsages::STORAGE);
    let view = device.fill_into_async(&spec("a"), &memory, 0).await?;
    assert_kind!("read", view.read_async().await, ErrorKind::BufferUsage { .. });
    assert_kind!("read", view.read_range_async(0..3).await, ErrorKind::BufferUsage { .. });
    equal(
        "fingerprint",
        view.fingerprint_async().await?,
        Cpu::new().fill(&spec("a"))?.fingerprint(),
    )?;

    let other = Device::open_async(&DeviceOptions::new()).await?;
    let theirs = buffer(&other, 16_384, WHOLE);
    let foreign = device.fill_into_async(&spec("a"), &theirs, 0).await;
    assert_kind!("another device's", foreign, ErrorKind::Gpu { .. });
    let is_untouched = bytes(&other, &theirs).await?.iter().all(|&byte| byte == 0xab);
    equal("another device's", is_untouched, true)?;
    let again = device.fill_async(&spec("a")).await?;
    equal("afterwards", again.read_async().await?, Cpu::new().fill(&spec("a"))?)
}

/// Memory that is refused, tensors over the limits, and cancelled work, with other tensors in the
/// call.
#[wasm_bindgen]
pub async fn refusals() -> Outcome {
    let device = device().await?;
    let limit = device.wgpu_device().limits().max_buffer_size as usize / 4;
    let large = |elements| TensorSpec::new([elements], Initializer::normal(0.0, 1.0));
    let refused = device.fill_all_async(&[spec("a"), large(limit)]).await;
    assert_kind!("refused", refused, ErrorKind::OutOfMemory { .. });
    assert_kind!("refused", device.fill_async(&large(limit)).await, ErrorKind::OutOfMemory { .. });
    let over = device.fill_all_async(&[spec("a"), large(limit + 1)]).await;
    assert_kind!("over the limit", over, ErrorKind::BufferTooLarge { .. });
    let matrix = TensorSpec::new([limit / 4, 4], Initializer::orthogonal());
    let matrix = device.fill_async(&matrix).await;
    assert_kind!(
        "a matrix",
        matrix,
        ErrorKind::MatrixTooLarge { .. } | ErrorKind::OutOfMemory { .. }
    );
    let mut cancel = |_, _| std::ops::ControlFlow::Break(());
    let options = gpu_init::FillOptions::new().progress(&mut cancel);
    let cancelled = device.fill_with_async(&spec("a"), options).await;
    assert_kind!("cancelled", cancelled, ErrorKind::Interrupted { .. });
    let again = device.fill_async(&spec("a")).await?;
    equal("afterwards", again.read_async().await?, Cpu::new().fill(&spec("a"))?)
}
