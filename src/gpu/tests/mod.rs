//! What only the inside of the crate can show, and what its tests share.

mod answers;
mod batch;
mod drivers;
mod dtypes;
mod fallback;
mod kernels;
mod orthogonal;
mod plans;
mod products;
mod scatter;
mod slices;
mod translated;

use std::ops::ControlFlow;

use crate::gpu::device::Device;
use crate::gpu::engine::adapter::{self, AdapterChoice, adapters, best_adapter};
use crate::gpu::engine::context::Context;
use crate::gpu::engine::pipelines::Sources;
use crate::gpu::engine::readback;
use crate::gpu::options::{DeviceOptions, FillOptions};
use crate::gpu::tensor::Tensor;
use crate::gpu::wgsl::{FpGuard, Variant, WideMul};
use crate::{Cpu, DType, ErrorKind, Result, TensorSpec};

#[path = "../../../tests/common/skip.rs"]
mod skip;

/// A wgpu device, or `None` if there is no adapter and the skip was asked for.
pub(super) fn raw_device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let opened = pollster::block_on(adapter::open(AdapterChoice::Best));
    let (_, device, queue) = skip::or_skip(opened.map_err(|kind| kind.during("test")))?;
    Some((device, queue))
}

pub(super) fn context() -> Option<Context> {
    raw_device().map(|(device, queue)| Context::new(device, queue))
}

/// The best adapter, opened.
pub(super) fn device() -> Option<Device> {
    let (device, queue) = raw_device()?;
    Some(Device::from_wgpu(device, queue).unwrap())
}

/// A device whose limits are changed from those of the adapter.
pub(super) fn device_with(change: impl FnOnce(&mut wgpu::Limits)) -> Option<Device> {
    let (device, _) = raw_device()?;
    let mut limits = device.limits();
    change(&mut limits);
    let adapters = pollster::block_on(adapters());
    let adapter = &adapters[best_adapter(&adapters).unwrap()];
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    Some(Device::from_wgpu(device, queue).unwrap())
}

/// A device with bindings of 1 MiB, as some have them, which divide tensors anywhere.
pub(super) fn narrow_device() -> Option<Device> {
    device_with(|limits| limits.max_storage_buffer_binding_size = 1 << 20)
}

/// Devices of every way to multiply, guarded; of the guard that GPUs have with Vulkan; and of the
/// one that the device takes by itself.
pub(super) fn devices() -> Vec<Device> {
    let Some((device, queue)) = raw_device() else { return Vec::new() };
    let open = |options| {
        pollster::block_on(Device::from_wgpu_async(device.clone(), queue.clone(), &options))
            .unwrap()
    };
    options(&device).into_iter().map(open).collect()
}

pub(super) fn options(device: &wgpu::Device) -> Vec<DeviceOptions> {
    let guarded =
        |wide_mul| DeviceOptions::new().wide_mul(wide_mul).fp_guard(FpGuard::NoReassociation);
    let unfused = DeviceOptions::new().fp_guard(FpGuard::NoContraction);
    wide_muls(device).into_iter().map(guarded).chain([unfused, DeviceOptions::new()]).collect()
}

pub(super) fn wide_muls(device: &wgpu::Device) -> Vec<WideMul> {
    let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
    [WideMul::Limbs].into_iter().chain(int64.then_some(WideMul::Int64)).collect()
}

/// Opens a device whose shaders have the first text of each pair replaced by the second.
pub(super) fn open_patched(
    fp_guard: FpGuard,
    may_fall_back: bool,
    patches: &[(&str, &str)],
) -> Option<Result<Device>> {
    open_with(Variant::portable(WideMul::Limbs, fp_guard), may_fall_back, patches)
}

/// The same with this variant of them.
pub(super) fn open_with(
    variant: Variant,
    may_fall_back: bool,
    patches: &[(&str, &str)],
) -> Option<Result<Device>> {
    let mut sources = Sources::new(variant);
    sources.patches = known(variant, patches);
    open_sources(sources, may_fall_back)
}

