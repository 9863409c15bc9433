//! The limits of normals: what a sample of 2^33 shows of them, beside ideal normals. Of
//! docs/evidence.md; it takes minutes:
//! `cargo test --release --workspace --test distribution -- --ignored --nocapture limits`

use std::f64::consts::PI;

use gpu_init::{Cpu, TensorSpec};
use rayon::slice::ParallelSliceMut;

use crate::common::statistics::{Family, normal_cdf, normal_tail, poisson_mid_p};
use crate::{STANDARD, tally};

/// Deviations, of either sign, that values are counted beyond.
const BEYOND: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 5.5, 6.0];

/// Magnitudes that values are counted below.
const BELOW: [f32; 4] = [1e-8, 3e-8, 1e-7, 3e-7];

#[derive(Debug, Default)]
struct Counts {
    beyond: [u64; BEYOND.len()],
    below: [u64; BELOW.len()],
    largest: f32,
}

impl Counts {
    fn add(&mut self, values: &[f32]) {
        // So few that they stay in the cache and that 32 bits count them.
        for values in values.chunks(1 << 12) {
            let count = |counted: &dyn Fn(f32) -> bool| -> u64 {
                values.iter().map(|&z| u32::from(counted(z.abs()))).sum::<u32>().into()
            };
            for (total, level) in self.beyond.iter_mut().zip(BEYOND) {
                *total += count(&|z| z > level);
            }
            for (total, level) in self.below.iter_mut().zip(BELOW) {
                *total += count(&|z| z < level);
            }
            self.largest = values.iter().fold(self.largest, |largest, z| largest.max(z.abs()));
        }
    }

    fn merge(mut self, other: Counts) -> Counts {
        self.beyond.iter_mut().zip(other.beyond).for_each(|(a, b)| *a += b);
        self.below.iter_mut().zip(other.below).for_each(|(a, b)| *a += b);
        self.largest = self.largest.max(other.largest);
        self
    }
}

/// P(|z| > k) of Box-Muller in exact arithmetic, of all angles, whose u is a multiple of 2^-32. Up
/// to 2 deviations that is the normal's to nine digits.
fn box_muller_tail(k: f32) -> f64 {
    let k = f64::from(k);
    if k < 2.5 {
        return 2.0 * normal_tail(k);
    }
    let beyond = |n: u64| {
        let r = (-2.0 * (n as f64 / 2f64.powi(32)).ln()).sqrt();
        if r > k { 2.0 / PI * (k / r).acos() } else { 0.0 }
    };
    (1..=(2f64.powi(32) * (-0.5 * k * k).exp()) as u64).map(beyond).sum::<f64>() / 2f64.powi(32)
}

/// Adds a count to a family of them, and prints it beside the law.
fn compare(family: &mut Family, name: String, count: u64, [expected, ideal]: [f64; 2]) {
    println!(
        "{name}: {count}, expected {expected:.1} +- {:.1}, of a normal {ideal:.1}",
        expected.sqrt()
    );
    let score = (count as f64 - expected) / expected.sqrt();
    let p = if expected < 100.0 { poisson_mid_p(count, expected) } else { normal_tail(score) };
    family.add(name, count as f64, p);
}

#[test]
#[ignore = "takes a minute"]
fn limits_of_the_tails_and_near_zero() {
    let n = 1 << 33;
    let counts = tally("limits", n, Counts::add, Counts::merge);
    let n = n as f64;
    let mut tails = Family::new("tails of 2^33 normals");
    for (level, count) in BEYOND.into_iter().zip(counts.beyond) {
        let laws = [box_muller_tail(level), 2.0 * normal_tail(level.into())].map(|p| n * p);
        compare(&mut tails, format!("|z| > {level}"), count, laws);
    }
    let mut near = Family::new("2^33 normals near zero");
    for (level, count) in BELOW.into_iter().zip(counts.below) {
        let law = n * (1.0 - 2.0 * normal_cdf(-f64::from(level)));
        compare(&mut near, format!("|z| < {level:e}"), count, [law, law]);
    }
    println!("largest |z|: {}", counts.largest);
    tails.accept();
    near.accept();
    assert!(f64::from(counts.largest) <= (64.0 * 2f64.ln()).sqrt() * (1.0 + 1e-7));
}

/// The probability that two normals, rounded to F32, are equal: of each binade the square of the
/// density, times the step.
fn equal_normals() -> f64 {
    let binade = |exponent: i32| {
        let [low, high] = [exponent, exponent + 1].map(|e| 2f64.powi(e) * 2f64.sqrt());
        2f64.powi(exponent - 23) * (normal_cdf(high) - normal_cdf(low)) / PI.sqrt()
    };
    (-60..4).map(binade).sum()
}

/// Box-Muller makes pairs: how many of 2^28 of them are equal, beside independent normals that are
/// rounded to F32.
#[test]
#[ignore = "takes a minute, and 2 GiB of memory"]
fn limits_of_equal_pairs() {
    let pairs = 1 << 28;
    let mut values = vec![0f32; 2 * pairs];
    Cpu::with_seed(42)
        .fill_into(&TensorSpec::new([2 * pairs], STANDARD).name("limits"), &mut values)
        .unwrap();
    let values: &mut [u64] = bytemuck::cast_slice_mut(&mut values);
    values.par_sort_unstable();
    let equal: usize =
        values.chunk_by(|a, b| a == b).map(|same| same.len() * (same.len() - 1) / 2).sum();
    let ideal = (pairs as f64).powi(2) / 2.0 * equal_normals().powi(2);
    println!("equal pairs among 2^28: {equal}, of independent normals {ideal:.2}");
    let mut family = Family::new("equal pairs");
    family.add("pairs", equal as f64, poisson_mid_p(equal as u64, ideal));
    family.accept();
}
