//! Sine and cosine in f64 by + - * / alone, so that every machine gives the same bits. Only the host
//! runs them.

use std::f64::consts::FRAC_2_PI;

/// pi / 2 in three parts: multiples below 2^20 of the first two are exact.
const HALF_PI: [f64; 3] = [
    f64::from_bits(0x3ff921fb54400000),
    f64::from_bits(0x3dd0b4611a600000),
    f64::from_bits(0x3ba3198a2e037073),
];

/// The largest angle.
pub(crate) const LARGEST: f64 = 1e6;

/// (sin x, cos x) of a number from 0 to [`LARGEST`], within 2^-52.
pub(crate) fn sin_cos(x: f64) -> (f64, f64) {
    let quarters = (x * FRAC_2_PI + 0.5).floor();
    let r = ((x - quarters * HALF_PI[0]) - quarters * HALF_PI[1]) - quarters * HALF_PI[2];
    // Series for |r| up to pi / 4: terms to r^19 and r^18 are enough.
    let square = r * r;
    let (mut sin, mut cos) = (1.0, 1.0);
    for n in (1..10).rev() {
        let n = f64::from(2 * n);
        sin = 1.0 - sin * square / (n * (n + 1.0));
        cos = 1.0 - cos * square / (n * (n - 1.0));
    }
    let sin = sin * r;
    match quarters as u64 % 4 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside the platform's, which are within a unit of the last place.
    #[test]
    fn sines_are_the_platforms() {
        let numbers = (0..100_000).map(|i| f64::from(i) * 0.01);
        for x in numbers.chain((0..100_000).map(|i| f64::from(i) * 9.99)).chain([0.0, LARGEST]) {
            let (sin, cos) = sin_cos(x);
            assert!((sin - x.sin()).abs() <= f64::EPSILON, "{x}: {sin}");
            assert!((cos - x.cos()).abs() <= f64::EPSILON, "{x}: {cos}");
        }
    }
}
