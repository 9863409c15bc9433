//! The host types of elements: rounding to them, their bits and their values.

use std::fmt;

use bytemuck::{Pod, Zeroable};
use half::{bf16, f16};

use crate::DType;
use crate::float8::{F8E4M3, F8E5M2};
use crate::stream::float8::{f8_e4m3_bits, f8_e5m2_bits};
use crate::stream::float64::{f32_bits, f64_words};
use crate::stream::half::{bf16_bits, f16_bits, f16_value};

/// Evaluates an expression with a name for the [`Element`] of a [`DType`](crate::DType), which is
/// known at run time alone.
///
/// ```
/// use gpu_init::{DType, Element, by_dtype};
///
/// let bytes = [0u8; 16];
/// let count = |dtype: DType| by_dtype!(dtype, T => bytes.len() / size_of::<T>());
/// assert_eq!([DType::F32, DType::BF16, DType::Bool].map(count), [4, 8, 16]);
/// assert_eq!(by_dtype!(DType::F16, T => <T as Element>::DTYPE), DType::F16);
/// ```
#[macro_export]
macro_rules! by_dtype {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => $crate::by_dtype!(@ f32, $type => $body),
            $crate::DType::F16 => $crate::by_dtype!(@ $crate::half::f16, $type => $body),
            $crate::DType::BF16 => $crate::by_dtype!(@ $crate::half::bf16, $type => $body),
            $crate::DType::F64 => $crate::by_dtype!(@ f64, $type => $body),
            $crate::DType::F8E4M3 => $crate::by_dtype!(@ $crate::F8E4M3, $type => $body),
            $crate::DType::F8E5M2 => $crate::by_dtype!(@ $crate::F8E5M2, $type => $body),
            $crate::DType::I8 => $crate::by_dtype!(@ i8, $type => $body),
            $crate::DType::U8 => $crate::by_dtype!(@ u8, $type => $body),
            $crate::DType::I16 => $crate::by_dtype!(@ i16, $type => $body),
            $crate::DType::U16 => $crate::by_dtype!(@ u16, $type => $body),
            $crate::DType::I32 => $crate::by_dtype!(@ i32, $type => $body),
            $crate::DType::U32 => $crate::by_dtype!(@ u32, $type => $body),
            $crate::DType::I64 => $crate::by_dtype!(@ i64, $type => $body),
            $crate::DType::U64 => $crate::by_dtype!(@ u64, $type => $body),
            $crate::DType::Bool => $crate::by_dtype!(@ $crate::Bool, $type => $body),
        }
    };
    (@ $host:ty, $type:ident => $body:expr) => {{
        type $type = $host;
        $body
    }};
}

/// A host type that a tensor can be made of: `f32`, [`half::f16`], [`half::bf16`], `f64`,
/// [`F8E4M3`], [`F8E5M2`], the integers of 8 to 64 bits and [`Bool`].
///
/// ```
/// use gpu_init::{DType, Element, half::bf16};
///
/// assert_eq!(bf16::DTYPE, DType::BF16);
/// assert_eq!(bf16::round(1.0 / 3.0), bf16::from_f32(1.0 / 3.0));
/// ```
pub trait Element: Pod + Send + Sync + PartialEq + fmt::Debug + sealed::Sealed {
    /// The element type that this host type is.
    const DTYPE: DType;

    /// `value`, which is not NaN, rounded once to nearest even; 8-bit types and integers take their
    /// largest value for larger ones.
    fn round(value: f32) -> Self;

    /// The stored bits, zero-extended to 64.
    fn bits(self) -> u64;

    /// The value, exactly but for F64 and integers of 32 and 64 bits, which are rounded to f32.
    fn widen(self) -> f32;
}

pub(crate) mod sealed {
    pub trait Sealed: Sized {
        /// An integer that the type holds; rounded to a type of real numbers.
        fn of_integer(value: i128) -> Self;
    }
}

