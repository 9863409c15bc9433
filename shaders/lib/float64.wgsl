// F32 to F64 and back, in integers. Mirrored by src/stream/float64.rs.

// The bits of the F64 with the value of an F32 of these bits, which is finite: low word, high word.
fn f64_words(bits: u32) -> vec2<u32> {
    let magnitude = bits & 0x7fffffffu;
    // A subnormal number is a normal one of F64.
    let shift = select(0u, (countLeadingZeros(magnitude) - 8u) & 31u, magnitude < 0x800000u);
    let normal = magnitude << shift;
    // Exponents are 1023 - 127 apart.
    let high = select((normal >> 3u) + ((896u - shift) << 20u), 0u, magnitude == 0u);
    return vec2<u32>(normal << 29u, (bits & 0x80000000u) | high);
}

// The bits of the F32 that is nearest to an F64, ties to even. Finite values stay finite, and those
// below the least normal number become zero.
fn f32_bits(words: vec2<u32>) -> u32 {
    let sign = words.y & 0x80000000u;
    let magnitude = words.y & 0x7fffffffu;
    if magnitude >= 0x7ff00000u {
        let is_nan = magnitude > 0x7ff00000u || words.x != 0u;
        return sign | select(0x7f800000u, 0x7fc00000u, is_nan);
    }
    if magnitude < (897u << 20u) {
        return sign;
    }
    // 2^128 and more, which would wrap.
    if magnitude >= (1151u << 20u) {
        return sign | 0x7f7fffffu;
    }
    let kept = ((magnitude - (896u << 20u)) << 3u) | (words.x >> 29u);
    let dropped = words.x & 0x1fffffffu;
    let up = dropped > 0x10000000u || (dropped == 0x10000000u && (kept & 1u) == 1u);
    return sign | min(kept + u32(up), 0x7f7fffffu);
}
