//! The 8-bit floating-point types, as bytes.

use bytemuck::{Pod, Zeroable};

use crate::stream::float8::{f8_e4m3_bits, f8_e5m2_bits};
use crate::stream::half::f16_value;

/// An element of [`DType::F8E4M3`](crate::DType::F8E4M3): sign, 4 bits of exponent with bias 7, 3
/// of mantissa. It has no infinities, and NaN is 0x7f and 0xff: `float8_e4m3fn` of PyTorch and
/// ml_dtypes.
///
/// ```
/// use gpu_init::F8E4M3;
///
/// assert_eq!(F8E4M3::from_f32(0.3).to_f32(), 0.3125);
/// assert_eq!(F8E4M3::from_f32(1e6).to_f32(), 448.0); // the largest: conversion saturates
/// ```
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct F8E4M3(u8);

impl F8E4M3 {
    /// The number with these bits.
    pub const fn from_bits(bits: u8) -> Self {
        F8E4M3(bits)
    }

    /// The bits.
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The nearest number, ties to even; the largest for larger ones, NaN for NaN.
    pub fn from_f32(value: f32) -> Self {
        F8E4M3(if value.is_nan() { 0x7f } else { f8_e4m3_bits(value) as u8 })
    }

    /// The value, exactly.
    #[inline]
    pub fn to_f32(self) -> f32 {
        let (sign, magnitude) = (u32::from(self.0 & 0x80) << 24, u32::from(self.0 & 0x7f));
        f32::from_bits(
            sign | match magnitude {
                0x7f => 0x7fc00000,
                // A subnormal is an integer below 8 times 2^-9.
                0..8 => (magnitude as f32 / 512.0).to_bits(),
                _ => (magnitude << 20) + (120 << 23),
            },
        )
    }
}

/// An element of [`DType::F8E5M2`](crate::DType::F8E5M2): the upper byte of a binary16, with
/// infinities. `float8_e5m2` of PyTorch and ml_dtypes.
///
/// ```
/// use gpu_init::F8E5M2;
///
/// assert_eq!(F8E5M2::from_f32(0.3).to_f32(), 0.3125);
/// assert_eq!(F8E5M2::from_f32(1e6).to_f32(), 57344.0); // the largest: conversion saturates
/// ```
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct F8E5M2(u8);

impl F8E5M2 {
    /// The number with these bits.
    pub const fn from_bits(bits: u8) -> Self {
        F8E5M2(bits)
    }

    /// The bits.
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The nearest number, ties to even; the largest for larger ones, NaN for NaN.
    pub fn from_f32(value: f32) -> Self {
        F8E5M2(if value.is_nan() { 0x7f } else { f8_e5m2_bits(value) as u8 })
    }

    /// The value, exactly.
    #[inline]
    pub fn to_f32(self) -> f32 {
        f16_value(u32::from(self.0) << 8)
    }
}
