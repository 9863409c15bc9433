// Philox4x32-10 (Salmon et al. 2011, Random123). Mirrored by src/stream/philox.rs. Expects mul_wide.
// The rounds are unrolled because wgpu adds a guard against endless loops to a loop.

const PHILOX_M0: u32 = 0xd2511f53u;
const PHILOX_M1: u32 = 0xcd9e8d57u;

fn philox4x32_round(c: vec4<u32>, k: vec2<u32>) -> vec4<u32> {
    let p0 = mul_wide(PHILOX_M0, c.x);
    let p1 = mul_wide(PHILOX_M1, c.z);
    return vec4<u32>(p1.y ^ c.y ^ k.x, p1.x, p0.y ^ c.w ^ k.y, p0.x);
}

// `keys` has the keys of two rounds in each entry. They depend on the seed alone, so the host
// computes them: the key of round r, from 0, is the seed's low word + r 0x9e3779b9, then its high
// word + r 0xbb67ae85, mod 2^32.
fn philox4x32(counter: vec4<u32>, keys: array<vec4<u32>, 5>) -> vec4<u32> {
    return philox4x32_by(mul_wide(PHILOX_M0, counter.x), counter, keys);
}

// The same from PHILOX_M0 times the counter's first word, which is not read.
fn philox4x32_by(p0: vec2<u32>, counter: vec4<u32>, keys: array<vec4<u32>, 5>) -> vec4<u32> {
    let p1 = mul_wide(PHILOX_M1, counter.z);
    var c = vec4<u32>(
        p1.y ^ counter.y ^ keys[0].x, p1.x,
        p0.y ^ counter.w ^ keys[0].y, p0.x,
    );
    c = philox4x32_round(c, keys[0].zw);
    c = philox4x32_round(c, keys[1].xy);
    c = philox4x32_round(c, keys[1].zw);
    c = philox4x32_round(c, keys[2].xy);
    c = philox4x32_round(c, keys[2].zw);
    c = philox4x32_round(c, keys[3].xy);
    c = philox4x32_round(c, keys[3].zw);
    c = philox4x32_round(c, keys[4].xy);
    c = philox4x32_round(c, keys[4].zw);
    return c;
}
