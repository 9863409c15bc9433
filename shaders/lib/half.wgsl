// Rounding to the half-width element types. Mirrored by src/stream/half.rs. Expects add_product.

// The bits of `value`, which is no NaN, rounded to bf16, ties to even.
fn bf16_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The bits of `value`, which is no NaN, rounded to f16, ties to even.
fn f16_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    // Below 2^-14 the spacing of f16 is 2^-24, as that of f32 in [1/2, 1): adding 1/2 rounds there.
    let subnormal = bitcast<u32>(add_product(bitcast<f32>(magnitude), 0.5f)) - 0x3f000000u;
    let normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
    let rounded = select(min(normal, 0x7c00u), subnormal, magnitude < 0x38800000u);
    return rounded | ((bits >> 16u) & 0x8000u);
}

// The bits of `value` rounded to the element type.
fn value_bits(value: f32) -> u32 {
    if DTYPE == F16 {
        return f16_bits(value);
    }
    if DTYPE == BF16 {
        return bf16_bits(value);
    }
    return bitcast<u32>(value);
}
