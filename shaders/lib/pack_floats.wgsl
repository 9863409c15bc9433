// pack.wgsl by float instructions, for devices that prove to round to nearest, ties to even. No value
// may be 2^111 or more. Expects exact_mul_add and opaque.

// `value` rounded to bf16, as f32. A step of `rest` is 2^16 steps of `value`, which is one of bf16:
// rounded to it, value (2^16 - 1) is as far from value 2^16 as `value` rounded to it. Where its step
// is half as long, just above a power of two, that rounds the same; ties stay even, and zeros keep
// their sign: a test in src/stream/half.rs tries every mantissa.
fn bf16_value(value: f32) -> f32 {
    let rest = opaque(exact_mul_add(value, 65536.0f, -value));
    return exact_mul_add(value, 65536.0f, -rest);
}

fn pack(a: f32, b: f32) -> u32 {
    if DTYPE == F16 {
        return pack2x16float(vec2<f32>(a, b));
    }
    // The low half is zero: a sum, which takes a shifted operand where `|` does not.
    return (bitcast<u32>(bf16_value(a)) >> 16u) + bitcast<u32>(bf16_value(b));
}
