//! The device's matrices are the host's, bit by bit, and can be broken off.

use std::time::{Duration, Instant};

use half::{bf16, f16};

use super::super::tests::{multiplies, raw_device};
use super::super::{Multiply, readback};
use super::*;
use crate::{DeviceOptions, Element};

fn devices() -> Vec<Device> {
    let Some((device, queue)) = raw_device() else { return Vec::new() };
    let open = |multiply: Multiply| {
        let options = DeviceOptions { multiply: Some(multiply), ..Default::default() };
        pollster::block_on(Device::from_wgpu_async(device.clone(), queue.clone(), &options)).unwrap()
    };
    multiplies(&device).into_iter().map(open).collect()
}

fn target(device: &Device, bytes: u64) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    device.inner.context.buffer_with("test", &vec![0xa5; bytes as usize], usage).unwrap()
}

fn on_gpu(device: &Device, plan: Orthogonal, dtype: DType, seed: u64, stream: u64, offset: u64) -> Vec<u8> {
    let bytes = plan.elements() as u64 * dtype.size();
    let mut all = vec![0; (offset + bytes.next_multiple_of(4) + 8) as usize];
    let buffer = target(device, all.len() as u64);
    let go_on = &mut |_, _| ControlFlow::Continue(());
    pollster::block_on(fill(device, &plan, dtype, seed, stream, &buffer, offset, go_on)).unwrap();
    pollster::block_on(readback::read(&device.inner.context, "test", &buffer, 0, &mut all)).unwrap();
    let end = (offset + bytes) as usize;
    assert!(all[..offset as usize].iter().chain(&all[end..]).all(|&byte| byte == 0xa5), "bytes beside the matrices");
    all[offset as usize..end].to_vec()
}

fn on_cpu<T: Element>(plan: Orthogonal, seed: u64, stream: u64) -> Vec<u8> {
    let mut out = vec![T::round(0.0); plan.elements() as usize];
    plan.fill(seed, stream, &mut out, &mut |_, _| ControlFlow::Continue(())).unwrap();
    bytemuck::cast_slice(&out).to_vec()
}

fn compare<T: Element>(device: &Device, plan: Orthogonal, offset: u64) {
    let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
    let (expected, actual) = (on_cpu::<T>(plan, seed, stream), on_gpu(device, plan, T::DTYPE, seed, stream, offset));
    let size = size_of::<T>();
    let differing: Vec<_> =
        expected.chunks(size).zip(actual.chunks(size)).enumerate().filter(|(_, (a, b))| a != b).collect();
    assert!(differing.is_empty(), "{plan:?} {}: {} differ, first {:?}", T::DTYPE, differing.len(), differing[0]);
}

#[test]
fn matrices_have_the_bits_of_the_cpu() {
    for device in devices() {
        for (rows, cols, batch) in [
            (1, 1, 1),
            (1, 1, 5),
            (1, 9, 1),
            (9, 1, 3),
            (2, 3, 1),
            (3, 2, 1),
            (4, 4, 100),
            (16, 16, 1),
            (17, 5, 1),
            (17, 17, 3),
            (64, 64, 1),
            (100, 37, 2),
            (37, 100, 2),
            (128, 256, 1),
            (5, 1000, 1),
            (1030, 40, 1),
            (7, 3, 1001),
        ] {
            for gain in [1.0, 0.7] {
                let plan = Orthogonal { rows, cols, batch, gain };
                compare::<f32>(&device, plan, 0);
                compare::<f16>(&device, plan, 4);
                compare::<bf16>(&device, plan, 260);
            }
        }
    }
}

/// Several dispatches for a block, and several groups of blocks.
#[test]
fn a_matrix_of_several_dispatches_has_the_bits_of_the_cpu() {
    if let Some(device) = devices().last() {
        compare::<f32>(device, Orthogonal { rows: 40_000, cols: 40, batch: 1, gain: 1.0 }, 0);
        compare::<f32>(device, Orthogonal { rows: 512, cols: 300, batch: 5, gain: 1.0 }, 0);
    }
}

/// `cargo test --release -- --ignored --nocapture large_matrices_have`
#[test]
#[ignore = "minutes on llvmpipe"]
fn large_matrices_have_the_bits_of_the_cpu() {
    if let Some(device) = devices().last() {
        for (rows, cols) in [(2048, 2048), (4096, 1024), (1024, 4096)] {
            compare::<f32>(device, Orthogonal { rows, cols, batch: 1, gain: 1.0 }, 0);
        }
    }
}

#[test]
fn work_that_is_broken_off_leaves_buffer_and_device_as_they_were() {
    for device in devices() {
        let plan = Orthogonal { rows: 512, cols: 512, batch: 4, gain: 1.0 };
        let mut bytes = vec![0; plan.elements() as usize * 4];
        let buffer = target(&device, bytes.len() as u64);
        let mut heard = Vec::new();
        let progress = &mut |done, total| {
            heard.push((done, total));
            ControlFlow::Break(())
        };
        let error = pollster::block_on(fill(&device, &plan, DType::F32, 1, 2, &buffer, 0, progress)).unwrap_err();
        assert!(matches!(error, Error::Interrupted { done, total, .. } if 0 < done && done < total), "{error}");
        assert_eq!(heard.len(), 1, "{heard:?}");
        pollster::block_on(readback::read(&device.inner.context, "test", &buffer, 0, &mut bytes)).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0xa5));
        compare::<f32>(&device, Orthogonal { rows: 33, cols: 20, batch: 1, gain: 1.0 }, 0);
    }
}

