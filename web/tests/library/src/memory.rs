//! Fills of memory that the page's program owns: each byte of a tensor, and no other.

use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{Cpu, DType, Device, Initializer, TensorSpec};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::common::{Outcome, WHOLE, buffer, bytes, device, equal, own, spec};

/// Tensors of many kinds with their places in two buffers: at odd words, side by side, backwards.
struct Targets {
    specs: Vec<TensorSpec>,
    places: Vec<(usize, u64)>,
    buffers: [wgpu::Buffer; 2],
    expected: [Vec<u8>; 2],
}

impl Targets {
    fn new(device: &Device) -> Outcome<Self> {
        let square = [31, 22];
        let specs = vec![
            TensorSpec::new(square, Initializer::xavier_normal()).name("a"),
            TensorSpec::new(square, Initializer::xavier_normal()).name("b").dtype(DType::BF16),
            TensorSpec::new([7], Initializer::zeros()).name("c").dtype(DType::F16),
            TensorSpec::new(square, Initializer::orthogonal()).name("d"),
            TensorSpec::new(square, Initializer::sparse(0.5)).name("e"),
            TensorSpec::new(square, Initializer::xavier_uniform()).name("f").slice(1, 3..10),
            TensorSpec::new(square, Initializer::truncated_normal(0.0, 1.0, -2.0, 2.0)).name("g"),
            TensorSpec::new([5], Initializer::arange(1u64, 2u64)).name("h").dtype(DType::I64),
        ];
        let size = 1 << 14;
        let buffers = [(); 2].map(|()| buffer(device, size, WHOLE));
        let mut expected = [(); 2].map(|()| vec![0xab; size as usize]);
        let (mut places, mut ends) = (Vec::new(), [4, 1000]);
        for (i, spec) in specs.iter().enumerate() {
            let tensor = Cpu::new().fill(spec)?;
            let (bytes, end) = (tensor.as_bytes(), &mut ends[i % 2]);
            expected[i % 2][*end..][..bytes.len()].copy_from_slice(bytes);
            places.push((i % 2, *end as u64));
            // The tail of a tensor's last word is left alone, too.
            *end += bytes.len().next_multiple_of(4) + 4 * (i / 2);
        }
        Ok(Targets { specs, places, buffers, expected })
    }

    fn list(&self) -> Vec<gpu_init::Target<'_>> {
        let places = self.specs.iter().zip(&self.places);
        places.rev().map(|(spec, &(i, offset))| (spec, &self.buffers[i], offset)).collect()
    }

    async fn check(&self, device: &Device, what: &str) -> Outcome {
        for (buffer, expected) in self.buffers.iter().zip(&self.expected) {
            equal(what, &bytes(device, buffer).await?, expected)?;
        }
        Ok(())
    }
}

#[wasm_bindgen]
pub async fn fill_into() -> Outcome {
    let device = device().await?;
    let targets = Targets::new(&device)?;
    for (spec, buffer, offset) in targets.list() {
        let view = device.fill_into_async(spec, buffer, offset).await?;
        equal("offset", view.offset(), offset)?;
        let expected = Cpu::new().fill(spec)?;
        equal("view", view.fingerprint_async().await?, expected.fingerprint())?;
        equal("view", view.read_async().await?.as_bytes(), expected.as_bytes())?;
    }
    targets.check(&device, "fill_into").await
}

#[wasm_bindgen]
pub async fn fill_all_into() -> Outcome {
    let device = device().await?;
    let targets = Targets::new(&device)?;
    let views = device.fill_all_into_async(&targets.list()).await?;
    equal("views", views.len(), targets.specs.len())?;
    targets.check(&device, "fill_all_into").await
}

/// On a device of the program's; nothing runs before the encoder is submitted.
#[wasm_bindgen]
pub async fn encode() -> Outcome {
    let (wgpu, queue) = own().await?;
    let device = Device::from_wgpu_async(wgpu, queue, &Default::default()).await?;
    let targets = Targets::new(&device)?;
    let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    let views = device.encode_async(&targets.list(), &mut encoder).await?;
    for buffer in &targets.buffers {
        let is_untouched = bytes(&device, buffer).await?.iter().all(|&byte| byte == 0xab);
        equal("before it is submitted", is_untouched, true)?;
    }
    device.wgpu_queue().submit([encoder.finish()]);
    targets.check(&device, "encode").await?;
    let expected = Cpu::new().fill(targets.list()[0].0)?;
    equal("view", views[0].stats_async().await?, expected.stats())
}

/// A tensor that is larger than a binding, in memory of the program's.
#[wasm_bindgen]
pub async fn over_a_binding() -> Outcome<String> {
    let (wgpu, queue) = own().await?;
    let device = Device::from_wgpu_async(wgpu, queue, &Default::default()).await?;
    let binding = device.wgpu_device().limits().max_storage_buffer_binding_size;
    let rows = binding as usize / 4096 / 4 + 3;
    let spec = TensorSpec::new([rows, 4096], Initializer::xavier_uniform()).name("w");
    let size = 4 * 4096 * rows as u64 + 8;
    let memory = device.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage: WHOLE,
        mapped_at_creation: false,
    });
    let view = device.fill_into_async(&spec, &memory, 4).await?;
    let whole = view.fingerprint_async().await?;
    let end = view.len();
    let last = view.read_range_async(end - 5000..end).await?;
    equal("the end", last, Cpu::new().fill(&spec.elements(end - 5000..end))?)?;
    Ok(format!("{rows}x4096 {whole}"))
}

/// Usages of the call's own, and progress that counts to the end.
#[wasm_bindgen]
pub async fn options() -> Outcome {
    let device = device().await?;
    let specs = [spec("a"), spec("b"), spec("c").dtype(DType::F64)];
    let mut calls = Vec::new();
    let mut progress = |done, total| {
        calls.push((done, total));
        std::ops::ControlFlow::Continue(())
    };
    let options = gpu_init::FillOptions::new().usages(BufferUsages::VERTEX).progress(&mut progress);
    let tensors = device.fill_all_with_async(&specs, options).await?;
    let total = 3 * 60 * 41;
    equal("progress", calls.last().copied(), Some((total, total)))?;
    equal("progress", calls.is_sorted(), true)?;
    for (tensor, spec) in tensors.iter().zip(&specs) {
        equal("usage", tensor.buffer().usage().contains(BufferUsages::VERTEX), true)?;
        equal("bits", tensor.read_async().await?, Cpu::new().fill(spec)?)?;
    }
    let options = gpu_init::FillOptions::new().usages(BufferUsages::INDEX);
    let one = device.fill_with_async(&specs[0], options).await?;
    equal("usage", one.buffer().usage().contains(BufferUsages::INDEX), true)
}
