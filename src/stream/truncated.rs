//! A word to a value of a truncated normal, by a table of its quantiles. Twin:
//! `shaders/truncated.wgsl`.
//!
//! The table is made on the host in f64 (`src/stream/quantile.rs`); here it is only looked up.

use crate::stream::guards::mul_add;

/// Entries of one end of the distribution: 32 octaves of 8, and the median.
pub(crate) const SIDE: usize = 257;
/// What `x` has above its octave and segment at 1.
pub(crate) const SEGMENT_ONE: u32 = 0x3f8;

/// Cubics in rising powers: those from the lower end of the distribution, then those from the upper
/// one.
pub(crate) type Table = [[f32; 4]; 2 * SIDE];

/// Where a word looks: the entry, and t in [0, 1) within its segment. `x` 2^-33 is the probability
/// from the lower end of the distribution, or from the upper one by bit 31; it is the odd number 2
/// (word mod 2^31) + 1 as f32. Its octave and the eighth of it choose the entry.
#[inline(always)]
pub(crate) fn segment(word: u32) -> (u32, f32) {
    let odd = word << 1 | 1;
    // The one addition that rounds; both its terms are exact.
    let x = (odd >> 8) as i32 as f32 * 256.0 + (odd & 0xff) as i32 as f32;
    let bits = x.to_bits();
    let upper = if word & 0x80000000 != 0 { SIDE as u32 } else { 0 };
    let t = f32::from_bits((bits & 0xfffff) << 3 | 0x3f800000) - 1.0;
    ((bits >> 20).wrapping_sub(SEGMENT_ONE).wrapping_add(upper), t)
}

/// The cubic at t, kept within the bounds of the element type.
#[inline(always)]
pub(crate) fn cubic(low: f32, high: f32, entry: [f32; 4], t: f32) -> f32 {
    let mut value = mul_add(entry[3], t, entry[2]);
    value = mul_add(value, t, entry[1]);
    value = mul_add(value, t, entry[0]);
    value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// The entry, which is never beyond the last; this way the compiler knows too.
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