#[test]
fn progress_ends_at_the_total() {
    for device in devices() {
        let plan = Orthogonal { rows: 300, cols: 200, batch: 3, gain: 1.0 };
        let buffer = target(&device, plan.elements() as u64 * 4);
        let mut heard = Vec::new();
        let progress = &mut |done, total| {
            heard.push((done, total));
            ControlFlow::Continue(())
        };
        pollster::block_on(fill(&device, &plan, DType::F32, 1, 2, &buffer, 0, progress)).unwrap();
        assert!(heard.is_sorted() && heard.last().is_some_and(|(done, total)| done == total), "{heard:?}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    for device in devices() {
        let buffer = target(&device, 4096);
        let filled = |rows, cols, offset| {
            let plan = Orthogonal { rows, cols, batch: 1, gain: 1.0 };
            let go_on = &mut |_, _| ControlFlow::Continue(());
            pollster::block_on(fill(&device, &plan, DType::F32, 1, 2, &buffer, offset, go_on))
        };
        assert!(matches!(filled(32, 33, 0), Err(Error::BufferTooSmall { .. })));
        assert!(matches!(filled(3, 3, 2), Err(Error::UnalignedOffset { .. })));
        assert!(matches!(filled(u32::MAX, u32::MAX, 0), Err(Error::BufferTooLarge { .. })));
        assert_eq!(filled(32, 32, 0), Ok(()));
    }
}

/// The largest entry of |Q'Q - 1|, or of |QQ' - 1|, computed on the device in f32 sums of sums of 32.
fn defect(device: &Device, plan: Orthogonal) -> f32 {
    const MAIN: &str = "
        @group(0) @binding(0) var<storage, read_write> q: array<f32>;
        @group(0) @binding(1) var<storage, read_write> largest: atomic<u32>;
        override M: u32;
        override N: u32;
        override ROW: u32;
        override COLUMN: u32;
        @compute @workgroup_size(16, 16)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x > id.y || id.y >= N { return; }
            var sum = 0.0;
            for (var run = 0u; run < M; run += 32u) {
                var s = 0.0;
                for (var i = run; i < min(run + 32u, M); i++) {
                    s += q[i * ROW + id.x * COLUMN] * q[i * ROW + id.y * COLUMN];
                }
                sum += s;
            }
            atomicMax(&largest, bitcast<u32>(abs(sum - select(0.0, 1.0, id.x == id.y))));
        }";
    let context = &device.inner.context;
    let (m, n) = (plan.height() as u32, plan.width() as u32);
    let (row, column) = if plan.transposed() { (1, m) } else { (n, 1) };
    let buffer = target(device, plan.elements() as u64 * 4);
    let go_on = &mut |_, _| ControlFlow::Continue(());
    pollster::block_on(fill(device, &plan, DType::F32, 42, 7, &buffer, 0, go_on)).unwrap();
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let largest = context.buffer_with("test", &[0; 4], usage).unwrap();
    let pipeline = context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(MAIN.into()),
        }),
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[("M", m.into()), ("N", n.into()), ("ROW", row.into()), ("COLUMN", column.into())],
            ..Default::default()
        },
        cache: None,
    });
    let group = context.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: largest.as_entire_binding() },
        ],
    });
    let mut encoder = context.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(n.div_ceil(16), n.div_ceil(16), 1);
    }
    context.queue.submit([encoder.finish()]);
    let mut bits = [0u32];
    pollster::block_on(readback::read(context, "test", &largest, 0, bytemuck::cast_slice_mut(&mut bits))).unwrap();
    f32::from_bits(bits[0])
}

fn check_defect(shapes: &[(u32, u32)]) {
    let Some(device) = devices().pop() else { return };
    for &(rows, cols) in shapes {
        let defect = defect(&device, Orthogonal { rows, cols, batch: 1, gain: 1.0 });
        println!("{rows} x {cols}: {defect:e}");
        // The device's own sums round too, so zero would be no measurement.
        assert!(defect > 1e-8 && defect <= 1e-5, "{rows} x {cols}: {defect:e}");
        let doubled = self::defect(&device, Orthogonal { rows, cols, batch: 1, gain: 1.00001 });
        assert!(doubled > 1.9e-5, "a gain of 1.00001 must show: {doubled:e}");
    }
}

#[test]
fn the_device_finds_its_matrices_orthogonal() {
    check_defect(&[(64, 64), (300, 200), (128, 512)]);
}

/// `cargo test --release -- --ignored --nocapture the_device_finds_large`
#[test]
#[ignore = "minutes on llvmpipe"]
fn the_device_finds_large_matrices_orthogonal() {
    check_defect(&[(2048, 2048), (4096, 1024)]);
}

/// `cargo test --release -- --ignored --nocapture gpu_times`
#[test]
#[ignore = "a measurement"]
fn gpu_times() {
    let Some(device) = devices().pop() else { return };
    println!("{}", device.name());
    for n in [64, 128, 256, 512, 1024, 2048] {
        let plan = Orthogonal { rows: n, cols: n, batch: 1, gain: 1.0 };
        let buffer = target(&device, plan.elements() as u64 * 4);
        let mut longest = Duration::ZERO;
        let times = (0..if n < 1024 { 5 } else { 2 }).map(|i| {
            let start = Instant::now();
            let mut last = start;
            let progress = &mut |_, _| {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                ControlFlow::Continue(())
            };
            pollster::block_on(fill(&device, &plan, DType::F32, i, 0, &buffer, 0, progress)).unwrap();
            device.wait().unwrap();
            start.elapsed()
        });
        let least = times.min().unwrap_or_default().as_secs_f64();
        println!("GPU {n}: {:.3} ms, at most {longest:.1?} between reports", least * 1e3);
    }
}
