//! A GPU under measurement: timed by its own timestamps, or else by wall time.

use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::wgpu::{self, AdapterInfo, BufferUsages, Features};
use gpu_init::{DeviceOptions, FpGuard, Initializer, TensorSpec};

use crate::commands::bench::builtin_kernel::{BuiltIns, buffer};
use crate::commands::bench::by::By;
use crate::commands::bench::device::{About, Device};
use crate::commands::bench::plain;
use crate::terminal::output::complain;

pub(super) struct Gpu {
    device: gpu_init::Device,
    /// The same one with the transform that it has built in.
    built_ins: Option<BuiltIns>,
    info: AdapterInfo,
    buffer: wgpu::Buffer,
    stamps: Option<Stamps>,
}

impl Gpu {
    /// Opens an adapter with a buffer of at most `most` bytes and half of its memory: others may
    /// need the rest.
    pub(super) fn open(adapter: &wgpu::Adapter, most: u64) -> anyhow::Result<Self> {
        let info = adapter.get_info();
        let mut features = Features::SHADER_INT64;
        // A software driver runs on the same cores as this program, and its timestamps are not
        // defined.
        if info.device_type != wgpu::DeviceType::Cpu {
            features |= Features::TIMESTAMP_QUERY | Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpu-init bench"),
            required_features: adapter.features() & features,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.with_context(|| {
            format!("bench: cannot open {}; leave it out with --device", info.name)
        })?;
        let options = DeviceOptions::new();
        let device =
            pollster::block_on(gpu_init::Device::from_wgpu_async(device, queue, &options))?;
        let half = device.memory().map_or(u64::MAX, |memory| memory / 2);
        let most = most.min(half).min(device.wgpu_device().limits().max_buffer_size) / 4 * 4;
        let buffer = largest_buffer(&device, most)?;
        let stamps = Stamps::new(&device);
        let built_ins = built_ins(&device)?;
        let mut gpu = Gpu { device, built_ins, info, buffer, stamps };
        if gpu.stamps.is_some() && gpu.write(gpu.largest().min(1 << 20)).is_err() {
            let name = &gpu.info.name;
            complain(&format!("the timestamps of {name} are of no use: bench takes the wall time"));
            gpu.stamps = None;
        }
        Ok(gpu)
    }

    fn timed(
        &self,
        record: impl FnOnce(&mut wgpu::CommandEncoder) -> anyhow::Result<()>,
    ) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut encoder = self.device.wgpu_device().create_command_encoder(&Default::default());
        if let Some(stamps) = &self.stamps {
            stamps.write(&mut encoder, 0);
        }
        record(&mut encoder)?;
        if let Some(stamps) = &self.stamps {
            stamps.write(&mut encoder, 1);
            encoder.resolve_query_set(&stamps.queries, 0..2, &stamps.resolved, 0);
            encoder.copy_buffer_to_buffer(&stamps.resolved, 0, &stamps.staging, 0, STAMPS);
        }
        self.device.wgpu_queue().submit([encoder.finish()]);
        self.device.wait()?;
        match &self.stamps {
            Some(stamps) => stamps.seconds(&self.device),
            None => Ok(start.elapsed().as_secs_f64()),
        }
    }
}

impl Device for Gpu {
    fn about(&self) -> About {
        let AdapterInfo { name, backend, driver, driver_info, .. } = &self.info;
        let limits = self.device.wgpu_device().limits();
        let driver = format!("{driver} {driver_info}");
        let wide_mul = format!("{:?}", self.device.wide_mul()).to_lowercase();
        let fp_guard = match self.device.fp_guard() {
            FpGuard::None => "none",
            FpGuard::NoContraction => "no-contraction",
            FpGuard::NoReassociation => "no-reassociation",
        };
        About {
            name: name.clone(),
            details: format!("{backend:?}, {}, {wide_mul}, fp guard {fp_guard}", driver.trim()),
            timing: if self.stamps.is_some() { "GPU timestamps" } else { "wall time" },
            write: "buffer clear",
            // Never more than 2 GiB: src/gpu/engine/plan/limits.rs.
            window: Some(limits.max_storage_buffer_binding_size.min(1 << 31)),
        }
    }

    fn by(&self) -> &'static [By] {
        if self.built_ins.is_some() { &[By::GpuInit, By::BuiltIns] } else { &[By::GpuInit] }
    }

    fn largest(&self) -> u64 {
        self.buffer.size()
    }

    fn fill(&mut self, spec: &TensorSpec, by: By) -> anyhow::Result<f64> {
        if let (By::BuiltIns, Some(built_ins)) = (by, &self.built_ins) {
            return self.timed(|encoder| built_ins.encode(spec, &self.buffer, encoder));
        }
        if self.stamps.is_some() {
            return self.timed(|encoder| {
                self.device.encode(&[(spec, &self.buffer, 0)], encoder)?;
                Ok(())
            });
        }
        let start = Instant::now();
        self.device.fill_into(spec, &self.buffer, 0)?;
        self.device.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn write(&mut self, bytes: u64) -> anyhow::Result<f64> {
        self.timed(|encoder| {
            encoder.clear_buffer(&self.buffer, 0, Some(bytes));
            Ok(())
        })
    }
}

