// The element type. Mirrored by `DType` in src/dtype.rs.

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
const F64: u32 = 3u;
const F8_E4M3: u32 = 4u;
const F8_E5M2: u32 = 5u;
override DTYPE: u32 = F32;

// Element `i` of half-width elements, of which two share a word: `word` is word i / 2.
fn half_of_word(word: u32, i: u32) -> u32 {
    return (word >> (16u * (i & 1u))) & 0xffffu;
}

// Element `i` of one-byte elements, of which four share a word: `word` is word i / 4.
fn byte_of_word(word: u32, i: u32) -> u32 {
    return (word >> (8u * (i & 3u))) & 0xffu;
}
