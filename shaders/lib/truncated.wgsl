// A word to a value of a truncated normal, by a table of its quantiles. Twin: src/truncated.rs.

// Entries of one end of the distribution: 32 octaves of 8, and the median.
const SIDE: u32 = 257u;
// What `x` has above its octave and segment at 1.
const SEGMENT_ONE: u32 = 0x3f8u;

// Cubics in rising powers: those from the lower end of the distribution, then those from the upper
// one.
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;

// Where the distribution's own table starts, if there are several.
var<private> table_start: u32;

// Where a word looks.
struct Segment {
    index: u32,
    t: f32,     // in [0, 1) within it
}

// `x` 2^-33 is the probability from the lower end of the distribution, or from the upper one by bit
// 31; it is the odd number 2 (word mod 2^31) + 1 as f32. Its octave and the eighth of it choose the
// entry.
fn segment(word: u32) -> Segment {
    let odd = (word << 1u) | 1u;
    // The one addition that rounds; both its terms are exact.
    let x = f32(i32(odd >> 8u)) * 256.0f + f32(i32(odd & 0xffu));
    let bits = bitcast<u32>(x);
    let upper = select(0u, SIDE, (word & 0x80000000u) != 0u);
    let t = bitcast<f32>(((bits & 0xfffffu) << 3u) | 0x3f800000u) - 1.0f;
    return Segment((bits >> 20u) - SEGMENT_ONE + upper, t);
}

// The cubic at t, kept within the bounds of the element type.
fn cubic(entry: vec4<f32>, t: f32) -> f32 {
    var value = mul_add(entry.w, t, entry.z);
    value = mul_add(value, t, entry.y);
    value = mul_add(value, t, entry.x);
    value = select(value, params.low, value < params.low);
    return select(value, params.high, value > params.high);
}

fn truncated1(word: u32) -> f32 {
    let at = segment(word);
    return cubic(table[table_start + at.index], at.t);
}

fn truncated4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(truncated1(words.x), truncated1(words.y), truncated1(words.z), truncated1(words.w));
}