/// Implements `Element` for a type of real numbers from its three functions.
macro_rules! float {
    ($type:ty, $dtype:expr, $round:expr, $bits:expr, $widen:expr) => {
        impl sealed::Sealed for $type {
            fn of_integer(value: i128) -> Self {
                <Self as Element>::round(value as f32)
            }
        }

        impl Element for $type {
            const DTYPE: DType = $dtype;

            #[inline(always)]
            fn round(value: f32) -> Self {
                $round(value)
            }

            #[inline(always)]
            fn bits(self) -> u64 {
                $bits(self).into()
            }

            #[inline(always)]
            fn widen(self) -> f32 {
                $widen(self)
            }
        }
    };
}

float!(f32, DType::F32, |value| value, f32::to_bits, |value| value);
float!(
    f16,
    DType::F16,
    |value| f16::from_bits(f16_bits(value) as u16),
    f16::to_bits,
    |value: f16| f16_value(value.to_bits().into())
);
float!(
    bf16,
    DType::BF16,
    |value| bf16::from_bits(bf16_bits(value) as u16),
    bf16::to_bits,
    |value: bf16| f32::from_bits(u32::from(value.to_bits()) << 16)
);
float!(
    f64,
    DType::F64,
    |value: f32| join(f64_words(value.to_bits())),
    f64::to_bits,
    |value: f64| f32::from_bits(f32_bits(split(value)))
);
float!(
    F8E4M3,
    DType::F8E4M3,
    |value| F8E4M3::from_bits(f8_e4m3_bits(value) as u8),
    F8E4M3::to_bits,
    F8E4M3::to_f32
);
float!(
    F8E5M2,
    DType::F8E5M2,
    |value| F8E5M2::from_bits(f8_e5m2_bits(value) as u8),
    F8E5M2::to_bits,
    F8E5M2::to_f32
);

fn join([low, high]: [u32; 2]) -> f64 {
    f64::from_bits(u64::from(high) << 32 | u64::from(low))
}

fn split(value: f64) -> [u32; 2] {
    crate::stream::philox::words(value.to_bits())
}

macro_rules! integer {
    ($($type:ident $unsigned:ident $dtype:ident),*) => {$(
        impl sealed::Sealed for $type {
            fn of_integer(value: i128) -> Self {
                value as $type
            }
        }

        impl Element for $type {
            const DTYPE: DType = DType::$dtype;

            fn round(value: f32) -> Self {
                value.round_ties_even() as $type
            }

            #[inline(always)]
            fn bits(self) -> u64 {
                u64::from(self as $unsigned)
            }

            #[inline(always)]
            fn widen(self) -> f32 {
                self as f32
            }
        }
    )*};
}

integer!(
    i8 u8 I8, u8 u8 U8, i16 u16 I16, u16 u16 U16, i32 u32 I32, u32 u32 U32, i64 u64 I64, u64 u64 U64
);

/// An element of [`DType::Bool`]: a byte that is 0 or 1.
///
/// ```
/// use gpu_init::{Bool, Cpu, Initializer, TensorSpec};
///
/// let mut mask = [Bool::FALSE; 3];
/// Cpu::new().fill_into(&TensorSpec::new([3], Initializer::ones()), &mut mask)?;
/// assert_eq!(mask.map(bool::from), [true; 3]);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Bool(u8);

impl Bool {
    /// 0.
    pub const FALSE: Bool = Bool(0);
    /// 1.
    pub const TRUE: Bool = Bool(1);
}

impl From<Bool> for bool {
    /// A byte read from memory counts as true unless it is 0.
    fn from(Bool(byte): Bool) -> bool {
        byte != 0
    }
}

impl From<bool> for Bool {
    fn from(value: bool) -> Bool {
        Bool(value.into())
    }
}

impl sealed::Sealed for Bool {
    fn of_integer(value: i128) -> Self {
        (value != 0).into()
    }
}

impl Element for Bool {
    const DTYPE: DType = DType::Bool;

    fn round(value: f32) -> Self {
        (value != 0.0).into()
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        self.0.into()
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self.0.into()
    }
}

impl DType {
    /// The nearest value of the type.
    pub(crate) fn round(self, value: f32) -> f64 {
        by_dtype!(self, T => f64::from(Element::widen(<T as Element>::round(value))))
    }

    /// The low 32 bits of the nearest value of the type.
    #[cfg(feature = "gpu")]
    pub(crate) fn bits(self, value: f32) -> u32 {
        by_dtype!(self, T => <T as Element>::round(value).bits() as u32)
    }
}
