//! Exponentials in f64 by + - * / alone, so that every machine gives the same bits. Only the host
//! runs them.

use crate::stream::log::{LN2_HIGH, LN2_LOW};

/// 1 / n! for n from 0.
const INVERSE_FACTORIALS: [f64; 14] = {
    let (mut inverses, mut factorial, mut n) = ([1.0; 14], 1.0, 1);
    while n < 14 {
        factorial *= n as f64;
        inverses[n] = 1.0 / factorial;
        n += 1;
    }
    inverses
};

/// e^x for x from -700 to 700, to about one in the last digit: 2^k e^r with |r| at most ln(2) / 2, by
/// Taylor's series.
pub(crate) fn exp(x: f64) -> f64 {
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let series = INVERSE_FACTORIALS.iter().rev().fold(0.0, |sum, inverse| inverse + r * sum);
    series * f64::from_bits(((1023 + k as i64) as u64) << 52)
}

/// exp(x) - 1 of a number up to 700, which is accurate near 0 too.
pub(crate) fn exp_m1(x: f64) -> f64 {
    if x.abs() > 0.35 {
        return exp(x.max(-700.0)) - 1.0;
    }
    let terms = INVERSE_FACTORIALS[1..].iter().rev();
    terms.fold(0.0, |sum, inverse| inverse + x * sum) * x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside the platform's, which are within a unit of the last place.
    #[test]
    fn exponentials_are_the_platforms() {
        let numbers = (-700_000..=700_000).map(|i| f64::from(i) / 1000.0);
        for x in numbers.chain([1e-300, -1e-17, -0.350001]) {
            assert!((exp(x) / x.exp() - 1.0).abs() <= 4.5e-16, "{x}");
            let expected = x.exp_m1();
            assert!((exp_m1(x) - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{x}");
        }
        assert_eq!([exp(0.0), exp(-0.0)], [1.0, 1.0]);
        assert_eq!([exp_m1(0.0), exp_m1(-1e300)], [0.0, -1.0]);
    }
}
