//! Random words to values: every float operation of uniforms and normals. Mirrored by
//! `shaders/lib/sample.wgsl`.

use crate::stream::guards::{add_product, exact_mul_add, mul_add, opaque};

// Random bits become the mantissa of a float, whose leading one is subtracted afterwards: the high
// 23 bits of u, and its 9 low bits with the 1 that is added to them. The leading ones sum to
// 1 + 2^-9.
pub(crate) const HIGH_BITS: u32 = 0x3f800000;
pub(crate) const LOW_BITS: u32 = 0x3b000001;
pub(crate) const BOTH_ONES: f32 = f32::from_bits(0x3f804000);

// -log2(m 2^e) = -e + f P(f), where f = m - 1 and m is in [0.59, 1.18).
pub(crate) const RADIUS_SPLIT: u32 = 0x3f170a3d;
pub(crate) const RADIUS_P0: f32 = f32::from_bits(0xbfb8aa3a);
pub(crate) const RADIUS_P1: f32 = f32::from_bits(0x3f38aaf6);
pub(crate) const RADIUS_P2: f32 = f32::from_bits(0xbef62d6f);
pub(crate) const RADIUS_P3: f32 = f32::from_bits(0x3eb8326b);
pub(crate) const RADIUS_P4: f32 = f32::from_bits(0xbe97fd7f);
pub(crate) const RADIUS_P5: f32 = f32::from_bits(0x3e7b6d3b);
pub(crate) const RADIUS_P6: f32 = f32::from_bits(0xbcf913c2);
pub(crate) const RADIUS_P7: f32 = f32::from_bits(0x3f197d78);

// 1/sqrt(1 - h) for |h| < 0.07, the error of the integer guess at 1/sqrt(s).
pub(crate) const SQRT_GUESS: u32 = 0x5f375a86;
pub(crate) const SQRT_Q1: f32 = f32::from_bits(0x3effffc8);
pub(crate) const SQRT_Q2: f32 = f32::from_bits(0x3ec00018);
pub(crate) const SQRT_Q3: f32 = f32::from_bits(0x3ea0bca9);
pub(crate) const SQRT_Q4: f32 = f32::from_bits(0x3e8c4e91);

// sin(pi/2 t) = t S(t^2) and cos(pi/2 t) = C(t^2) for |t| <= 1/2.
pub(crate) const SIN_S0: f32 = f32::from_bits(0x3fc90fdb);
pub(crate) const SIN_S1: f32 = f32::from_bits(0xbf255ddd);
pub(crate) const SIN_S2: f32 = f32::from_bits(0x3da32f49);
pub(crate) const SIN_S3: f32 = f32::from_bits(0xbb96c984);
pub(crate) const COS_C1: f32 = f32::from_bits(0xbf9de9ce);
pub(crate) const COS_C2: f32 = f32::from_bits(0x3e81d848);
pub(crate) const COS_C3: f32 = f32::from_bits(0xbca74225);

/// Spread and mean of values, as the shader's parameters hold them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scaling {
    pub(crate) scale: f32,
    pub(crate) shift: f32,
}

/// sqrt(2 ln 2): Box-Muller's radius, sqrt(-2 ln u), divided by the root of `neg_log2`.
const RADIUS: f64 = f64::from_bits(0x3ff2d6abe44afc43);

impl Scaling {
    /// For [`normal4`].
    pub(crate) fn normal(mean: f32, std: f32) -> Self {
        Scaling { scale: (f64::from(std) * RADIUS) as f32, shift: mean }
    }

    /// For [`uniform4`], whose odd numbers times 2^-24 are in (-1, 1) exactly.
    pub(crate) fn uniform(mean: f32, bound: f32) -> Self {
        Scaling { scale: bound * f32::from_bits(0x33800000), shift: mean }
    }
}

/// Uniform on the odd numbers in (-2^24, 2^24), by bits 8 to 31 of the word: symmetric, never 0,
/// spacing 2.
#[inline(always)]
pub(crate) fn uniform_signed(word: u32) -> f32 {
    (2 * (word >> 8) as i32 + 1 - 0x1000000) as f32
}

