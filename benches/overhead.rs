//! What comes before and beside the elements: opening a device, and what a tensor costs beyond its
//! bytes.

mod common;

use std::ops::ControlFlow;
use std::time::Duration;

use common::device;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use gpu_init::wgpu::BufferUsages;
use gpu_init::{Cpu, Device, DeviceOptions, FillOptions, Initializer, TensorSpec};

/// From nothing to a tensor that is filled. The driver may keep compiled shaders from one opening
/// to the next.
fn opening(criterion: &mut Criterion) {
    if device().is_none() {
        return eprintln!("There is no GPU adapter to open.");
    }
    let parameter = TensorSpec::new([64, 64], Initializer::xavier_normal());
    let mut group = criterion.benchmark_group("opening");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("to the first tensor", |bencher| {
        bencher.iter(|| {
            let device = Device::open(&DeviceOptions::new()).unwrap();
            let tensor = device.fill(&parameter).unwrap();
            device.wait().unwrap();
            tensor
        });
    });
    group.finish();
}

/// A thousand small tensors in one call, beside one tensor of as many elements: what a tensor costs
/// beyond its bytes.
fn small_tensors(criterion: &mut Criterion) {
    let small: Vec<_> = (0..1000)
        .map(|i| TensorSpec::new([64, 64], Initializer::xavier_normal()).stream(i))
        .collect();
    let one = [TensorSpec::new([64_000, 64], Initializer::xavier_normal())];
    let mut group = criterion.benchmark_group("plan");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(4_096_000));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let (device, cpu) = (device(), Cpu::new());
    for (name, parameters) in [("1000 tensors", &small[..]), ("one tensor", &one)] {
        if let Some(device) = &device {
            group.bench_function(BenchmarkId::new("gpu", name), |bencher| {
                bencher.iter(|| {
                    let mut progress = |_, _| ControlFlow::Continue(());
                    let options = FillOptions::new().progress(&mut progress);
                    device.fill_all_with(parameters, options).unwrap()
                });
            });
        }
        let id = BenchmarkId::new("cpu", name);
        group.bench_function(id, |bencher| bencher.iter(|| cpu.fill_all(parameters).unwrap()));
    }
    group.finish();
}

/// The first fill of a buffer, as it is and where wgpu zeroes it first, as it does one that can be
/// anything else than weights; and another fill of the same memory.
fn new_buffer(criterion: &mut Criterion) {
    let Some(device) = device() else { return };
    let weights = TensorSpec::new([8192, 8192], Initializer::xavier_uniform()).name("w");
    let mut group = criterion.benchmark_group("buffer");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Bytes(4 << 26));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for (name, usages) in [("new", BufferUsages::empty()), ("new, zeroed", BufferUsages::VERTEX)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let tensor = device.fill_with(&weights, FillOptions::new().usages(usages)).unwrap();
                device.wait().unwrap();
                tensor
            });
        });
    }
    let tensor = device.fill(&weights).unwrap();
    group.bench_function("used", |bencher| {
        bencher.iter(|| {
            device.fill_into(&weights, tensor.buffer(), 0).unwrap();
            device.wait().unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, opening, small_tensors, new_buffer);
criterion_main!(benches);
