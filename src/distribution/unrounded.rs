//! A distribution in f64, as an initializer and a shape resolve to it, before it has an element
//! type.

use crate::Number;
use crate::distribution::diagonal::Diagonal;
use crate::distribution::log_uniform::LogUniform;
use crate::distribution::orthogonal::Orthogonal;
use crate::distribution::sinusoidal::Sinusoidal;
use crate::distribution::sparse::Sparse;
use crate::number::product;
use crate::stream::quantile::Truncated;

/// A distribution with its numbers in f64; see [`Distribution`](crate::Distribution). The values of
/// `Arange` and `LogArange` are start + step i and factor ln(start + step i) at index i of the last
/// axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unrounded {
    Normal { mean: f64, std: f64 },
    Uniform { mean: f64, bound: f64 },
    Truncated(Truncated),
    Constant { value: Number },
    Diagonal { value: f64, diagonal: Diagonal },
    Sparse { std: f64, sparse: Sparse },
    Orthogonal { gain: f64, orthogonal: Orthogonal },
    Arange { start: Number, step: Number, columns: u64 },
    LogArange { start: f64, step: f64, factor: f64, columns: u64 },
    LogUniform(LogUniform),
    Sinusoidal(Sinusoidal),
}

impl Unrounded {
    /// The distribution of every value times `scale`, which is above 0.
    pub(crate) fn scaled(mut self, scale: f64) -> Self {
        match &mut self {
            Unrounded::Normal { mean, std: spread }
            | Unrounded::Uniform { mean, bound: spread } => {
                *mean = product(scale, *mean);
                *spread = product(scale, *spread);
            }
            Unrounded::Truncated(Truncated { mean, std, low, high }) => {
                [mean, std, low, high].into_iter().for_each(|number| *number *= scale);
            }
            Unrounded::Constant { value } => *value = value.scaled(scale),
            Unrounded::Arange { start, step, .. } => {
                *start = start.scaled(scale);
                *step = step.scaled(scale);
            }
            Unrounded::LogUniform(log_uniform) => *log_uniform = log_uniform.scaled(scale),
            Unrounded::Diagonal { value, .. }
            | Unrounded::Sparse { std: value, .. }
            | Unrounded::LogArange { factor: value, .. }
            | Unrounded::Sinusoidal(Sinusoidal { factor: value, .. })
            | Unrounded::Orthogonal { gain: value, .. } => *value = product(scale, *value),
        }
        self
    }
}
