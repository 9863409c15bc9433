//! The quantiles and moments against mpmath's, the cubics against the quantiles, everywhere in the
//! table.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::stream::quantile::*;
use crate::stream::truncated::truncated1;

/// A standard distribution with its moments, and its quantiles of some x 2^-33: x, the value from
/// below and the value from above.
struct Row {
    distribution: Truncated,
    moments: [f64; 3],
    quantiles: Vec<[f64; 3]>,
}

fn rows() -> Vec<Row> {
    let rows = include_str!("quantile_answers.txt").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let numbers: Vec<f64> = line.split_whitespace().map(|text| text.parse().unwrap()).collect();
        let distribution = Truncated { mean: 0.0, std: 1.0, low: numbers[0], high: numbers[1] };
        let (triples, rest) = numbers[2..].as_chunks();
        assert!(triples.len() == 7 && rest.is_empty());
        Row { distribution, moments: triples[0], quantiles: triples[1..].to_vec() }
    };
    rows.map(row).collect()
}

/// Distributions whose numbers are of another order: mean, std, low, high.
const OTHERS: [Truncated; 8] = [
    Truncated { mean: 0.0, std: 0.02, low: -2.0, high: 2.0 },
    Truncated { mean: 0.0, std: 0.001, low: -2.0, high: 2.0 },
    Truncated { mean: 100.0, std: 1e-3, low: 99.0, high: 101.0 },
    Truncated { mean: -1e4, std: 1.0, low: 0.0, high: 1.0 },
    Truncated { mean: 1e6, std: 2.0, low: -1.0, high: f64::INFINITY },
    Truncated { mean: 0.0, std: 1.0, low: -5e-13, high: 5e-13 },
    Truncated { mean: -30.0, std: 1.0, low: 0.0, high: 1.0 },
    Truncated { mean: 3.0, std: 1e-14, low: 3.0, high: f64::INFINITY },
];

fn distributions() -> impl Iterator<Item = Truncated> {
    rows().into_iter().map(|row| row.distribution).chain(OTHERS)
}

/// The value of an odd number, whose probability from its end is that number as f32 times 2^-33.
fn value(table: &Table, odd: u32, upper: bool) -> f32 {
    let word = odd >> 1 | u32::from(upper) << 31;
    truncated1(table, f32::NEG_INFINITY, f32::INFINITY, word)
}

/// Exact to f64: x in rising order to values.
fn quantiles(distribution: Truncated, xs: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let panels = Panels::new(distribution);
    let cumulative = panels.cumulative();
    let mut at = Position { panel: 0, distance: 0.0 };
    let value = |x: f64| {
        let target = x / 8589934592.0 * cumulative[PANELS];
        panels.first + distribution.std * panels.advance(&mut at, &cumulative, target)
    };
    xs.into_iter().map(value).collect()
}

/// The distribution's own width: of its bounds, or of all but 2^-33.
fn width(distribution: Truncated) -> f64 {
    distribution.bounds().1 - distribution.bounds().0
}

#[test]
fn quantiles_are_those_of_mpmath() {
    for Row { distribution, quantiles: rows, .. } in rows() {
        let width = width(distribution);
        let below = quantiles(distribution, rows.iter().map(|row| row[0]));
        let above = quantiles(distribution.mirrored(), rows.iter().map(|row| row[0]));
        for ((&[x, low, high], below), above) in rows.iter().zip(below).zip(above) {
            let tolerance =
                4e-16 * low.abs().max(high.abs()).max(1e-3 * width) + 4e-15 * width.min(1.0);
            for (value, expected) in [(below, low), (-above, high)] {
                assert!(
                    (value - expected).abs() <= tolerance,
                    "{distribution:?} {x}: {value:e} {expected:e}"
                );
            }
        }
    }
}

#[test]
fn moments_are_those_of_mpmath() {
    for Row { distribution, moments: [mean, std, kurtosis], .. } in rows() {
        let moments = distribution.moments();
        let tolerances = [1e-15 * mean.abs() + 1e-14 * std, 1e-14 * std, 1e-13 * kurtosis];
        for ((value, expected), tolerance) in
            moments.iter().zip([mean, std, kurtosis]).zip(tolerances)
        {
            assert!((value - expected).abs() <= tolerance, "{distribution:?} {moments:?}");
        }
    }
}

