//! F32 to F64 and back, in integers. Mirrored by `shaders/lib/float64.wgsl`.

/// The bits of the F64 with the value of an F32 of these bits, which is finite: low word, high
/// word.
#[inline(always)]
pub(crate) fn f64_words(bits: u32) -> [u32; 2] {
    let magnitude = bits & 0x7fffffff;
    // A subnormal number is a normal one of F64.
    let shift = if magnitude < 0x800000 { magnitude.leading_zeros() - 8 } else { 0 };
    let normal = magnitude.wrapping_shl(shift);
    // Exponents are 1023 - 127 apart.
    let high = if magnitude == 0 { 0 } else { (normal >> 3) + ((896 - shift) << 20) };
    [normal << 29, bits & 0x80000000 | high]
}

/// The bits of the F32 that is nearest to an F64, ties to even. Finite values stay finite, and those
/// below the least normal number become zero.
#[inline(always)]
pub(crate) fn f32_bits([low, high]: [u32; 2]) -> u32 {
    let sign = high & 0x80000000;
    let magnitude = high & 0x7fffffff;
    if magnitude >= 0x7ff00000 {
        let is_nan = magnitude > 0x7ff00000 || low != 0;
        return sign | if is_nan { 0x7fc00000 } else { 0x7f800000 };
    }
    if magnitude < 897 << 20 {
        return sign;
    }
    // 2^128 and more, which would wrap.
    if magnitude >= 1151 << 20 {
        return sign | 0x7f7fffff;
    }
    let kept = (magnitude - (896 << 20)) << 3 | low >> 29;
    let dropped = low & 0x1fffffff;
    let up = dropped > 0x10000000 || (dropped == 0x10000000 && kept & 1 == 1);
    sign | (kept + u32::from(up)).min(0x7f7fffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::philox::words;

    fn f64_of([low, high]: [u32; 2]) -> f64 {
        f64::from_bits(u64::from(high) << 32 | u64::from(low))
    }

    #[test]
    fn f32_values_are_exact() {
        let edges = [0, 1, 0x7fffff, 0x800000, 0x800001, 0x7f7fffff];
        for magnitude in (0..0x7f800000u32).step_by(1009).chain(edges) {
            for bits in [magnitude, magnitude | 1 << 31] {
                let value = f64::from(f32::from_bits(bits));
                assert_eq!(f64_of(f64_words(bits)).to_bits(), value.to_bits());
                let normal = if magnitude < 0x800000 { bits & 1 << 31 } else { bits };
                assert_eq!(f32_bits(words(value.to_bits())), normal);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn f64_values_are_rounded_as_rust_does(bits: u64, near in 0u64..8, exponent in 896u64..1152) {
            // Any number, and those around the middle between two of F32.
            let middle = exponent << 52 | (bits & 0x000f_ffff_e000_0000) | (0x1000_0000 + near - 4);
            for value in [bits, middle, middle | 1 << 63].map(f64::from_bits) {
                let rounded = value as f32;
                let expected = if rounded.is_nan() {
                    0x7fc00000 | (value.to_bits() >> 32) as u32 & 0x80000000
                } else if rounded.is_infinite() && value.is_finite() {
                    f32::MAX.copysign(rounded).to_bits()
                } else if value.abs() < f32::MIN_POSITIVE.into() {
                    0f32.copysign(rounded).to_bits()
                } else {
                    rounded.to_bits()
                };
                proptest::prop_assert_eq!(f32_bits(words(value.to_bits())), expected, "{:e}", value);
            }
        }
    }
}
