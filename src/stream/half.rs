//! Rounding to the half-width element types. Mirrored by `shaders/lib/half.wgsl`; a test shows that
//! `shaders/lib/pack_floats.wgsl` rounds as this does.

use crate::stream::guards::add_product;

/// The bits of `value`, which is no NaN, rounded to bf16, ties to even.
#[inline(always)]
pub(crate) fn bf16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16
}

/// The bits of `value`, which is no NaN, rounded to f16, ties to even.
#[inline(always)]
pub(crate) fn f16_bits(value: f32) -> u32 {
    let bits = value.to_bits();
    let magnitude = bits & 0x7fffffff;
    // Below 2^-14 the spacing of f16 is 2^-24, as that of f32 in [1/2, 1): adding 1/2 rounds there.
    let subnormal = add_product(f32::from_bits(magnitude), 0.5).to_bits().wrapping_sub(0x3f000000);
    let normal =
        magnitude.wrapping_sub(0x38000000).wrapping_add(0xfff + (magnitude >> 13 & 1)) >> 13;
    let rounded = if magnitude < 0x38800000 { subnormal } else { normal.min(0x7c00) };
    rounded | (bits >> 16 & 0x8000)
}

/// The value of an f16 of these bits, exactly, in `shaders/reduce/stats.wgsl` by its bits.
#[inline(always)]
pub(crate) fn f16_value(half: u32) -> f32 {
    let (sign, magnitude) = ((half & 0x8000) << 16, half & 0x7fff);
    let normal = (magnitude << 13) + 0x38000000;
    // A subnormal is an integer below 2^10 times 2^-24.
    let subnormal = (magnitude as i32 as f32 * f32::from_bits(0x33800000)).to_bits();
    // Infinity and NaN.
    let beyond = 0x7f800000 | (magnitude & 0x3ff) << 13;
    let bits = if magnitude < 0x400 { subnormal } else { normal };
    f32::from_bits(sign | if magnitude >= 0x7c00 { beyond } else { bits })
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    /// `bf16_value` of `shaders/lib/pack_floats.wgsl`, fused or not: every mantissa, with exponents
    /// from the least to the largest that it is for, and the zeros.
    #[test]
    fn floats_round_to_bf16() {
        const FACTOR: f32 = 65536.0;
        let rest = |value: f32| value * FACTOR - value;
        let plain = |value: f32| value * FACTOR - rest(value);
        let fused = |value: f32| value.mul_add(FACTOR, -value.mul_add(FACTOR, -value));
        let exponents = [1u32, 2, 64, 126, 127, 237];
        let normal = exponents.iter().flat_map(|e| e << 23..(e + 1) << 23);
        for bits in normal.chain([0]).flat_map(|magnitude| [magnitude, magnitude | 1 << 31]) {
            let value = f32::from_bits(bits);
            let expected = bf16_bits(value) << 16;
            assert_eq!(plain(value).to_bits(), expected, "{value:e}");
            assert_eq!(fused(value).to_bits(), expected, "{value:e}, fused");
        }
    }

    /// Every f32 in steps, and every value near where the rounding changes.
    #[test]
    fn half_types_round_to_nearest_even() {
        let magnitudes = (0..0x7f800000u32).step_by(1009).chain((0..0x7f8u32).flat_map(|top| {
            (0..16).flat_map(move |i| {
                [(top << 20) + i, (top << 20 | 0xfffff) - i, (top << 20 | 0x80000) - i]
            })
        }));
        for bits in magnitudes.flat_map(|magnitude| [magnitude, magnitude | 1 << 31]) {
            let value = f32::from_bits(bits);
            assert_eq!(f16_bits(value), f16::from_f32(value).to_bits().into(), "{value:e} to f16");
            assert_eq!(
                bf16_bits(value),
                bf16::from_f32(value).to_bits().into(),
                "{value:e} to bf16"
            );
        }
    }

    #[test]
    fn every_f16_has_its_value() {
        for bits in 0..=u16::MAX {
            let (ours, half) = (f16_value(bits.into()), f16::from_bits(bits).to_f32());
            assert!(ours == half || ours.is_nan() && half.is_nan(), "{bits:04x}");
            assert_eq!(ours.is_sign_negative(), half.is_sign_negative(), "{bits:04x}");
        }
    }
}
