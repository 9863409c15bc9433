//! Values that depend on nothing but an element's index in the whole tensor. The host computes them,
//! for a GPU too, so they may be any function of the index.

use crate::distribution::range::{holds, in_range};
use crate::distribution::sinusoidal::Sinusoidal;
use crate::distribution::unrounded::Unrounded;
use crate::element::sealed::Sealed;
use crate::stream::log::ln;
use crate::{DType, Element, ErrorKind, Number, Result};

/// The values of integer tensors, and of [`Initializer::Arange`](crate::Initializer::Arange).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Indexed {
    sequence: Sequence,
    /// Elements after which the values come again: those of the last axis, or of all positions.
    period: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sequence {
    /// start + step i, exactly.
    Integers {
        start: i128,
        step: i128,
    },
    /// start + step i in f64.
    Arange {
        start: f64,
        step: f64,
    },
    /// factor ln(start + step i) in f64.
    LogArange {
        start: f64,
        step: f64,
        factor: f64,
    },
    Sinusoidal(Sinusoidal),
}

impl Indexed {
    /// A constant or a range of integers.
    ///
    /// # Errors
    /// [`ErrorKind::IntegersOnly`] for other distributions, and [`ErrorKind::NotInteger`].
    pub(super) fn integers(distribution: Unrounded, dtype: DType) -> Result<Self, ErrorKind> {
        let [least, most] = dtype.integers().unwrap_or_default();
        let not_one = |option, value| ErrorKind::NotInteger { option, value, least, most, dtype };
        let integer =
            |option, number: Number| number.to_integer().ok_or_else(|| not_one(option, number));
        let within = |option, value| {
            let is_within = (least..=most).contains(&value);
            if is_within { Ok(value) } else { Err(not_one(option, Number::integer(value))) }
        };
        let (start, step, columns) = match distribution {
            Unrounded::Constant { value } => (within("val", integer("val", value)?)?, 0, 1),
            Unrounded::Arange { start, step, columns } => {
                (within("start", integer("start", start)?)?, integer("step", step)?, columns)
            }
            _ => return Err(ErrorKind::IntegersOnly { dtype }),
        };
        let distance = step.checked_mul(i128::from(columns - 1)).unwrap_or(i128::MAX);
        within("the last value", start.saturating_add(distance))?;
        Ok(Indexed { sequence: Sequence::Integers { start, step }, period: columns })
    }

    /// A range of real numbers.
    pub(super) fn arange(
        start: f64,
        step: f64,
        columns: u64,
        dtype: DType,
    ) -> Result<Self, ErrorKind> {
        holds("start", start, dtype)?;
        holds("step", step, dtype)?;
        Indexed { sequence: Sequence::Arange { start, step }, period: columns }.fitting(dtype)
    }

    /// The logarithms of a range of real numbers, times a factor.
    pub(super) fn log_arange(
        [start, step, factor]: [f64; 3],
        columns: u64,
        dtype: DType,
    ) -> Result<Self, ErrorKind> {
        let sequence = Sequence::LogArange { start, step, factor };
        Indexed { sequence, period: columns }.fitting(dtype)
    }

    /// Positions.
    pub(super) fn sinusoidal(sinusoidal: Sinusoidal, dtype: DType) -> Result<Self, ErrorKind> {
        let period = sinusoidal.period();
        Indexed { sequence: Sequence::Sinusoidal(sinusoidal), period }.fitting(dtype)
    }

    /// Checks that the largest value is not too large.
    fn fitting(self, dtype: DType) -> Result<Self, ErrorKind> {
        let (low, high) = self.bounds();
        in_range(low.abs().max(high.abs()), dtype)?;
        Ok(self)
    }

    /// A range of real numbers that the type need not hold.
    #[cfg(feature = "gpu")]
    pub(crate) fn unchecked(start: f64, step: f64, columns: u64) -> Self {
        Indexed { sequence: Sequence::Arange { start, step }, period: columns }
    }

    /// The element with index `index` in the whole tensor.
    pub(crate) fn element<T: Element>(&self, index: u64) -> T {
        let index = index % self.period;
        match self.sequence {
            Sequence::Integers { start, step } => {
                <T as Sealed>::of_integer(start + step * i128::from(index))
            }
            _ => T::round(rounded(self.value(index))),
        }
    }

    /// The value at an index below the period, rounded to f64.
    fn value(&self, index: u64) -> f64 {
        match self.sequence {
            Sequence::Integers { start, step } => (start + step * i128::from(index)) as f64,
            Sequence::Arange { start, step } => start + step * index as f64,
            Sequence::LogArange { start, step, factor } => factor * ln(start + step * index as f64),
            Sequence::Sinusoidal(sinusoidal) => sinusoidal.value(index),
        }
    }

    /// The least and the largest value: sequences other than sines rise or fall.
    pub(super) fn bounds(&self) -> (f64, f64) {
        if let Sequence::Sinusoidal(Sinusoidal { factor, .. }) = self.sequence {
            return (-factor.abs(), factor.abs());
        }
        let (first, last) = (self.value(0), self.value(self.period - 1));
        (first.min(last), first.max(last))
    }

    /// Mean and standard deviation of the whole tensor's values.
    pub(super) fn moments(&self) -> (f64, f64) {
        if let Sequence::LogArange { .. } | Sequence::Sinusoidal(_) = self.sequence {
            return self.sampled_moments();
        }
        let (low, high) = self.bounds();
        let steps = (self.period - 1) as f64;
        // Of n values a step apart the variance is (n^2 - 1) / 12 steps^2.
        let spread =
            if steps > 0.0 { (high - low) * ((steps + 2.0) / steps / 12.0).sqrt() } else { 0.0 };
        (low + (high - low) / 2.0, spread)
    }

    /// The same of some of the values, at about equal distances; of all if they are few.
    fn sampled_moments(&self) -> (f64, f64) {
        // A prime, so that samples of a matrix do not stay in a few columns.
        const MOST: u64 = 16_381;
        let count = self.period.min(MOST);
        let index = |i: u64| (u128::from(i) * u128::from(self.period) / u128::from(count)) as u64;
        let values = || (0..count).map(|i| self.value(index(i)));
        let mean = values().sum::<f64>() / count as f64;
        let square = values().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        (mean, (square / count as f64).sqrt())
    }
}

/// Rounded to f32, without subnormal numbers and -0.
pub(crate) fn rounded(value: f64) -> f32 {
    if value.abs() < f32::MIN_POSITIVE.into() { 0.0 } else { value as f32 }
}