/// -log2 u with u = (2^9 (word mod 2^23) + floor(word / 2^23) + 1) 2^-32, in (0, 1], which
/// every bit of the word decides.
#[inline(always)]
pub(crate) fn neg_log2(word: u32) -> f32 {
    // Both are exact and u is their sum, which is rounded only to find the binade of u.
    let high = opaque(f32::from_bits(HIGH_BITS | (word & 0x7fffff)) - BOTH_ONES);
    let low = f32::from_bits(LOW_BITS + (word >> 23));
    let exponent = (high + low).to_bits().wrapping_sub(RADIUS_SPLIT) & 0xff800000;
    // u 2^-e - 1: products and the first sum are exact.
    let inverse = f32::from_bits(0x3f800000u32.wrapping_sub(exponent));
    let f = exact_mul_add(low, inverse, opaque(high * inverse - 1.0));
    let mut p = mul_add(RADIUS_P7, f, RADIUS_P6);
    p = mul_add(p, f, RADIUS_P5);
    p = mul_add(p, f, RADIUS_P4);
    p = mul_add(p, f, RADIUS_P3);
    p = mul_add(p, f, RADIUS_P2);
    p = mul_add(p, f, RADIUS_P1);
    p = mul_add(p, f, RADIUS_P0);
    // `exponent` is e 2^23, which is a float exactly, and so is its product with -2^-23.
    exact_mul_add(exponent as i32 as f32, f32::from_bits(0xb4000000), opaque(p * f))
}

/// The square root of s, which is 0 or at least 2^-32.
#[inline(always)]
pub(crate) fn root(s: f32) -> f32 {
    let guess = f32::from_bits(SQRT_GUESS.wrapping_sub(s.to_bits() >> 1));
    let w = opaque(s * guess);
    let h = mul_add(-w, guess, 1.0);
    let mut q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    mul_add(w, opaque(q * h), w)
}

/// A point on the unit circle, cosine first: (cos, sin)(pi/2 t). The low 30 bits of the word, with
/// the half of a step after them and as a signed number, are t: symmetric about 0, which it never
/// is, and at most 1/2; the conversion rounds it. Bit 31 negates the cosine, then bit 30 exchanges
/// the two.
#[inline(always)]
pub(crate) fn circle(word: u32) -> [f32; 2] {
    let t = ((word << 2) + 2) as i32 as f32 * f32::from_bits(0x2f800000); // 2^-32
    let t2 = opaque(t * t);
    let mut s = mul_add(SIN_S3, t2, SIN_S2);
    s = mul_add(s, t2, SIN_S1);
    s = mul_add(s, t2, SIN_S0);
    let sine = opaque(s * t);
    let mut c = mul_add(COS_C3, t2, COS_C2);
    c = mul_add(c, t2, COS_C1);
    c = mul_add(c, t2, 1.0);
    let cosine = f32::from_bits(c.to_bits() ^ (word & 0x80000000));
    let exchange = ((word << 1) as i32) < 0;
    [if exchange { sine } else { cosine }, if exchange { cosine } else { sine }]
}

/// Two independent normals from `neg_log2` of a uniform and an angle (Box-Muller 1958): mean 0,
/// standard deviation `scale` / sqrt(2 ln 2).
#[inline(always)]
pub(crate) fn on_circle(scale: f32, square: f32, angle_word: u32) -> [f32; 2] {
    let r = opaque(root(square) * scale);
    let [x, y] = circle(angle_word);
    [r * x, r * y]
}

#[inline(always)]
pub(crate) fn normal_pair(scale: f32, radius_word: u32, angle_word: u32) -> [f32; 2] {
    on_circle(scale, neg_log2(radius_word), angle_word)
}

#[inline(always)]
pub(crate) fn normal4(scale: f32, words: [u32; 4]) -> [f32; 4] {
    let [a, b] = normal_pair(scale, words[0], words[1]);
    let [c, d] = normal_pair(scale, words[2], words[3]);
    [a, b, c, d]
}

/// Adds the mean to normals.
#[inline(always)]
pub(crate) fn shifted4(scaling: Scaling, values: [f32; 4]) -> [f32; 4] {
    values.map(|value| add_product(value, scaling.shift))
}

#[inline(always)]
pub(crate) fn uniform1(scaling: Scaling, word: u32) -> f32 {
    mul_add(uniform_signed(word), scaling.scale, scaling.shift)
}

#[inline(always)]
pub(crate) fn uniform4(scaling: Scaling, words: [u32; 4]) -> [f32; 4] {
    words.map(|word| uniform1(scaling, word))
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
