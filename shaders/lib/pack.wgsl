// Pairs of half-width elements, rounded in integers. Expects half.wgsl.

// Two values, rounded to a half-width element type, in a word: the first in the low half.
fn pack(a: f32, b: f32) -> u32 {
    // By value_bits it takes 7 more instructions for 16 BF16 elements on RDNA 2.
    if DTYPE == F16 {
        return f16_bits(a) | (f16_bits(b) << 16u);
    }
    return bf16_bits(a) | (bf16_bits(b) << 16u);
}
