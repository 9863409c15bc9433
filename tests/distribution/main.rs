//! The values follow their distributions and depend on nothing: goodness of fit, tails and moments,
//! independence within and between tensors, rounding, and the spread that Xavier prescribes.
//!
//! Seeds and streams are fixed, so every figure is the same on every machine. A family of p-values
//! stands if none is outside (1e-4 / m, 1 - 1e-4 / m), m being its size: see
//! [`common::statistics::ALPHA`]. Wrong distributions follow that the same statistics must reject.
//! `cargo test --release --test distribution -- --nocapture` shows the figures; without
//! optimization the samples are a 64th.

#[path = "../common/mod.rs"]
mod common;
mod fit;
mod independence;
mod limits;
mod reference;
mod rounding;
mod spread;
mod tails;
mod words;

use std::thread;

use gpu_init::{Cpu, Element, Initializer, TensorSpec};

/// 2^log2, or a 64th of it in an unoptimized build.
const fn sized(log2: u32) -> usize {
    1 << if cfg!(debug_assertions) { log2 - 6 } else { log2 }
}

const STANDARD: Initializer = Initializer::normal(0.0, 1.0);

/// `n` standard normals; every name gives different ones.
fn normals(name: &str, n: usize) -> Vec<f32> {
    fill(&TensorSpec::new([n], STANDARD).name(name))
}

/// Tallies `n` standard normals in pieces, on two threads; `n` is a power of two.
fn tally<T: Default + Send>(
    name: &str,
    n: usize,
    add: fn(&mut T, &[f32]),
    merge: fn(T, T) -> T,
) -> T {
    let whole = TensorSpec::new([n], STANDARD).name(name);
    let half = |thread: usize| {
        let (cpu, mut values) = (Cpu::with_seed(42), vec![0f32; (1 << 20).min(n / 2)]);
        let mut tally = T::default();
        for first in (0..n).step_by(values.len()).skip(thread).step_by(2) {
            let piece = whole.clone().elements(first as u64..(first + values.len()) as u64);
            cpu.fill_into(&piece, &mut values).unwrap();
            add(&mut tally, &values);
        }
        tally
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        merge(half(0), other.join().unwrap())
    })
}

/// The values of a spec, with seed 42 unless it has its own.
fn fill<T: Element>(spec: &TensorSpec) -> Vec<T> {
    let mut values = vec![T::round(0.0); spec.resolve(0, 0).unwrap().len as usize];
    Cpu::with_seed(42).fill_into(spec, &mut values).unwrap();
    values
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual / expected - 1.0).abs() <= tolerance, "{actual:e} instead of {expected:e}");
}
