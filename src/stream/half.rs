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
}
