//! Element types: their names, sizes and limits.

use half::{bf16, f16};

/// How an element is stored.
///
/// F16, BF16, F8_E4M3 and F8_E5M2 values are the F32 values of the same seed, rounded once to
/// nearest even; F64 values are the F32 values exactly. The other types hold integers.
///
/// ```
/// use gpu_init::DType;
///
/// assert_eq!("bf16".parse(), Ok(DType::BF16));
/// assert_eq!("float8_e4m3fn".parse(), Ok(DType::F8E4M3));
/// assert_eq!(DType::F8E4M3.to_string(), "F8_E4M3");
/// assert_eq!(DType::FLOATS.map(|dtype| dtype.size()), [4, 2, 2, 8, 1, 1]);
/// assert_eq!((DType::F8E4M3.max(), DType::BF16.rounding()), (448.0, 1.0 / 256.0));
/// assert_eq!((DType::I8.integers(), DType::F64.integers()), (Some([-128, 127]), None));
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
    /// IEEE 754 binary64.
    #[strum(to_string = "F64", serialize = "float64")]
    F64 = 3,
    /// 8 bits, 4 of exponent and 3 of mantissa, without infinities: `float8_e4m3fn`.
    #[strum(to_string = "F8_E4M3", serialize = "float8_e4m3fn")]
    F8E4M3 = 4,
    /// 8 bits, 5 of exponent and 2 of mantissa: `float8_e5m2`.
    #[strum(to_string = "F8_E5M2", serialize = "float8_e5m2")]
    F8E5M2 = 5,
    /// Signed, 8 bits.
    #[strum(to_string = "I8", serialize = "int8")]
    I8,
    /// Unsigned, 8 bits.
    #[strum(to_string = "U8", serialize = "uint8")]
    U8,
    /// Signed, 16 bits.
    #[strum(to_string = "I16", serialize = "int16")]
    I16,
    /// Unsigned, 16 bits.
    #[strum(to_string = "U16", serialize = "uint16")]
    U16,
    /// Signed, 32 bits.
    #[strum(to_string = "I32", serialize = "int32")]
    I32,
    /// Unsigned, 32 bits.
    #[strum(to_string = "U32", serialize = "uint32")]
    U32,
    /// Signed, 64 bits.
    #[strum(to_string = "I64", serialize = "int64")]
    I64,
    /// Unsigned, 64 bits.
    #[strum(to_string = "U64", serialize = "uint64")]
    U64,
    /// 0 or 1, 8 bits.
    #[strum(to_string = "BOOL")]
    Bool,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 15] = [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::F64,
        DType::F8E4M3,
        DType::F8E5M2,
        DType::I8,
        DType::U8,
        DType::I16,
        DType::U16,
        DType::I32,
        DType::U32,
        DType::I64,
        DType::U64,
        DType::Bool,
    ];

    /// The types of real numbers, which every initializer fills.
    pub const FLOATS: [DType; 6] =
        [DType::F32, DType::F16, DType::BF16, DType::F64, DType::F8E4M3, DType::F8E5M2];

    /// The types that shaders sample directly. F64 and the 8-bit types are converted from F32, and
    /// integers are computed on the host.
    pub const SAMPLED: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

    /// Bytes of an element.
    pub const fn size(self) -> u64 {
        match self {
            DType::F64 | DType::I64 | DType::U64 => 8,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 2,
            DType::F8E4M3 | DType::F8E5M2 | DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }

    /// The largest finite value, rounded to f64.
    pub fn max(self) -> f64 {
        match self {
            DType::F32 => f32::MAX.into(),
            DType::F16 => f16::MAX.to_f64(),
            DType::BF16 => bf16::MAX.to_f64(),
            DType::F64 => f64::MAX,
            DType::F8E4M3 => 448.0,
            DType::F8E5M2 => 57344.0,
            _ => self.integers().map_or(f64::NAN, |[_, most]| most as f64),
        }
    }

    /// The least and the largest integer of a type of integers; `None` for a type of real numbers.
    pub const fn integers(self) -> Option<[i128; 2]> {
        Some(match self {
            DType::I8 => [i8::MIN as i128, i8::MAX as i128],
            DType::U8 => [0, u8::MAX as i128],
            DType::I16 => [i16::MIN as i128, i16::MAX as i128],
            DType::U16 => [0, u16::MAX as i128],
            DType::I32 => [i32::MIN as i128, i32::MAX as i128],
            DType::U32 => [0, u32::MAX as i128],
            DType::I64 => [i64::MIN as i128, i64::MAX as i128],
            DType::U64 => [0, u64::MAX as i128],
            DType::Bool => [0, 1],
            _ => return None,
        })
    }

    /// Whether it is a type of integers, of which BOOL is one.
    ///
    /// ```
    /// use gpu_init::DType;
    ///
    /// assert_eq!([DType::I64, DType::Bool, DType::F64].map(DType::is_integer), [true, true, false]);
    /// ```
    pub const fn is_integer(self) -> bool {
        self.integers().is_some()
    }

    /// The type whose rounding the values have: F32 for F64.
    pub(crate) const fn computed(self) -> DType {
        if matches!(self, DType::F64) { DType::F32 } else { self }
    }

    /// Whether the values are computed in F32 first, and then converted.
    #[cfg(feature = "gpu")]
    pub(crate) const fn is_converted(self) -> bool {
        matches!(self, DType::F64 | DType::F8E4M3 | DType::F8E5M2)
    }

    /// The least subnormal number, of types whose subnormal numbers are used: devices may flush
    /// those of the others to zero.
    pub(crate) const fn least_subnormal(self) -> Option<f64> {
        const fn power(exponent: i64) -> Option<f64> {
            Some(f64::from_bits(((1023 + exponent) as u64) << 52))
        }
        match self {
            DType::F16 => power(-24),
            DType::F8E4M3 => power(-9),
            DType::F8E5M2 => power(-16),
            _ => None,
        }
    }

    /// Half the distance from 1 to the next larger value: the relative error of one rounding.
    pub fn rounding(self) -> f64 {
        match self {
            DType::F32 => f64::from(f32::EPSILON) / 2.0,
            DType::F16 => f16::EPSILON.to_f64() / 2.0,
            DType::BF16 => bf16::EPSILON.to_f64() / 2.0,
            DType::F64 => f64::EPSILON / 2.0,
            DType::F8E4M3 => 1.0 / 16.0,
            DType::F8E5M2 => 1.0 / 8.0,
            _ => 0.5,
        }
    }
}

/// The text is no element type that can be filled.
///
/// ```
/// let error = "C64".parse::<gpu_init::DType>().unwrap_err();
/// assert!(error.to_string().starts_with("unknown dtype \"C64\"; use f32, f16, bf16, f64, "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown dtype {0:?}; use f32, f16, bf16, f64, f8_e4m3, f8_e5m2, i8, u8, i16, u16, i32, u32, i64, \
     u64 or bool"
)]
pub struct ParseDTypeError(String);

fn unknown(text: &str) -> ParseDTypeError {
    ParseDTypeError(text.to_owned())
}
