// How two elements of a half type share a word.

// Two values as the halves of a word, the first one low.
fn pack(a: f32, b: f32) -> u32 {
    if DTYPE == F16 {
        return f16_bits(a) | (f16_bits(b) << 16u);
    }
    return bf16_bits(a) | (bf16_bits(b) << 16u);
}
