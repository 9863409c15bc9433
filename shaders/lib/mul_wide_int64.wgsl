// 64-bit numbers as (low, high), on devices with 64-bit integers in shaders.

// The product of two words.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let product = u64(a) * u64(b);
    return vec2<u32>(u32(product), u32(product >> 32u));
}

fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let sum = (u64(a.x) | (u64(a.y) << 32u)) + (u64(b.x) | (u64(b.y) << 32u));
    return vec2<u32>(u32(sum), u32(sum >> 32u));
}
