// pack.wgsl by float instructions, for devices that prove to round to nearest, ties to even. No value
// may be 2^111 or more. Expects exact_mul_add and opaque.

// `value` rounded to bf16, as f32. `rest` is value (2^16 - 1), rounded to a step of 2^16 times that
// of `value`: what it lacks to value 2^16 is `value` rounded to that step, which is bf16's. Its
// step is never half of that, nor is a tie rounded otherwise, nor a zero's sign lost: see the test
// in src/stream/half.rs.
fn bf16_value(value: f32) -> f32 {
    let rest = opaque(exact_mul_add(value, 65536.0f, -value));
    return exact_mul_add(value, 65536.0f, -rest);
}

fn pack(a: f32, b: f32) -> u32 {
    if DTYPE == F16 {
        return pack2x16float(vec2<f32>(a, b));
    }
    // One instruction where the sum is none of bits.
    return (bitcast<u32>(bf16_value(a)) >> 16u) + bitcast<u32>(bf16_value(b));
}
