// Random words to values: every float operation of the stream. Twin: src/sample.rs.
//
// Only integers and + - * with each operation rounded by itself, in this order (mul_add.wgsl), so
// that every device gives the same bits. A word is never converted to a float that would have to
// round it.

// A float's mantissa takes random bits as they are, above a one that is taken away again: of the
// high 23 bits of u, and of the 9 low ones and the 1 that is added to them. The two ones together
// are 1 + 2^-9.
const HIGH_BITS: u32 = 0x3f800000u;
const LOW_BITS: u32 = 0x3b000001u;
const BOTH_ONES: f32 = 0x1.008p+0f;

// -log2(m 2^e) = -e + f P(f), where f = m - 1 and m is in [0.59, 1.18).
const RADIUS_SPLIT: u32 = 0x3f170a3du;
const RADIUS_P0: f32 = -0x1.715474p+0f;
const RADIUS_P1: f32 = 0x1.7155ecp-1f;
const RADIUS_P2: f32 = -0x1.ec5adep-2f;
const RADIUS_P3: f32 = 0x1.7064d6p-2f;
const RADIUS_P4: f32 = -0x1.2ffafep-2f;
const RADIUS_P5: f32 = 0x1.f6da76p-3f;
const RADIUS_P6: f32 = -0x1.f22784p-6f;
const RADIUS_P7: f32 = 0x1.32fafp-1f;

// 1/sqrt(1 - h) for |h| < 0.07, which the integer guess at 1/sqrt(s) leaves.
const SQRT_GUESS: u32 = 0x5f375a86u;
const SQRT_Q1: f32 = 0x1.ffff9p-2f;
const SQRT_Q2: f32 = 0x1.80003p-2f;
const SQRT_Q3: f32 = 0x1.417952p-2f;
const SQRT_Q4: f32 = 0x1.189d22p-2f;

// sin(pi/2 t) = t S(t^2) and cos(pi/2 t) = C(t^2) for |t| < 1/2.
const SIN_S0: f32 = 0x1.921fb6p+0f;
const SIN_S1: f32 = -0x1.4abbbap-1f;
const SIN_S2: f32 = 0x1.465e92p-4f;
const SIN_S3: f32 = -0x1.2d9308p-8f;
const COS_C1: f32 = -0x1.3bd39cp+0f;
const COS_C2: f32 = 0x1.03b09p-2f;
const COS_C3: f32 = -0x1.4e844ap-6f;

// Uniform on (-2^24, 2^24): an odd number, symmetric, ends open. Bits 8 to 31 of the word.
fn uniform_signed(word: u32) -> f32 {
    return f32(2 * i32(word >> 8u) + 1 - 0x1000000);
}

// -log2 u with u = (2^9 (word mod 2^23) + floor(word / 2^23) + 1) 2^-32, in (0, 1]: every bit of
// the word counts.
fn neg_log2(word: u32) -> f32 {
    // Both are exact, and u is their sum; rounded, it only says which octave u is in.
    let high = opaque(bitcast<f32>(HIGH_BITS | (word & 0x7fffffu)) - BOTH_ONES);
    let low = bitcast<f32>(LOW_BITS + (word >> 23u));
    let exponent = (bitcast<u32>(high + low) - RADIUS_SPLIT) & 0xff800000u;
    // u 2^-e - 1: products and the first sum are exact, whether or not they are fused. Not by the
    // same function twice: Mesa takes the factor out of two fma in one another.
    let inverse = bitcast<f32>(0x3f800000u - exponent);
    let f = exact_mul_add(low, inverse, opaque(high * inverse - 1.0f));
    var p = mul_add(RADIUS_P7, f, RADIUS_P6);
    p = mul_add(p, f, RADIUS_P5);
    p = mul_add(p, f, RADIUS_P4);
    p = mul_add(p, f, RADIUS_P3);
    p = mul_add(p, f, RADIUS_P2);
    p = mul_add(p, f, RADIUS_P1);
    p = mul_add(p, f, RADIUS_P0);
    // With e 2^23 in the place of e, which is a float, too, as is the product.
    return exact_mul_add(f32(bitcast<i32>(exponent)), -0x1p-23f, opaque(p * f));
}

// The square root of 0 or of what is not smaller than 2^-32.
fn root(s: f32) -> f32 {
    let guess = bitcast<f32>(SQRT_GUESS - (bitcast<u32>(s) >> 1u));
    let w = opaque(s * guess);
    let h = mul_add(-w, guess, 1.0f);
    var q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    return mul_add(w, opaque(q * h), w);
}

// A point on the unit circle, cosine first. With t = (word mod 2^23 with bit 0 set) 2^-23 - 1/2,
// between -1/2 and 1/2, it is (cos, sin)(pi/2 t), with the cosine negated if bit 31 is set, and the
// two exchanged if bit 30 is.
fn circle(word: u32) -> vec2<f32> {
    let t = bitcast<f32>(0x3f800001u | (word & 0x7ffffeu)) - 1.5f;
    let t2 = opaque(t * t);
    var s = mul_add(SIN_S3, t2, SIN_S2);
    s = mul_add(s, t2, SIN_S1);
    s = mul_add(s, t2, SIN_S0);
    let sine = opaque(s * t);
    var c = mul_add(COS_C3, t2, COS_C2);
    c = mul_add(c, t2, COS_C1);
    c = mul_add(c, t2, 1.0f);
    let cosine = bitcast<f32>(bitcast<u32>(c) ^ (word & 0x80000000u));
    let exchange = bitcast<i32>(word << 1u) < 0;
    return vec2<f32>(select(cosine, sine, exchange), select(sine, cosine, exchange));
}

// `neg_log2` and an angle to two independent normals (Box-Muller 1958), mean 0 and standard
// deviation `scale` / sqrt(2 ln 2).
fn on_circle(octaves: f32, angle_word: u32) -> vec2<f32> {
    let r = opaque(root(octaves) * params.scale);
    let point = circle(angle_word);
    return vec2<f32>(r * point.x, r * point.y);
}

fn normal_pair(radius_word: u32, angle_word: u32) -> vec2<f32> {
    return on_circle(neg_log2(radius_word), angle_word);
}

fn normal4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(normal_pair(words.x, words.y), normal_pair(words.z, words.w));
}

// Normals that get another mean.
fn shifted4(values: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        add_product(values.x, params.shift),
        add_product(values.y, params.shift),
        add_product(values.z, params.shift),
        add_product(values.w, params.shift),
    );
}

fn uniform1(word: u32) -> f32 {
    return mul_add(uniform_signed(word), params.scale, params.shift);
}

fn uniform4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(uniform1(words.x), uniform1(words.y), uniform1(words.z), uniform1(words.w));
}

// The bits of `value` rounded to bf16, to nearest even. No NaN comes here.
fn bf16_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The bits of `value` rounded to f16, to nearest even. No NaN comes here.
fn f16_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    // Below 2^-14 the step of f16 is 2^-24, that of a float in [1/2, 1): adding 1/2 rounds there.
    let subnormal = bitcast<u32>(add_product(bitcast<f32>(magnitude), 0.5f)) - 0x3f000000u;
    let normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
    let rounded = select(min(normal, 0x7c00u), subnormal, magnitude < 0x38800000u);
    return rounded | ((bits >> 16u) & 0x8000u);
}
