// A word to a value of a truncated normal, by a table of its quantiles. Mirrored by
// src/stream/truncated.rs.

// Cubics for each end of the distribution: 32 binades of 8 segments, and the median.
const SIDE: u32 = 257u;
// Exponent and segment bits of x = 1.
const SEGMENT_ONE: u32 = 0x3f8u;

// The cubic of a word, counted from its table's start, and the position t in [0, 1) in its segment.
struct Segment {
    index: u32,
    t: f32,
}

// x 2^-33 is the probability from the lower end of the distribution, or if bit 31 is set from the
// upper end, where x is the odd number 2 (word mod 2^31) + 1 as f32. Its binade and the eighth of
// it choose the segment.
fn segment(word: u32) -> Segment {
    let odd = (word << 1u) | 1u;
    // The only addition that rounds: both terms are exact.
    let x = f32(i32(odd >> 8u)) * 256.0f + f32(i32(odd & 0xffu));
    let bits = bitcast<u32>(x);
    let upper = select(0u, SIDE, (word & 0x80000000u) != 0u);
    let t = bitcast<f32>(((bits & 0xfffffu) << 3u) | 0x3f800000u) - 1.0f;
    return Segment((bits >> 20u) - SEGMENT_ONE + upper, t);
}

// The cubic at t, clamped to the bounds of the element type.
fn cubic(low: f32, high: f32, entry: vec4<f32>, t: f32) -> f32 {
    var value = mul_add(entry.w, t, entry.z);
    value = mul_add(value, t, entry.y);
    value = mul_add(value, t, entry.x);
    value = select(value, low, value < low);
    return select(value, high, value > high);
}

// `table` is the index of the table's first cubic.
fn truncated1(table: u32, low: f32, high: f32, word: u32) -> f32 {
    let at = segment(word);
    return cubic(low, high, tables[table + at.index], at.t);
}

fn truncated4(table: u32, low: f32, high: f32, words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(
        truncated1(table, low, high, words.x),
        truncated1(table, low, high, words.y),
        truncated1(table, low, high, words.z),
        truncated1(table, low, high, words.w),
    );
}