/// Between bounds that are near beside the deviation the distribution is uniform: no square of a
/// distance underflows.
#[test]
fn moments_of_a_wide_normal_are_the_uniforms() {
    for std in [1e3, 1e100, 1e155, 1e200, 1e280] {
        let [mean, spread, kurtosis] = Truncated { mean: 0.0, std, low: -1.0, high: 3.0 }.moments();
        let relative_std = spread * 12f64.sqrt() / 4.0;
        for (value, expected) in [(mean, 1.0), (relative_std, 1.0), (kurtosis, 1.8)] {
            assert!((value - expected).abs() < 1e-5, "{std:e} {value}");
        }
    }
    // Beyond that it is refused, for there is no spread.
    assert_eq!(Truncated { mean: 0.0, std: 1e300, low: -1.0, high: 3.0 }.moments()[1], 0.0);
}

/// x at t in a segment.
fn segment_x(segment: u32, t: f64) -> f64 {
    (1u64 << (segment / 8)) as f64 * (1.0 + (f64::from(segment % 8) + t) / 8.0)
}

/// How far from its quantile a value is, and the step of f32 at the quantile.
fn error_and_step(value: f32, quantile: f64) -> (f64, f64) {
    let magnitude = (quantile as f32).abs();
    let step = f64::from(magnitude.next_up() - magnitude);
    ((f64::from(value) - quantile).abs(), step)
}

/// Odd numbers whose x are the ends of every segment and 30 steps between them, rising.
fn odd_numbers() -> Vec<u32> {
    let odd = |segment: u32, i: u32| segment_x(segment, f64::from(i) / 32.0) as u32 | 1;
    let mut numbers: Vec<u32> =
        (0..256).flat_map(|segment| (0..32).map(move |i| odd(segment, i))).collect();
    numbers.push(u32::MAX);
    numbers.dedup();
    numbers
}

/// The error of a value: in steps of f32 there beyond the half that its rounding takes, and in
/// widths.
#[test]
fn cubics_are_the_quantiles() {
    let numbers = odd_numbers();
    let mut worst = 0f64;
    for distribution in distributions() {
        let table = distribution.table();
        let (mut of_distribution, mut steps) = (0f64, 0f64);
        for upper in [false, true] {
            let side = if upper { distribution.mirrored() } else { distribution };
            let exact = quantiles(side, numbers.iter().map(|&odd| f64::from(odd as f32)));
            for (&x, exact) in numbers.iter().zip(exact) {
                let exact = if upper { -exact } else { exact };
                let (error, step) = error_and_step(value(&table, x, upper), exact);
                of_distribution =
                    of_distribution.max((error - step).max(0.0) / width(distribution));
                steps = steps.max(error / step);
            }
        }
        println!(
            "{distribution:?}: beyond a step of f32 {of_distribution:.2e} of the width; {steps:.3} steps"
        );
        worst = worst.max(of_distribution);
    }
    println!("worst {worst:.3e} = 2^{:.2}", worst.log2());
    assert!(worst < 1.0 / (1 << 21) as f64);
}

/// Larger probabilities have larger values, to two steps of f32 and the error of the cubics.
#[test]
fn values_rise_with_the_probability() {
    for distribution in distributions() {
        let table = distribution.table();
        let mut near = odd_numbers();
        // Both sides of every joint.
        near.extend((64..256u32).flat_map(|segment| {
            let joint = ((8 + segment % 8) as f32 * (1u32 << (segment / 8)) as f32 / 8.0).to_bits();
            (0..8)
                .flat_map(move |i| [joint + i, joint - i])
                .map(|bits| f32::from_bits(bits) as u32 | 1)
        }));
        near.sort_unstable();
        near.dedup();
        let lower = near.iter().map(|&x| value(&table, x, false));
        let upper = near.iter().rev().map(|&x| value(&table, x, true));
        let values: Vec<f32> = lower.chain(upper).collect();
        let mut largest = values[0];
        for value in values {
            let step = largest.abs().next_up() - largest.abs();
            assert!(
                f64::from(value)
                    >= f64::from(largest - 2.0 * step) - width(distribution) / 16777216.0,
                "{distribution:?}: {value:e} after {largest:e}"
            );
            largest = largest.max(value);
        }
    }
}

