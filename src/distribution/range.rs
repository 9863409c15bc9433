//! What an element type can hold: the checks of a distribution's numbers.

use crate::{DType, ErrorKind, Result};

/// value + mean cancels to no less than the last place of the mean.
const LEAST_MEAN: f64 = f64::from_bits((1023 - 100) << 52); // 2^-100
/// In f16 a spread below its smallest normal number would leave few values, or only zero.
const LEAST_F16: f64 = f64::from_bits((1023 - 14) << 52); // 2^-14

/// Rounded to f32; -0 becomes +0, so that a constant is one zero everywhere.
pub(super) fn checked_mean(mean: f64, dtype: DType) -> Result<f32, ErrorKind> {
    if mean != 0.0 && mean.abs() < LEAST_MEAN {
        return Err(ErrorKind::Subnormal { option: "mean", value: mean, least: LEAST_MEAN, dtype });
    }
    in_range(mean.abs(), dtype)?;
    Ok(mean as f32 + 0.0)
}

/// Checks that a spread is not below `least`, nor so small that the type has few values for it. The
/// 8-bit types have few values anyway: a spread of their least number is enough.
pub(super) fn at_least(
    option: &'static str,
    value: f64,
    least: f64,
    dtype: DType,
) -> Result<(), ErrorKind> {
    let least = match dtype {
        DType::F16 => LEAST_F16,
        _ => dtype.least_subnormal().unwrap_or(least),
    };
    if value < least { Err(ErrorKind::Subnormal { option, value, least, dtype }) } else { Ok(()) }
}

/// Checks that a value is one of the type, but for rounding, and does not become zero.
pub(super) fn holds(option: &'static str, value: f64, dtype: DType) -> Result<(), ErrorKind> {
    // Subnormal constants are held as well as the type can.
    let least = dtype.least_subnormal().unwrap_or(f32::MIN_POSITIVE.into());
    if value != 0.0 && value.abs() < least {
        return Err(ErrorKind::Subnormal { option, value, least, dtype });
    }
    in_range(value.abs(), dtype)
}

pub(super) fn in_range(largest: f64, dtype: DType) -> Result<(), ErrorKind> {
    let dtype = dtype.computed();
    let limit = dtype.max();
    if largest <= limit { Ok(()) } else { Err(ErrorKind::Overflow { largest, limit, dtype }) }
}

/// The least value of the element type that is not below `bound`; no subnormal f32.
pub(super) fn least_from(bound: f64, dtype: DType) -> f32 {
    let (digits, least) = match dtype.computed() {
        DType::F16 => (11, LEAST_F16),
        DType::BF16 => (8, f64::from(f32::MIN_POSITIVE)),
        DType::F8E4M3 => (4, 2f64.powi(-6)),
        DType::F8E5M2 => (3, 2f64.powi(-14)),
        _ => (24, f64::from(f32::MIN_POSITIVE)),
    };
    let bound = bound.max(-dtype.computed().max());
    // The step of the type at the bound: the power of two not above it, or that of the subnormal
    // numbers.
    let octave = f64::from_bits(bound.abs().max(least).to_bits() & 0x7ff << 52);
    let step = octave * f64::from_bits((1024 - digits) << 52);
    let value = (bound / step).ceil() * step;
    let subnormal = dtype.least_subnormal().is_none() && value.abs() < least;
    // Adding 0 makes a zero positive.
    (if !subnormal {
        value
    } else if value > 0.0 {
        least
    } else {
        0.0
    }) as f32
        + 0.0
}
