// 64-bit numbers as (low, high): WebGPU has no 64-bit integers.

// The product of two words, from 16-bit limbs. All products are of limbs, since many devices
// multiply 16 bits faster than 32.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let p00 = a0 * b0;
    let p01 = a0 * b1;
    // Neither sum can overflow: (2^16 - 1)^2 + 2 (2^16 - 1) = 2^32 - 1.
    let middle = a1 * b0 + (p00 >> 16u);
    let carry = (middle & 0xffffu) + p01;
    return vec2<u32>((carry << 16u) | (p00 & 0xffffu), a1 * b1 + (middle >> 16u) + (carry >> 16u));
}

fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < a.x));
}
