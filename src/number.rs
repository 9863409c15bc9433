//! Numbers as a user writes them: exact where f64 is not.

use std::fmt;
use std::str::FromStr;

/// A number of an initializer's option: an f64, or an integer that f64 would round.
///
/// ```
/// use gpu_init::Number;
///
/// assert_eq!(Number::from(u64::MAX).to_string(), "18446744073709551615");
/// assert_eq!(Number::from(3i64), Number::from(3.0));
/// assert_eq!("9007199254740993".parse(), Ok(Number::from(9007199254740993i64)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// Any number that f64 holds.
    #[non_exhaustive]
    Float(f64),
    /// An integer of 64 bits that f64 does not hold.
    #[non_exhaustive]
    Integer(i128),
}

/// The integers of 64 bits, with and without a sign.
const INTEGERS: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;

/// Integers up to here have an f64 of their own.
const EXACT: f64 = (1u64 << 53) as f64;

impl Number {
    /// The number of an f64, in constants.
    pub(crate) const fn float(value: f64) -> Self {
        Number::Float(value)
    }

    /// The number of an integer.
    pub(crate) fn integer(value: i128) -> Self {
        let float = value as f64;
        if float as i128 == value { Number::Float(float) } else { Number::Integer(value) }
    }

    /// The nearest f64.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Float(value) => value,
            Number::Integer(value) => value as f64,
        }
    }

    /// The product with a factor, which of an integer and 1 is exact.
    pub(crate) fn scaled(self, scale: f64) -> Self {
        if scale == 1.0 { self } else { product(scale, self.to_f64()).into() }
    }

    /// The integer, if it is one of 64 bits.
    pub(crate) fn to_integer(self) -> Option<i128> {
        match self {
            Number::Float(value) => {
                let integer = value as i128;
                (integer as f64 == value && INTEGERS.contains(&integer)).then_some(integer)
            }
            Number::Integer(value) => Some(value),
        }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Number::Float(value)
    }
}

macro_rules! from_integer {
    ($($type:ty)*) => {$(
        impl From<$type> for Number {
            fn from(value: $type) -> Self {
                Self::integer(value.into())
            }
        }
    )*};
}

from_integer!(i32 u32 i64 u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // With all digits: f64 shows those that tell it from others, then zeros.
            Number::Float(value) if value.abs() >= EXACT => match self.to_integer() {
                Some(integer) => integer.fmt(f),
                None => value.fmt(f),
            },
            Number::Float(value) => value.fmt(f),
            Number::Integer(value) => value.fmt(f),
        }
    }
}

impl FromStr for Number {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let float = text.parse().map(Number::Float);
        let integer = text.parse().ok().filter(|value| INTEGERS.contains(value));
        match integer.map(Self::integer) {
            Some(exact @ Number::Integer(_)) => Ok(exact),
            _ => float,
        }
    }
}

/// A product that is zero only if a factor is. One that underflows becomes the least number
/// instead, which no element type holds: an error where the distribution is made, not a tensor of
/// zeros.
pub(crate) fn product(a: f64, b: f64) -> f64 {
    let product = a * b;
    if product == 0.0 && a != 0.0 && b != 0.0 {
        product.signum() * f64::from_bits(1)
    } else {
        product
    }
}
