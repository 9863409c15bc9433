// Random words to values: every float operation of the stream. Mirrored by src/stream/sample.rs.
//
// Only integer operations and + - * on floats, each rounded by itself in this order (mul_add.wgsl),
// so that every device computes the same bits. One integer is rounded when it becomes a float: GPUs
// round it as they round sums.

// Random bits become the mantissa of a float, whose leading one is subtracted afterwards: the high
// 23 bits of u, and its 9 low bits with the 1 that is added to them. The leading ones sum to 1 +
// 2^-9.
const HIGH_BITS: u32 = 0x3f800000u;
const LOW_BITS: u32 = 0x3b000001u;
const BOTH_ONES: f32 = 0x1.008p+0f;

// The same bits. An entry point hides them from the compiler: NVIDIA's GPUs mask a word's bits and
// set others in one instruction if it has only one constant.
var<private> high_bits: u32 = HIGH_BITS;

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

// 1/sqrt(1 - h) for |h| < 0.07, the error of the integer guess at 1/sqrt(s).
const SQRT_GUESS: u32 = 0x5f375a86u;
const SQRT_Q1: f32 = 0x1.ffff9p-2f;
const SQRT_Q2: f32 = 0x1.80003p-2f;
const SQRT_Q3: f32 = 0x1.417952p-2f;
const SQRT_Q4: f32 = 0x1.189d22p-2f;

// sin(pi/2 t) = t S(t^2) and cos(pi/2 t) = C(t^2) for |t| <= 1/2.
const SIN_S0: f32 = 0x1.921fb6p+0f;
const SIN_S1: f32 = -0x1.4abbbap-1f;
const SIN_S2: f32 = 0x1.465e92p-4f;
const SIN_S3: f32 = -0x1.2d9308p-8f;
const COS_C1: f32 = -0x1.3bd39cp+0f;
const COS_C2: f32 = 0x1.03b09p-2f;
const COS_C3: f32 = -0x1.4e844ap-6f;

// Spread and mean of values.
struct Scaling {
    scale: f32,  // standard deviation times sqrt(2 ln 2); of uniforms, bound times 2^-24
    shift: f32,
}

// Uniform on the odd numbers in (-2^24, 2^24), by bits 8 to 31 of the word: symmetric, never 0,
// spacing 2.
fn uniform_signed(word: u32) -> f32 {
    return f32(2 * i32(word >> 8u) + 1 - 0x1000000);
}

// -log2 u with u = (2^9 (word mod 2^23) + floor(word / 2^23) + 1) 2^-32, in (0, 1], which
// every bit of the word decides.
fn neg_log2(word: u32) -> f32 {
    // Both are exact and u is their sum, which is rounded only to find the binade of u.
    let high = opaque(bitcast<f32>(high_bits | (word & 0x7fffffu)) - BOTH_ONES);
    let low = bitcast<f32>(LOW_BITS + (word >> 23u));
    let exponent = (bitcast<u32>(high + low) - RADIUS_SPLIT) & 0xff800000u;
    // u 2^-e - 1: products and the first sum are exact, fused or not. Not two nested
    // exact_mul_add: Mesa factors `inverse` out of nested fma.
    let inverse = bitcast<f32>(0x3f800000u - exponent);
    let f = exact_mul_add(low, inverse, opaque(high * inverse - 1.0f));
    var p = mul_add(RADIUS_P7, f, RADIUS_P6);
    p = mul_add(p, f, RADIUS_P5);
    p = mul_add(p, f, RADIUS_P4);
    p = mul_add(p, f, RADIUS_P3);
    p = mul_add(p, f, RADIUS_P2);
    p = mul_add(p, f, RADIUS_P1);
    p = mul_add(p, f, RADIUS_P0);
    // `exponent` is e 2^23, which is a float exactly, and so is its product with -2^-23.
    return exact_mul_add(f32(bitcast<i32>(exponent)), -0x1p-23f, opaque(p * f));
}

// The square root of s, which is 0 or at least 2^-32.
fn root(s: f32) -> f32 {
    let guess = bitcast<f32>(SQRT_GUESS - (bitcast<u32>(s) >> 1u));
    let w = opaque(s * guess);
    let h = mul_add(-w, guess, 1.0f);
    var q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    return mul_add(w, opaque(q * h), w);
}

// A point on the unit circle, cosine first: (cos, sin)(pi/2 t). The low 30 bits of the word, with
// the half of a step after them and as a signed number, are t: symmetric about 0, which it never
// is, and at most 1/2; the conversion rounds it. Bit 31 negates the cosine, then bit 30 exchanges
// the two.
fn circle(word: u32) -> vec2<f32> {
    let t = f32(bitcast<i32>((word << 2u) + 2u)) * 0x1p-32f;
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

// Two independent normals from neg_log2 of a uniform and an angle (Box-Muller 1958): mean 0,
// standard deviation `scale` / sqrt(2 ln 2).
fn on_circle(scale: f32, square: f32, angle_word: u32) -> vec2<f32> {
    let r = opaque(root(square) * scale);
    let point = circle(angle_word);
    return vec2<f32>(r * point.x, r * point.y);
}

fn normal_pair(scale: f32, radius_word: u32, angle_word: u32) -> vec2<f32> {
    return on_circle(scale, neg_log2(radius_word), angle_word);
}

fn normal4(scale: f32, words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(normal_pair(scale, words.x, words.y), normal_pair(scale, words.z, words.w));
}

// Adds the mean to normals.
fn shifted4(scaling: Scaling, values: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        add_product(values.x, scaling.shift),
        add_product(values.y, scaling.shift),
        add_product(values.z, scaling.shift),
        add_product(values.w, scaling.shift),
    );
}

fn uniform1(scaling: Scaling, word: u32) -> f32 {
    return mul_add(uniform_signed(word), scaling.scale, scaling.shift);
}

fn uniform4(scaling: Scaling, words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(
        uniform1(scaling, words.x),
        uniform1(scaling, words.y),
        uniform1(scaling, words.z),
        uniform1(scaling, words.w),
    );
}