/// The kernel with built-in functions, unless it makes no normals: a wrong kernel is not measured.
fn built_ins(device: &gpu_init::Device) -> anyhow::Result<Option<BuiltIns>> {
    const SIDE: usize = 64;
    let (wgpu, name, size) = (device.wgpu_device(), device.name(), (4 * SIDE * SIDE) as u64);
    let normal = TensorSpec::new([SIDE, SIDE], Initializer::normal(0.0, 1.0)).seed(0).stream(0);
    let staging = staging(device, size);
    let filled = buffer(wgpu, size, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    let scope = wgpu.push_error_scope(wgpu::ErrorFilter::Validation);
    let built_ins = BuiltIns::new(device)?;
    let mut encoder = wgpu.create_command_encoder(&Default::default());
    built_ins.encode(&normal, &filled, &mut encoder)?;
    encoder.copy_buffer_to_buffer(&filled, 0, &staging, 0, size);
    device.wgpu_queue().submit([encoder.finish()]);
    if let Some(error) = pollster::block_on(scope.pop()) {
        bail!("bench: {name} does not run the kernel with built-in functions: {error}");
    }
    let values: Vec<f32> = read(device, &staging)?;
    let mut expected = vec![0f32; values.len()];
    plain::fill(0.0, 1.0, &mut expected);
    // WGSL promises 2^-11 of sin and cos, for a radius up to 7. No NaN is near anything.
    let is_near = |(value, expected): &(&f32, &f32)| (*value - *expected).abs() < 4e-3;
    if let Some((value, expected)) = values.iter().zip(&expected).find(|pair| !is_near(pair)) {
        complain(&format!(
            "with its own log and cos {name} makes {value} of what should be {expected}: they are left out"
        ));
        return Ok(None);
    }
    Ok(Some(built_ins))
}

fn staging(device: &gpu_init::Device, size: u64) -> wgpu::Buffer {
    buffer(device.wgpu_device(), size, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
}

/// Waits for submitted work and reads a buffer.
fn read<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    device: &gpu_init::Device,
    staging: &wgpu::Buffer,
) -> anyhow::Result<Vec<T>> {
    staging.map_async(wgpu::MapMode::Read, .., |_| ());
    device.wait()?;
    let mapped = staging.get_mapped_range(..).context("bench: cannot read from the device")?;
    let values = bytemuck::pod_collect_to_vec(&mapped);
    drop(mapped);
    staging.unmap();
    Ok(values)
}

/// Halves the size until the driver can allocate it.
fn largest_buffer(device: &gpu_init::Device, most: u64) -> anyhow::Result<wgpu::Buffer> {
    let (wgpu, mut size) = (device.wgpu_device(), most);
    loop {
        let scope = wgpu.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = buffer(wgpu, size, BufferUsages::STORAGE | BufferUsages::COPY_DST);
        match pollster::block_on(scope.pop()) {
            None => return Ok(buffer),
            Some(_) if size > 1 << 16 => size = size / 8 * 4,
            Some(error) => {
                bail!("bench: {} has no memory for {size} bytes: {error}; free some", device.name())
            }
        }
    }
}

/// Two timestamps on the GPU, and the buffers to read them.
struct Stamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    inside_encoders: bool,
    /// Nanoseconds per tick.
    period: f64,
}

/// Bytes of two timestamps.
const STAMPS: u64 = 16;

impl Stamps {
    fn new(device: &gpu_init::Device) -> Option<Self> {
        let wgpu = device.wgpu_device();
        if !wgpu.features().contains(Features::TIMESTAMP_QUERY) {
            return None;
        }
        let queries = wgpu.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        Some(Stamps {
            queries,
            resolved: buffer(wgpu, STAMPS, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: staging(device, STAMPS),
            inside_encoders: wgpu.features().contains(Features::TIMESTAMP_QUERY_INSIDE_ENCODERS),
            period: device.wgpu_queue().get_timestamp_period().into(),
        })
    }

    fn write(&self, encoder: &mut wgpu::CommandEncoder, index: u32) {
        if self.inside_encoders {
            return encoder.write_timestamp(&self.queries, index);
        }
        // The end of an empty pass comes after all that was recorded before.
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.queries,
                beginning_of_pass_write_index: None,
                end_of_pass_write_index: Some(index),
            }),
        });
    }

    /// The seconds between the two, once the work is done.
    fn seconds(&self, device: &gpu_init::Device) -> anyhow::Result<f64> {
        let ticks: Vec<u64> = read(device, &self.staging)?;
        match ticks[..] {
            // The clock may not advance during short work.
            [start, end] if start > 0 && end >= start => {
                Ok((end - start).max(1) as f64 * self.period * 1e-9)
            }
            _ => bail!(
                "bench: {} gave the timestamps {ticks:?}; measure without it, by --device",
                device.name()
            ),
        }
    }
}
