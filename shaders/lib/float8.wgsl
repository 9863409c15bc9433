// Rounding to the 8-bit floating-point types, in integers. Mirrored by src/stream/float8.rs.

// The bits of `value`, which is no NaN, rounded to E4M3 without infinities, ties to even; at most
// 448. The value is given by its bits.
fn f8_e4m3_bits(value: u32) -> u32 {
    return f8_bits(value, 3u, 121u, 0x7eu);
}

// The bits of `value`, which is no NaN, rounded to E5M2, ties to even; at most 57344. The value is
// given by its bits.
fn f8_e5m2_bits(value: u32) -> u32 {
    return f8_bits(value, 2u, 113u, 0x7bu);
}

// The bits of the f32 with these bits, rounded to a type with `digits` bits of mantissa, whose
// least normal number has the f32 exponent `least` and whose largest number is `largest`.
fn f8_bits(bits: u32, digits: u32, least: u32, largest: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    let exponent = magnitude >> 23u;
    let dropped = 23u - digits;
    let normal = over_power(magnitude - ((least - 1u) << 23u), dropped);
    // A subnormal is an integer times the step of the least normal number. What is below half of
    // it is zero, whatever is dropped beyond 25 bits.
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    let subnormal = over_power(significand, min(dropped + least - min(exponent, least), 25u));
    let rounded = select(min(normal, largest), subnormal, exponent < least);
    return rounded | ((bits >> 24u) & 0x80u);
}

// `n` over 2^`bits`, rounded to an integer, ties to even.
fn over_power(n: u32, bits: u32) -> u32 {
    return (n + ((1u << (bits - 1u)) - 1u) + ((n >> bits) & 1u)) >> bits;
}
