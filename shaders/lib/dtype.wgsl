// The element type. Mirrored by `DType` in src/dtype.rs.

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
override DTYPE: u32 = F32;

// Element `i` of half-width elements, of which two share a word: `word` is word i / 2.
fn half_of_word(word: u32, i: u32) -> u32 {
    return (word >> (16u * (i & 1u))) & 0xffffu;
}
