//! Exponentials in f64 by + - * / alone, so that every machine gives the same bits. Only the host
//! runs them.

use crate::stream::log::{LN2_HIGH, LN2_LOW};

/// Half of ln 2, and a little more: where the series is used directly.
const SMALL: f64 = 0.35;

/// exp(x) - 1 for |x| up to [`SMALL`]: 15 terms of the series are enough.
fn series(x: f64) -> f64 {
    let mut sum = 1.0;
    for n in (2..16).rev() {
        sum = 1.0 + sum * x / f64::from(n);
    }
    sum * x
}

/// The exponential of a number from -700 to 700, within a few units of its last place.
pub(crate) fn exp(x: f64) -> f64 {
    // x is k ln 2 + r. The nearest integer, ties upwards.
    let k = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let power = f64::from_bits(((1023 + k as i64) as u64) << 52);
    power + power * series(r)
}

/// exp(x) - 1 of a number up to 700, which is accurate near 0 too.
pub(crate) fn exp_m1(x: f64) -> f64 {
    if x.abs() <= SMALL { series(x) } else { exp(x.max(-700.0)) - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside the platform's, which are within a unit of the last place.
    #[test]
    fn exponentials_are_the_platforms() {
        let numbers = (-70_000..70_000).map(|i| f64::from(i) / 1000.0);
        for x in numbers.chain([-700.0, 700.0, 1e-300, -1e-17, 0.35, -0.350001, -690.0]) {
            assert!((exp(x) - x.exp()).abs() <= 4.0 * f64::EPSILON * x.exp(), "{x}");
            let expected = x.exp_m1();
            assert!((exp_m1(x) - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{x}");
        }
        assert_eq!((exp(0.0), exp_m1(0.0), exp_m1(-1e300)), (1.0, 0.0, -1.0));
    }
}
