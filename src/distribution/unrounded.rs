//! A distribution in f64, as an initializer and a shape resolve to it, before it has an element
//! type.

use crate::distribution::diagonal::Diagonal;
use crate::distribution::orthogonal::Orthogonal;
use crate::distribution::sparse::Sparse;
use crate::stream::quantile::Truncated;

/// A distribution with its numbers in f64; see [`Distribution`](crate::Distribution).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unrounded {
    Normal { mean: f64, std: f64 },
    Uniform { mean: f64, bound: f64 },
    Truncated(Truncated),
    Constant { value: f64 },
    Diagonal { value: f64, diagonal: Diagonal },
    Sparse { std: f64, sparse: Sparse },
    Orthogonal { gain: f64, orthogonal: Orthogonal },
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
            Unrounded::Constant { value }
            | Unrounded::Diagonal { value, .. }
            | Unrounded::Sparse { std: value, .. }
            | Unrounded::Orthogonal { gain: value, .. } => *value = product(scale, *value),
        }
        self
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