/// Patches of text that is in the shaders of this variant.
fn known(variant: Variant, patches: &[(&str, &str)]) -> Vec<(String, String)> {
    let shaders = kernels::shaders(variant);
    let owned = |&(from, to): &(&str, &str)| {
        let known = shaders.iter().any(|source| source.contains(from));
        assert!(known, "{from} is no longer in the shaders");
        (from.to_owned(), to.to_owned())
    };
    patches.iter().map(owned).collect()
}

fn open_sources(sources: Sources, may_fall_back: bool) -> Option<Result<Device>> {
    let opened = Device::with_sources(context()?, None, sources, may_fall_back);
    Some(pollster::block_on(opened).map_err(|kind| kind.during("open a device")))
}

/// Opens a device whose shaders have `from` replaced by `to`.
pub(super) fn open_broken(from: &str, to: &str) -> Option<Result<Device>> {
    open_patched(FpGuard::NoReassociation, false, &[(from, to)])
}

/// Checks that a call found wrong bits, and that its error has this text.
#[track_caller]
pub(super) fn assert_wrong<T: std::fmt::Debug>(result: Result<T>, text: &str) {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WrongBits { expected, actual, .. } if expected != actual) =>
        {
            assert!(error.to_string().contains(text), "{text}: {error}")
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// Fills with a progress function that returns `answer`, and lists the calls of it.
pub(super) fn followed(
    device: &Device,
    specs: &[TensorSpec],
    answer: ControlFlow<()>,
) -> (Result<Vec<Tensor>>, Vec<(u64, u64)>) {
    let mut heard = Vec::new();
    let mut progress = |done, total| {
        heard.push((done, total));
        answer
    };
    let filled = device.fill_all_with(specs, FillOptions::new().progress(&mut progress));
    (filled, heard)
}

/// All bytes of a buffer.
pub(super) fn bytes(device: &Device, buffer: &wgpu::Buffer) -> Vec<u8> {
    pollster::block_on(readback::read_all(&device.inner.engine.context, buffer)).unwrap()
}

/// The elements in the middle of memory that must stay as it is.
fn on_gpu(device: &Device, parameter: &TensorSpec, offset: u64) -> Vec<u8> {
    let bytes = parameter.resolve(0, 0).unwrap().bytes();
    let size = (offset + bytes.next_multiple_of(4) + 8) as usize;
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let context = &device.inner.engine.context;
    let buffer = pollster::block_on(context.buffer_with(&vec![0xa5; size], usage)).unwrap();
    device.fill_into(parameter, &buffer, offset).unwrap();
    let all = self::bytes(device, &buffer);
    let end = (offset + bytes) as usize;
    assert!(
        all[..offset as usize].iter().chain(&all[end..]).all(|&byte| byte == 0xa5),
        "bytes beside the tensor"
    );
    all[offset as usize..end].to_vec()
}

pub(super) fn compare(device: &Device, parameter: &TensorSpec, dtype: DType, offset: u64) {
    let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
    let parameter = parameter.clone().seed(seed).stream(stream).dtype(dtype);
    let (expected, size) = (Cpu::new().fill(&parameter).unwrap(), dtype.size() as usize);
    let actual = on_gpu(device, &parameter, offset);
    let pairs = expected.as_bytes().chunks(size).zip(actual.chunks(size)).enumerate();
    let differing: Vec<_> = pairs.filter(|(_, (a, b))| a != b).collect();
    let count = differing.len();
    assert!(count == 0, "{parameter:?}: {count} differ, first {:?}", differing[0]);
}

/// Runs `main` of a test's own shader, with `buffers` at bindings 0 and on.
pub(crate) fn dispatch(
    context: &Context,
    source: String,
    constants: &[(&str, f64)],
    buffers: &[&wgpu::Buffer],
    [x, y]: [u32; 2],
) {
    let device = &context.device;
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        }),
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
        cache: None,
    });
    let entries = buffers.iter().zip(0..).map(|(buffer, binding)| wgpu::BindGroupEntry {
        binding,
        resource: buffer.as_entire_binding(),
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries.collect::<Vec<_>>(),
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }
    context.queue.submit([encoder.finish()]);
}
