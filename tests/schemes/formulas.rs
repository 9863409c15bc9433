//! Initializers whose values are formulas of the index, or of one word of the stream: beside the
//! platform's functions in f64.

use gpu_init::{Philox4x32, TensorSpec, stream_of};

use crate::common::statistics::{self, Family};
use crate::rounding::EVERYWHERE;
use crate::{fill_types, read};

/// Each with its least and largest number, and what smaller ones become before the inverse softplus.
const LOG_UNIFORMS: [(&str, f64, f64, Option<f64>); 4] = [
    ("log_uniform", 0.001, 0.1, None),
    ("log_uniform(low=2, high=1000)", 2.0, 1000.0, None),
    ("inverse_softplus_log_uniform", 0.001, 0.1, Some(0.0001)),
    ("inverse_softplus_log_uniform(low=0.0001, high=1, floor=0.01)", 0.0001, 1.0, Some(0.01)),
];

/// A text, a shape and, for a grid, its side.
const SINUSOIDS: [(&str, [usize; 3], Option<usize>); 4] = [
    ("sinusoidal", [1, 1500, 384], None),
    ("sinusoidal(base=100)", [3, 7, 6], None),
    ("sinusoidal_2d", [1, 256, 1152], Some(16)),
    ("sinusoidal_2d(base=50)", [2, 9, 8], Some(3)),
];

pub fn texts() -> Vec<&'static str> {
    LOG_UNIFORMS
        .iter()
        .map(|(text, ..)| *text)
        .chain(SINUSOIDS.iter().map(|(text, ..)| *text))
        .collect()
}

#[track_caller]
fn assert_near(text: &str, i: usize, actual: f32, expected: f64, scale: f64) {
    let tolerance = f64::from(f32::EPSILON) * expected.abs() + 1e-14 * scale;
    assert!(
        (f64::from(actual) - expected).abs() <= tolerance,
        "{text}, {i}: {actual}, not {expected}"
    );
}

/// Every value is that of its word, and the words' parts are uniform.
#[test]
fn logarithms_are_uniform() {
    let mut family = Family::new("logarithms");
    for (text, low, high, floor) in LOG_UNIFORMS {
        let spec = TensorSpec::new([1 << 10, 1 << 8], read(text)).name("w");
        let values = fill_types(&spec, EVERYWHERE);
        let words = Philox4x32::new(42, stream_of("w"));
        let mut parts = Vec::new();
        for (i, &value) in values.iter().enumerate() {
            let word = words.block(i as u64 / 4)[i % 4];
            let part = (f64::from(word) + 0.5) / 2f64.powi(32);
            let number = (low.ln() + part * (high.ln() - low.ln())).exp();
            let clamped = number.max(floor.unwrap_or(0.0));
            let expected = floor.map_or(number, |_| clamped + (-(-clamped).exp_m1()).ln());
            assert_near(text, i, value, expected, 10.0);
            // Back from the value: softplus, and the part of the range.
            let value = f64::from(value);
            let number = if floor.is_some() { value.exp().ln_1p() } else { value };
            if clamped == number || floor.is_none_or(|floor| number > floor * 1.000_01) {
                parts.push(((number.ln() - low.ln()) / (high.ln() - low.ln())) as f32);
            }
        }
        let least: f64 = parts.iter().copied().fold(1.0, f32::min).clamp(0.0, 1.0).into();
        let start = if floor.is_some_and(|floor| floor > low) { least } else { 0.0 };
        let cdf = |part: f64| ((part - start) / (1.0 - start)).clamp(0.0, 1.0);
        family.kolmogorov_smirnov(text, statistics::kolmogorov_smirnov(&mut parts, cdf));
    }
    family.accept();
}

#[test]
fn positions_are_sines_and_cosines() {
    for (text, shape, side) in SINUSOIDS {
        let [_, rows, columns] = shape;
        let base: f64 = match text.split_once('=') {
            Some((_, base)) => base.trim_end_matches(')').parse().unwrap(),
            None => 10_000.0,
        };
        let values = fill_types(&TensorSpec::new(shape, read(text)), EVERYWHERE);
        for (i, &value) in values.iter().enumerate() {
            let (row, column) = (i / columns % rows, i % columns);
            let (position, column, quarter, last) = match side {
                None => (row, column, columns / 2, columns / 2 - 1),
                Some(side) if column < columns / 2 => {
                    (row % side, column, columns / 4, columns / 4)
                }
                Some(side) => (row / side, column - columns / 2, columns / 4, columns / 4),
            };
            let angle = position as f64 / base.powf((column % quarter) as f64 / last as f64);
            let expected = if column < quarter { angle.sin() } else { angle.cos() };
            assert_near(text, i, value, expected, 100.0);
        }
    }
}