#[test]
fn a_symmetric_distribution_has_symmetric_values() {
    for distribution in distributions().filter(|all| all.low == -all.high) {
        let table = distribution.table();
        for x in odd_numbers() {
            let [low, high] = [false, true].map(|upper| value(&table, x, upper));
            assert_eq!(low, -high, "{distribution:?} {x}");
        }
    }
}

/// What the shader's comment on subnormal numbers rests on.
#[test]
fn no_coefficient_is_tiny_and_none_is_alone() {
    for distribution in distributions() {
        for [zeroth, first, second, third] in *distribution.table() {
            for value in [zeroth, first, second, third] {
                assert!(
                    value.is_finite()
                        && (value == 0.0 || f64::from(value).abs() >= LEAST_COEFFICIENT)
                );
                assert_ne!(value.to_bits(), 1 << 31, "no negative zero");
            }
            assert!(first != 0.0 || second == 0.0 && third == 0.0);
        }
    }
}

/// `cargo test --release -- --ignored --nocapture the_time_of_a_table`
#[test]
#[ignore = "measures"]
fn the_time_of_a_table() {
    fn time<T>(compute: impl Fn() -> T) -> Duration {
        let start = Instant::now();
        (0..20).for_each(|_| drop(black_box(compute())));
        start.elapsed() / 20
    }
    for distribution in distributions() {
        let table = time(|| black_box(distribution).table());
        let moments = time(|| black_box(distribution).moments());
        println!("{distribution:?}: table {table:?}, moments {moments:?}");
    }
}

/// Mean, std, low and high of the distributions of [`every_word_is_near_its_quantile`].
#[rustfmt::skip]
const EVERY_WORD: [[f64; 4]; 24] = [
    [0.0, 1.0, -2.0, 2.0], // PyTorch's, Keras' and JAX's
    [0.0, 1.0, -3.0, 3.0],
    [0.0, 0.02, -2.0, 2.0], // PyTorch's, of small weights
    [0.0, 0.02, -0.04, 0.04],
    [0.0, 1.0, f64::NEG_INFINITY, f64::INFINITY],
    // On one side.
    [0.0, 1.0, 0.0, f64::INFINITY],
    [0.0, 1.0, f64::NEG_INFINITY, 1.0],
    [0.0, 1.0, 0.1, 3.0],
    [0.0, 1.0, 0.001, 3.0],
    [0.0, 1.0, 1.0, 3.0],
    [0.0, 1.0, -1.0, 2.0],
    [0.0, 1.0, -0.1, 7.0],
    [0.0, 1.0, -3.0, 0.7],
    // Tails. Far out the density is exponential; of its truncations the one at 4 is the worst.
    [0.0, 1.0, 3.0, f64::INFINITY],
    [0.0, 1.0, 3.0, 4.0],
    [0.0, 1.0, -6.0, -5.0],
    [-30.0, 1.0, 0.0, 1.0],
    [-1000.0, 1.0, 0.0, 0.004],
    // Narrow, so that the density is flat.
    [0.0, 1.0, -1e-3, 1e-3],
    [-5e6, 1e7, 0.0, 1.0],
    // Away from 0, where f32 has few values within the bounds.
    [0.5, 0.002, 0.499, 0.51],
    [1.0, 0.02, 0.9, 1.1],
    [128.0, 1.0, 126.0, 130.0],
    [100.0, 1e-3, 99.0, 101.0],
];

const NODES: usize = 12;

/// The quantiles within a segment of the table: Newton's polynomial through Chebyshev's nodes.
struct Segment {
    nodes: [f64; NODES],
    differences: [f64; NODES],
}

