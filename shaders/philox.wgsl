// Philox4x32-10 and Philox2x32-10 (Salmon et al. 2011, Random123). Twin: src/philox.rs.
// Expects mul_wide(a, b) -> (low, high). The rounds are written out because a loop would get a guard.

const PHILOX_M0: u32 = 0xd2511f53u;
const PHILOX_M1: u32 = 0xcd9e8d57u;
const PHILOX_W0: u32 = 0x9e3779b9u;
const PHILOX_W1: u32 = 0xbb67ae85u;
const PHILOX2_M: u32 = 0xd256d193u;

fn philox4x32_round(c: vec4<u32>, k: vec2<u32>) -> vec4<u32> {
    let p0 = mul_wide(PHILOX_M0, c.x);
    let p1 = mul_wide(PHILOX_M1, c.z);
    return vec4<u32>(p1.y ^ c.y ^ k.x, p1.x, p0.y ^ c.w ^ k.y, p0.x);
}

fn philox4x32(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let w = vec2<u32>(PHILOX_W0, PHILOX_W1);
    var c = counter;
    var k = key;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    k += w;
    c = philox4x32_round(c, k);
    return c;
}

fn philox2x32_round(c: vec2<u32>, k: u32) -> vec2<u32> {
    let p = mul_wide(PHILOX2_M, c.x);
    return vec2<u32>(p.y ^ k ^ c.y, p.x);
}

fn philox2x32(counter: vec2<u32>, key: u32) -> vec2<u32> {
    var c = counter;
    var k = key;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    k += PHILOX_W0;
    c = philox2x32_round(c, k);
    return c;
}
