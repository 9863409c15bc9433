//! A distribution in f64, as an initializer and a shape resolve to it, before it has an element
//! type.

use crate::distribution::diagonal::Diagonal;
use crate::distribution::orthogonal::Orthogonal;
use crate::distribution::sparse::Sparse;

/// A distribution with its numbers in f64; see [`Distribution`](crate::Distribution).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unrounded {
    Normal { mean: f64, std: f64 },
    Uniform { mean: f64, bound: f64 },
    Truncated { mean: f64, std: f64, low: f64, high: f64 },
    Constant { value: f64 },
    Diagonal { value: f64, diagonal: Diagonal },
    Sparse { std: f64, sparse: Sparse },
    Orthogonal { gain: f64, orthogonal: Orthogonal },
}

impl Unrounded {
    /// The distribution of every value times `scale`, which is above 0.
    pub(crate) fn scaled(self, scale: f64) -> Self {
        let scaled = |value: f64| product(scale, value);
        match self {
            Unrounded::Normal { mean, std } => {
                Unrounded::Normal { mean: scaled(mean), std: scaled(std) }
            }
            Unrounded::Uniform { mean, bound } => {
                Unrounded::Uniform { mean: scaled(mean), bound: scaled(bound) }
            }
            Unrounded::Truncated { mean, std, low, high } => Unrounded::Truncated {
                mean: scale * mean,
                std: scale * std,
                low: scale * low,
                high: scale * high,
            },
            Unrounded::Constant { value } => Unrounded::Constant { value: scaled(value) },
            Unrounded::Diagonal { value, diagonal } => {
                Unrounded::Diagonal { value: scaled(value), diagonal }
            }
            Unrounded::Sparse { std, sparse } => Unrounded::Sparse { std: scaled(std), sparse },
            Unrounded::Orthogonal { gain, orthogonal } => {
                Unrounded::Orthogonal { gain: scaled(gain), orthogonal }
            }
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