impl Segment {
    /// Of t from 0 to 1, by segment.
    fn all(distribution: Truncated) -> Vec<Segment> {
        let nodes: [f64; NODES] = std::array::from_fn(|i| {
            0.5 - 0.5 * ((i as f64 + 0.5) / NODES as f64 * std::f64::consts::PI).cos()
        });
        let xs = (0..256).flat_map(|i| nodes.map(|t| segment_x(i, t)));
        let of_nodes = |differences: &[f64; NODES]| {
            let mut differences = *differences;
            for order in 1..NODES {
                for i in (order..NODES).rev() {
                    differences[i] -= differences[i - 1];
                    differences[i] /= nodes[i] - nodes[i - order];
                }
            }
            Segment { nodes, differences }
        };
        quantiles(distribution, xs).as_chunks().0.iter().map(of_nodes).collect()
    }

    /// Side by side, as each is a chain of operations that wait for each other.
    fn at<const N: usize>(&self, t: [f64; N]) -> [f64; N] {
        let mut values = [self.differences[NODES - 1]; N];
        for (node, difference) in self.nodes.iter().zip(&self.differences).rev().skip(1) {
            values
                .iter_mut()
                .zip(t)
                .for_each(|(value, t)| *value = *value * (t - node) + difference);
        }
        values
    }
}

/// How far from its quantile a value is: beyond one step of f32, in 2^-24 of the width.
#[derive(Debug, Clone, Copy, Default)]
struct Distance {
    beyond: f64,
    odd: u32,
    quantile: f64,
}

impl Distance {
    fn new(table: &Table, width: f64, upper: bool, odd: u32, quantile: f64) -> Self {
        let (error, step) = error_and_step(value(table, odd, upper), quantile);
        Distance { beyond: (error - step) / (width / 16777216.0), odd, quantile }
    }

    fn farther(self, other: Self) -> Self {
        if other.beyond > self.beyond { other } else { self }
    }
}

/// The farthest of the values of every x in one segment: x is an odd number, or above 2^24 what an
/// odd number is rounded to.
fn farthest(table: &Table, width: f64, upper: bool, number: u32, segment: &Segment) -> Distance {
    const LANES: usize = 8;
    let [first, last] = [0.0, 1.0].map(|t| (segment_x(number, t) as f32).to_bits());
    let odd = |bits: u32| f32::from_bits(bits) as u32 | 1;
    let xs: Vec<u32> = (first..last).filter(|&bits| (odd(bits) as f32).to_bits() == bits).collect();
    let mut worst = Distance::default();
    for xs in xs.chunks(LANES) {
        let lanes: [u32; LANES] = std::array::from_fn(|i| xs[i.min(xs.len() - 1)]);
        let quantiles = segment.at(lanes.map(|bits| f64::from(bits & 0xfffff) / 1048576.0));
        for (bits, quantile) in lanes.into_iter().zip(quantiles) {
            let quantile = if upper { -quantile } else { quantile };
            worst = worst.farther(Distance::new(table, width, upper, odd(bits), quantile));
        }
    }
    worst
}

/// The farthest of all values from one end.
fn farthest_of_all(distribution: Truncated, upper: bool) -> Distance {
    let (table, width) = (distribution.table(), width(distribution));
    let side = if upper { distribution.mirrored() } else { distribution };
    let segments = Segment::all(side);
    let of_segment = |(i, segment)| farthest(&table, width, upper, i as u32, segment);
    let worst = segments
        .par_iter()
        .enumerate()
        .map(of_segment)
        .reduce(Distance::default, Distance::farther);
    let median = quantiles(side, [4294967296.0])[0];
    let median = if upper { -median } else { median };
    worst.farther(Distance::new(&table, width, upper, u32::MAX, median))
}

/// Of every word of 24 distributions: within one f32 step of the quantile and 2^-23 of the width,
/// as docs/stream.md says.
///
/// `cargo test --release --workspace --lib -- --ignored --nocapture every_word`
#[test]
#[ignore = "takes minutes"]
fn every_word_is_near_its_quantile() {
    for [mean, std, low, high] in EVERY_WORD {
        let distribution = Truncated { mean, std, low, high };
        let [below, above] = [false, true].map(|upper| farthest_of_all(distribution, upper));
        println!(
            "N({mean}, {std}^2) in {low} to {high}: {:.3} from below, {:.3} from above",
            below.beyond, above.beyond
        );
        for Distance { odd, quantile, .. } in [below, above] {
            println!("  at x = {odd}, whose quantile is {quantile}");
        }
        assert!(below.beyond.max(above.beyond) <= 2.0);
    }
}
