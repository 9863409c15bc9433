//! The parts that a fill on the CPU is made of, in a core's cache and on one thread: a Philox
//! block, the transforms, and the rounding to half types, which shows beside F32.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, Element, Initializer, Philox4x32, TensorSpec};

/// No more than one thread's unit of work.
const ELEMENTS: usize = 1 << 14;

fn block(criterion: &mut Criterion) {
    let philox = Philox4x32::new(1, 2);
    let mut group = criterion.benchmark_group("philox");
    group.throughput(Throughput::Elements(4));
    group.bench_function("block", |bencher| bencher.iter(|| philox.block(black_box(3))));
    group.finish();
}

fn transforms(criterion: &mut Criterion) {
    for initializer in [
        Initializer::constant(0.5),
        Initializer::uniform(-0.05, 0.05),
        Initializer::normal(0.0, 0.02),
    ] {
        transform::<f32>(criterion, initializer);
        transform::<f16>(criterion, initializer);
        transform::<bf16>(criterion, initializer);
    }
}

fn transform<T: Element>(criterion: &mut Criterion, initializer: Initializer) {
    let parameter = TensorSpec::new([ELEMENTS], initializer).dtype(T::DTYPE).stream(0);
    let (cpu, mut out) = (Cpu::new(), vec![T::zeroed(); ELEMENTS]);
    let mut group = criterion.benchmark_group(initializer.name());
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    group.bench_function(T::DTYPE.to_string(), |bencher| {
        bencher.iter(|| cpu.fill_into(&parameter, black_box(&mut out)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, block, transforms);
criterion_main!(benches);
