//! Fills of memory that is there already, in bytes per second: on the GPU, on all cores of the CPU,
//! and, to compare with, by rand_distr on one thread.

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::device;
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use gpu_init::half::bf16;
use gpu_init::rand::{SeedableRng, rngs::SmallRng};
use gpu_init::wgpu::{BufferDescriptor, BufferUsages};
use gpu_init::{Cpu, Device, Distribution, Element, Initializer, TensorSpec};
use rand_distr::{Distribution as _, StandardNormal, Uniform};

/// Elements in f32, by their binary logarithms. All are even: the tensors are square.
const SIZES: [u32; 5] = [12, 16, 20, 24, 26];
/// The same for bf16.
const BF16_SIZE: u32 = 24;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn fill(criterion: &mut Criterion) {
    let device = device();
    match &device {
        Some(device) => eprintln!("The GPU is {}.", device.name()),
        None => eprintln!("There is no GPU adapter: only the CPU is measured."),
    }
    for initializer in [
        Initializer::xavier_normal(),
        Initializer::xavier_uniform(),
        Initializer::truncated_normal(0.0, 0.02, -0.04, 0.04),
    ] {
        let mut group = criterion.benchmark_group(initializer.name());
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        for size in SIZES {
            this_crate::<f32>(&mut group, device.as_ref(), initializer, size);
            without_it(&mut group, initializer, size);
        }
        this_crate::<bf16>(&mut group, device.as_ref(), initializer, BF16_SIZE);
        group.finish();
    }
}

fn parameter<T: Element>(initializer: Initializer, size: u32) -> TensorSpec {
    TensorSpec::new([1 << (size / 2); 2], initializer).dtype(T::DTYPE)
}

fn id<T: Element>(name: &str, size: u32) -> BenchmarkId {
    BenchmarkId::new(name, format_args!("{} 2^{size}", T::DTYPE))
}

/// This crate, on the GPU until the fill is done, and on the CPU.
fn this_crate<T: Element>(
    group: &mut Group,
    device: Option<&Device>,
    initializer: Initializer,
    size: u32,
) {
    let parameter = parameter::<T>(initializer, size);
    let bytes = T::DTYPE.size() << size;
    group.throughput(Throughput::Bytes(bytes));

    if let Some(device) =
        device.filter(|device| bytes <= device.wgpu_device().limits().max_buffer_size)
    {
        let usage = BufferUsages::STORAGE;
        let descriptor =
            BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false };
        let buffer = device.wgpu_device().create_buffer(&descriptor);
        group.bench_function(id::<T>("gpu", size), |bencher| {
            bencher.iter(|| {
                device.fill_into(&parameter, &buffer, 0).unwrap();
                device.wait().unwrap();
            });
        });
    }

    let (cpu, mut out) = (Cpu::new(), vec![T::zeroed(); 1 << size]);
    group.bench_function(id::<T>("cpu", size), |bencher| {
        bencher.iter(|| cpu.fill_into(&parameter, &mut out).unwrap())
    });
}

/// What one would write without this crate.
fn without_it(group: &mut Group, initializer: Initializer, size: u32) {
    let distribution = parameter::<f32>(initializer, size).resolve(0, 0).unwrap().distribution;
    let (mut rng, mut out) = (SmallRng::seed_from_u64(0), vec![0f32; 1 << size]);
    let id = id::<f32>("rand_distr, one thread", size);
    match distribution {
        Distribution::Normal { std, .. } => group.bench_function(id, |bencher| {
            bencher.iter(|| {
                black_box(&mut out).fill_with(|| {
                    let z: f32 = StandardNormal.sample(&mut rng);
                    z * std
                });
            });
        }),
        Distribution::Uniform { bound, .. } => group.bench_function(id, |bencher| {
            let uniform = Uniform::new(-bound, bound).unwrap();
            bencher.iter(|| black_box(&mut out).fill_with(|| uniform.sample(&mut rng)));
        }),
        // rand_distr has none.
        _ => group,
    };
}

criterion_group!(benches, fill);
criterion_main!(benches);
