//! A word to a value of a truncated normal, by a table of its quantiles. Mirrored by
//! `shaders/lib/truncated.wgsl`.
//!
//! The host computes the table in f64 (`src/stream/quantile.rs`); here it is only looked up.

use crate::stream::guards::mul_add;

/// Cubics for each end of the distribution: 32 binades of 8 segments, and the median.
pub(crate) const SIDE: usize = 257;
/// Exponent and segment bits of x = 1.
pub(crate) const SEGMENT_ONE: u32 = 0x3f8;

/// Coefficients in rising powers. The cubics go from the lower end of the distribution to its
/// median, then from the upper end.
pub(crate) type Table = [[f32; 4]; 2 * SIDE];

/// The cubic of a word and the position t in [0, 1) in its segment.
///
/// x 2^-33 is the probability from the lower end of the distribution, or if bit 31 is set from the
/// upper end, where x is the odd number 2 (word mod 2^31) + 1 as f32. Its binade and the eighth of
/// it choose the segment.
#[inline(always)]
pub(crate) fn segment(word: u32) -> (u32, f32) {
    let odd = word << 1 | 1;
    // The only addition that rounds: both terms are exact.
    let x = (odd >> 8) as i32 as f32 * 256.0 + (odd & 0xff) as i32 as f32;
    let bits = x.to_bits();
    let upper = if word & 0x80000000 != 0 { SIDE as u32 } else { 0 };
    let t = f32::from_bits((bits & 0xfffff) << 3 | 0x3f800000) - 1.0;
    ((bits >> 20).wrapping_sub(SEGMENT_ONE).wrapping_add(upper), t)
}

/// The cubic at t, clamped to the bounds of the element type.
#[inline(always)]
pub(crate) fn cubic(low: f32, high: f32, entry: [f32; 4], t: f32) -> f32 {
    let mut value = mul_add(entry[3], t, entry[2]);
    value = mul_add(value, t, entry[1]);
    value = mul_add(value, t, entry[0]);
    value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// A cubic of the table. No index is beyond the last: `min` only lets the compiler know.
#[inline(always)]
pub(crate) fn entry(table: &Table, index: u32) -> [f32; 4] {
    table[index.min(2 * SIDE as u32 - 1) as usize]
}

#[inline(always)]
pub(crate) fn truncated1(table: &Table, low: f32, high: f32, word: u32) -> f32 {
    let (index, t) = segment(word);
    cubic(low, high, entry(table, index), t)
}

#[inline(always)]
pub(crate) fn truncated4(table: &Table, low: f32, high: f32, words: [u32; 4]) -> [f32; 4] {
    words.map(|word| truncated1(table, low, high, word))
}
