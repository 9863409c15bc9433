//! Log-uniform distributions and their inverse softplus. The host computes their values, for a GPU
//! too.

use crate::distribution::range::{holds, in_range};
use crate::stream::exp::{exp, exp_m1};
use crate::stream::log::ln;
use crate::{DType, ErrorKind, Result};

/// A number whose logarithm is uniform, or that number's inverse softplus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogUniform {
    /// Logarithms of the bounds.
    ln_low: f64,
    ln_high: f64,
    /// The inverse softplus of numbers clamped to this from below; none: the numbers themselves.
    floor: Option<f64>,
    /// Multiplies the values.
    factor: f64,
}

/// The quantiles that the moments are computed from.
const QUANTILES: u32 = 1 << 12;

impl LogUniform {
    /// Of numbers from `low`, above 0, to `high`.
    pub(crate) fn new(low: f64, high: f64, floor: Option<f64>) -> Self {
        LogUniform { ln_low: ln(low), ln_high: ln(high), floor, factor: 1.0 }
    }

    pub(crate) fn scaled(self, scale: f64) -> Self {
        LogUniform { factor: scale * self.factor, ..self }
    }

    /// Checks that the type can hold the values, and that none becomes zero unless it crosses zero.
    pub(super) fn fitting(self, dtype: DType) -> Result<Self, ErrorKind> {
        let (low, high) = self.bounds();
        if low.signum() == high.signum() {
            holds("the least value", low.abs().min(high.abs()), dtype)?;
        }
        in_range(low.abs().max(high.abs()), dtype)?;
        Ok(self)
    }

    /// The value of a word of the stream.
    pub(crate) fn of_word(&self, word: u32) -> f64 {
        self.quantile((f64::from(word) + 0.5) / 4_294_967_296.0)
    }

    /// The value below which a part of the distribution is.
    fn quantile(&self, part: f64) -> f64 {
        let number = exp(self.ln_low + part * (self.ln_high - self.ln_low));
        self.factor
            * match self.floor {
                None => number,
                Some(floor) => {
                    let number = number.max(floor);
                    number + ln(-exp_m1(-number))
                }
            }
    }

    /// The least and the largest value.
    pub(super) fn bounds(&self) -> (f64, f64) {
        (self.quantile(0.0), self.quantile(1.0))
    }

    /// Mean, standard deviation and E[(x - mean)^4] / std^4.
    pub(super) fn moments(&self) -> [f64; 3] {
        let values = || {
            let part = |n| (f64::from(n) + 0.5) / f64::from(QUANTILES);
            (0..QUANTILES).map(move |n| self.quantile(part(n)))
        };
        let mean = values().sum::<f64>() / f64::from(QUANTILES);
        let central = |power| {
            values().map(|value| (value - mean).powi(power)).sum::<f64>() / f64::from(QUANTILES)
        };
        let variance = central(2);
        let kurtosis = if variance > 0.0 { central(4) / (variance * variance) } else { 0.0 };
        [mean, variance.sqrt(), kurtosis]
    }
}
