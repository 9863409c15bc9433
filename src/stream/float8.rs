//! Rounding to the 8-bit floating-point types, in integers. Mirrored by `shaders/lib/float8.wgsl`.

/// The bits of `value`, which is no NaN, rounded to E4M3 without infinities, ties to even; at most
/// 448.
#[inline(always)]
pub(crate) fn f8_e4m3_bits(value: f32) -> u32 {
    f8_bits(value.to_bits(), 3, 121, 0x7e)
}

/// The bits of `value`, which is no NaN, rounded to E5M2, ties to even; at most 57344.
#[inline(always)]
pub(crate) fn f8_e5m2_bits(value: f32) -> u32 {
    f8_bits(value.to_bits(), 2, 113, 0x7b)
}

/// The bits of the f32 with these bits, rounded to a type with `digits` bits of mantissa, whose
/// least normal number has the f32 exponent `least` and whose largest number is `largest`.
#[inline(always)]
fn f8_bits(bits: u32, digits: u32, least: u32, largest: u32) -> u32 {
    let magnitude = bits & 0x7fffffff;
    let exponent = magnitude >> 23;
    let dropped = 23 - digits;
    let normal = over_power(magnitude.wrapping_sub((least - 1) << 23), dropped);
    // A subnormal is an integer times the step of the least normal number. What is below half of
    // it is zero, whatever is dropped beyond 25 bits.
    let significand = magnitude & 0x7fffff | 0x800000;
    let subnormal =
        over_power(significand, dropped.wrapping_add(least - exponent.min(least)).min(25));
    let rounded = if exponent < least { subnormal } else { normal.min(largest) };
    rounded | (bits >> 24 & 0x80)
}

/// `n` over 2^`bits`, rounded to an integer, ties to even.
#[inline(always)]
fn over_power(n: u32, bits: u32) -> u32 {
    n.wrapping_add((1 << (bits - 1)) - 1).wrapping_add(n >> bits & 1) >> bits
}

#[cfg(test)]
mod tests {
    use crate::{Element, F8E4M3, F8E5M2};

    /// Every number of a type, with its bits, and the neighbours of it and of the middle between it
    /// and the next one: by the definition of rounding, not by the bits of f32.
    fn check<T: Element>(from_bits: fn(u8) -> T, round: fn(f32) -> T, largest: u8) {
        let value = |magnitude: u8| f64::from(from_bits(magnitude).widen());
        let nearest = |x: f64| {
            let distance = |bits: u8| (value(bits) - x).abs();
            let best = (0..=largest)
                .min_by(|&a, &b| distance(a).total_cmp(&distance(b)).then((a % 2).cmp(&(b % 2))));
            best.unwrap()
        };
        for magnitude in 0..=largest {
            let own = value(magnitude) as f32;
            let next =
                if magnitude < largest { value(magnitude + 1) } else { f64::from(own) * 2.0 };
            let middle = ((f64::from(own) + next) / 2.0) as f32;
            for x in
                [own, own.next_up(), own.next_down(), middle, middle.next_up(), middle.next_down()]
            {
                for (x, sign) in [(x.abs(), 0), (-x.abs(), 0x80)] {
                    let expected = nearest(f64::from(x.abs())) | sign;
                    assert_eq!(round(x).bits(), u64::from(expected), "{x:e}");
                }
            }
        }
        for x in [1e6, f32::MAX, f32::INFINITY] {
            assert_eq!(
                [round(x).bits(), round(-x).bits()],
                [largest, largest | 0x80].map(u64::from)
            );
        }
        for x in [f32::from_bits(1), f32::MIN_POSITIVE, 1e-30] {
            assert_eq!([round(x).bits(), round(-x).bits()], [0, 0x80]);
        }
    }

    #[test]
    fn numbers_middles_and_neighbours_round_to_nearest_even() {
        check(F8E4M3::from_bits, F8E4M3::round, 0x7e);
        check(F8E5M2::from_bits, F8E5M2::round, 0x7b);
    }

    proptest::proptest! {
        /// A number is on the lattice of its binade: scaling by a power of two makes it an integer.
        #[test]
        fn any_number_is_rounded_on_its_lattice(bits in 0u32..0x7f800000) {
            let x = f64::from(f32::from_bits(bits));
            let rounded = |digits: i32, least: i32, most: f64| {
                let exponent = if x == 0.0 { least } else { (x.log2().floor() as i32).max(least) };
                let step = 2f64.powi(exponent - digits);
                ((x / step).round_ties_even() * step).min(most)
            };
            let x = x as f32;
            proptest::prop_assert_eq!(f64::from(F8E4M3::round(x).to_f32()), rounded(3, -6, 448.0));
            proptest::prop_assert_eq!(f64::from(F8E5M2::round(x).to_f32()), rounded(2, -14, 57344.0));
        }
    }
}
