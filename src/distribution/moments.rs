//! Names, moments and bounds of the distributions.

use crate::Distribution;
use crate::distribution::cache;
use crate::distribution::rounded::{LARGEST_NORMAL, LARGEST_ORTHOGONAL};
use crate::stream::quantile::Truncated;

/// Expected statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    pub(crate) std: f64,
    /// E[(x - mean)^4] / std^4, which the sampling error of a standard deviation depends on; 0 for
    /// a constant.
    pub(crate) kurtosis: f64,
}

impl Distribution {
    /// The name: `normal`, `uniform`, `truncated_normal`, `constant`, `diagonal`, `sparse`,
    /// `orthogonal`, `log_uniform` or `indexed`.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The expected mean.
    pub fn mean(&self) -> f64 {
        self.whole().mean
    }

    /// The expected standard deviation.
    pub fn std(&self) -> f64 {
        self.whole().std
    }

    /// The moments of the whole tensor.
    fn whole(&self) -> Moments {
        let elements = match self {
            Distribution::Diagonal { diagonal, .. } => diagonal.elements,
            Distribution::Orthogonal { orthogonal, .. } => orthogonal.elements,
            _ => 1,
        };
        self.moments(self.nonzero_before(elements) as f64 / elements as f64)
    }

    /// Counts the elements before element `index` that are not zero by their index.
    pub(crate) fn nonzero_before(&self, index: u64) -> u64 {
        match self {
            Distribution::Diagonal { diagonal, .. } => diagonal.before(index),
            Distribution::Orthogonal { orthogonal, .. } => orthogonal.before(index),
            _ => index,
        }
    }

    /// The moments of elements of which the fraction `part` is not zero by its index.
    pub(crate) fn moments(&self, part: f64) -> Moments {
        let (mean, std, kurtosis) = match *self {
            Distribution::Normal { mean, std } => (mean.into(), std.into(), 3.0),
            Distribution::Uniform { mean, bound } => {
                (mean.into(), f64::from(bound) / 3f64.sqrt(), 1.8)
            }
            Distribution::Truncated { mean, std, low, high, .. } => {
                cache::moments(Truncated { mean, std, low, high }).into()
            }
            Distribution::Constant { value } => (value.into(), 0.0, 0.0),
            Distribution::LogUniform { log_uniform } => log_uniform.moments().into(),
            Distribution::Indexed { indexed } => {
                let (mean, std) = indexed.moments();
                (mean, std, 1.8)
            }
            Distribution::Diagonal { value, .. } => {
                let value = f64::from(value);
                (value * part, value.abs() * (part * (1.0 - part)).sqrt(), 0.0)
            }
            Distribution::Sparse { std, sparse } => {
                let part = sparse.density();
                (0.0, f64::from(std) * part.sqrt(), 3.0 / part)
            }
            Distribution::Orthogonal { gain, orthogonal } => {
                let height = orthogonal.height() as f64;
                // Of zeros alone any will do.
                let kurtosis = if part > 0.0 { 3.0 * height / (height + 2.0) / part } else { 3.0 };
                (0.0, f64::from(gain).abs() * (part / height).sqrt(), kurtosis)
            }
        };
        Moments { mean, std, kurtosis }
    }

    /// The least and the largest value possible before rounding to the element type.
    pub fn bounds(&self) -> (f64, f64) {
        let reach = match *self {
            Distribution::Normal { std, .. } => LARGEST_NORMAL * f64::from(std),
            Distribution::Uniform { bound, .. } => bound.into(),
            Distribution::Truncated { mean, std, low, high, least, largest } => {
                let (lowest, highest) = Truncated { mean, std, low, high }.bounds();
                // In a tail so far out that it is within a step of the type, every value becomes
                // the bound.
                let clamped = |value: f64| value.clamp(least.into(), largest.into());
                return (clamped(lowest), clamped(highest));
            }
            Distribution::Constant { .. } => 0.0,
            Distribution::LogUniform { log_uniform } => return log_uniform.bounds(),
            Distribution::Indexed { indexed } => return indexed.bounds(),
            Distribution::Diagonal { value, .. } => {
                let value = f64::from(value);
                return (value.min(0.0), value.max(0.0));
            }
            Distribution::Sparse { std, .. } => LARGEST_NORMAL * f64::from(std),
            Distribution::Orthogonal { gain, .. } => LARGEST_ORTHOGONAL * f64::from(gain).abs(),
        };
        (self.mean() - reach, self.mean() + reach)
    }
}
