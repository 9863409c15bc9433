//! Element types: their names and sizes, and rounding to them.

use std::fmt::Debug;

use bytemuck::Pod;
use half::{bf16, f16};

use crate::stream::half::{bf16_bits, f16_bits};

/// How an element is stored.
///
/// F16 and BF16 values are the F32 values of the same seed, rounded once to nearest even.
///
/// ```
/// use gpu_init::DType;
///
/// assert_eq!("bf16".parse(), Ok(DType::BF16));
/// assert_eq!(DType::BF16.to_string(), "BF16");
/// assert_eq!(DType::ALL.map(|dtype| dtype.size()), [4, 2, 2]);
/// assert_eq!((DType::F16.max(), DType::BF16.rounding()), (65504.0, 1.0 / 256.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::Display, strum::EnumString)]
#[strum(ascii_case_insensitive, parse_err_ty = ParseDTypeError, parse_err_fn = unknown)]
pub enum DType {
    /// IEEE 754 binary32.
    #[default]
    #[strum(to_string = "F32", serialize = "float32")]
    F32 = 0,
    /// IEEE 754 binary16.
    #[strum(to_string = "F16", serialize = "float16")]
    F16 = 1,
    /// bfloat16: the upper half of a binary32.
    #[strum(to_string = "BF16", serialize = "bfloat16")]
    BF16 = 2,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

    /// Bytes of an element.
    pub const fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
        }
    }

    /// The largest finite value.
    pub fn max(self) -> f64 {
        match self {
            DType::F32 => f32::MAX.into(),
            DType::F16 => f16::MAX.to_f64(),
            DType::BF16 => bf16::MAX.to_f64(),
        }
    }

    /// The nearest value of the type.
    pub(crate) fn round(self, value: f32) -> f64 {
        f64::from(match self {
            DType::F32 => value,
            DType::F16 => f16::round(value).widen(),
            DType::BF16 => bf16::round(value).widen(),
        })
    }

    /// The bits of the nearest value of the type.
    #[cfg(feature = "gpu")]
    pub(crate) fn bits(self, value: f32) -> u32 {
        match self {
            DType::F32 => value.to_bits(),
            DType::F16 => f16::round(value).to_bits().into(),
            DType::BF16 => bf16::round(value).to_bits().into(),
        }
    }

    /// Half the distance from 1 to the next larger value: the relative error of one rounding.
    pub fn rounding(self) -> f64 {
        match self {
            DType::F32 => f64::from(f32::EPSILON) / 2.0,
            DType::F16 => f16::EPSILON.to_f64() / 2.0,
            DType::BF16 => bf16::EPSILON.to_f64() / 2.0,
        }
    }
}

/// The text is no element type that can be filled.
///
/// ```
/// let error = "I64".parse::<gpu_init::DType>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown dtype \"I64\"; use f32, f16 or bf16");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dtype {0:?}; use f32, f16 or bf16")]
pub struct ParseDTypeError(String);

fn unknown(text: &str) -> ParseDTypeError {
    ParseDTypeError(text.to_owned())
}

/// A host type that a tensor can be made of: `f32`, [`half::f16`] and [`half::bf16`].
///
/// ```
/// use gpu_init::{DType, Element, half::bf16};
///
/// assert_eq!(bf16::DTYPE, DType::BF16);
/// assert_eq!(bf16::round(1.0 / 3.0), bf16::from_f32(1.0 / 3.0));
/// ```
pub trait Element: Pod + Send + Sync + PartialEq + Debug + sealed::Sealed {
    /// The element type that this host type is.
    const DTYPE: DType;

    /// `value`, which is not NaN, rounded once to nearest even.
    fn round(value: f32) -> Self;

    /// The stored bits, zero-extended to 32.
    #[inline(always)]
    fn bits(self) -> u32 {
        match Self::DTYPE.size() {
            4 => bytemuck::cast(self),
            _ => bytemuck::cast::<_, u16>(self).into(),
        }
    }

    /// The value, exactly.
    fn widen(self) -> f32;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;

    #[inline(always)]
    fn round(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Element for f16 {
    const DTYPE: DType = DType::F16;

    #[inline(always)]
    fn round(value: f32) -> Self {
        f16::from_bits(f16_bits(value) as u16)
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

impl Element for bf16 {
    const DTYPE: DType = DType::BF16;

    #[inline(always)]
    fn round(value: f32) -> Self {
        bf16::from_bits(bf16_bits(value) as u16)
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}
