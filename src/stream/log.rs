//! The natural logarithm in f64 by + - * / alone, so that every machine gives the same bits. Only the
//! host runs it.

/// ln 2 in two parts, the first of so few bits that its products with exponents are exact.
pub(crate) const LN2_HIGH: f64 = f64::from_bits(0x3fe62e42fee00000);
pub(crate) const LN2_LOW: f64 = f64::from_bits(0x3dea39ef35793c76);

/// The natural logarithm of a normal positive number, within a few units of its last place: rounded
/// to f32 it is the nearest but for some in 10^8, where two are as near.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    // x is m 2^e with m from sqrt(1/2) to sqrt(2).
    let above = (bits & 0x000f_ffff_ffff_ffff) > 0x0006_a09e_667f_3bcd;
    let e = (bits >> 52) as i32 - 1023 + i32::from(above);
    let exponent = if above { 0x3fe } else { 0x3ff };
    let m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | exponent << 52);
    // ln m is 2 atanh of this, whose magnitude is at most 0.172: 12 terms are enough.
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for n in (1..12).rev() {
        series = (series + 1.0 / f64::from(2 * n + 1)) * square;
    }
    let e = f64::from(e);
    e * LN2_HIGH + (2.0 * s + (2.0 * s * series + e * LN2_LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of mpmath with 40 digits, rounded to f64.
    #[test]
    fn logarithms_are_those_of_high_precision() {
        for (x, expected) in [
            (1.0, 0.0),
            (2.0, f64::from_bits(0x3fe62e42fefa39ef)),
            (3.0, f64::from_bits(0x3ff193ea7aad030b)),
            (10.0, f64::from_bits(0x40026bb1bbb55516)),
            (0.5, -f64::from_bits(0x3fe62e42fefa39ef)),
            (16.0, f64::from_bits(0x40062e42fefa39ef)),
        ] {
            assert!((ln(x) - expected).abs() <= 2.0 * f64::EPSILON * expected.abs(), "{x}");
            assert_eq!(ln(x) as f32, expected as f32, "{x}");
        }
    }

    /// Beside the platform's, which is within a unit of the last place.
    #[test]
    fn logarithms_are_the_platforms() {
        let near_one = (0..1000).map(|i| 1.0 + (f64::from(i) - 500.0) / 4096.0);
        for x in (1..100_000).map(f64::from).chain(near_one).chain([1e-300, 1e300, 1e-5, 0.1]) {
            assert!((ln(x) - x.ln()).abs() <= 4.0 * f64::EPSILON * x.ln().abs(), "{x}");
            assert_eq!(ln(x) as f32, x.ln() as f32, "{x}");
        }
    }
}
