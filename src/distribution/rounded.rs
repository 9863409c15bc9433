//! A distribution with its numbers rounded to f32, checked to need only normal, finite f32 numbers
//! and to fit the element type. What samples afterwards cannot fail.

use crate::distribution::cache;
use crate::distribution::diagonal::Diagonal;
use crate::distribution::indexed::Indexed;
use crate::distribution::log_uniform::LogUniform;
use crate::distribution::orthogonal::Orthogonal;
use crate::distribution::range::{at_least, checked_mean, holds, in_range, least_from};
use crate::distribution::sparse::Sparse;
use crate::distribution::unrounded::Unrounded;
use crate::stream::quantile::Truncated;
use crate::stream::sample::Scaling;
use crate::{DType, ErrorKind, Result};

/// The largest |z| of the normal: sqrt(2 ln 2^32), rounded up.
pub(super) const LARGEST_NORMAL: f64 = 6.660_44;

// The smallest nonzero values are 1.5e-14 std for the normal and 2^-24 bound for the uniform; these
// limits keep them, and all that is computed on the way, above 2^-126.
const LEAST_STD: f64 = f64::from_bits((1023 - 78) << 52); // 2^-78
const LEAST_BOUND: f64 = f64::from_bits((1023 - 102) << 52); // 2^-102
/// The table of a truncated normal holds nothing below 2^-80.
const LEAST_TRUNCATED: f64 = f64::from_bits((1023 - 55) << 52); // 2^-55
/// Entries of an orthogonal matrix are sums of terms no smaller than 2^-68, times the gain.
const LEAST_ORTHOGONAL: f64 = f64::from_bits((1023 - 52) << 52); // 2^-52
/// The largest magnitude of an entry of an orthogonal matrix, with a margin for rounding.
pub(super) const LARGEST_ORTHOGONAL: f64 = 1.000_01;

/// A probability distribution for the elements of a tensor, its numbers as the shaders use them.
///
/// Made by [`Initializer::distribution`](crate::Initializer::distribution).
///
/// ```
/// use gpu_init::{DType, Initializer, Layout};
///
/// let distribution = Initializer::xavier_uniform().distribution(&[2, 4].into(), &Layout::OutInKernel, DType::F32)?;
/// assert_eq!((distribution.mean(), distribution.std() as f32), (0.0, (1.0f64 / 3.0).sqrt() as f32));
/// assert_eq!(distribution.bounds(), (-1.0, 1.0)); // sqrt(6 / (2 + 4))
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Distribution {
    /// N(mean, std^2), |value - mean| at most 6.6604 std.
    #[non_exhaustive]
    Normal {
        /// The mean.
        mean: f32,
        /// The standard deviation, above 0.
        std: f32,
    },
    /// U(mean - bound, mean + bound), ends open before rounding.
    #[non_exhaustive]
    Uniform {
        /// The centre.
        mean: f32,
        /// Half the width, above 0.
        bound: f32,
    },
    /// N(mean, std^2) given that it is within `low` to `high`; the probability beyond the last
    /// value on either side is 2^-33.
    #[non_exhaustive]
    #[strum(serialize = "truncated_normal")]
    Truncated {
        /// The mean of the normal before it is truncated.
        mean: f64,
        /// The standard deviation of the normal before it is truncated, above 0.
        std: f64,
        /// The lower bound, or -infinity.
        low: f64,
        /// The upper bound, or infinity.
        high: f64,
        /// The least value of the element type that is not below `low`.
        least: f32,
        /// The largest value of the element type that is not above `high`.
        largest: f32,
    },
    /// One value.
    #[non_exhaustive]
    Constant {
        /// The value.
        value: f32,
    },
    /// One value on a diagonal, zero elsewhere.
    #[non_exhaustive]
    Diagonal {
        /// The value.
        value: f32,
        /// The elements of the diagonal.
        diagonal: Diagonal,
    },
    /// N(0, std^2) with a fixed number of zeros in each column.
    #[non_exhaustive]
    Sparse {
        /// The standard deviation of the other elements, above 0.
        std: f32,
        /// The number of zeros.
        sparse: Sparse,
    },
    /// Haar-distributed orthogonal matrices, zero elsewhere.
    #[non_exhaustive]
    Orthogonal {
        /// Multiplies the matrices.
        gain: f32,
        /// The matrices' shape and indices.
        orthogonal: Orthogonal,
    },
    /// A number whose logarithm is uniform, or that number's inverse softplus; computed by the host.
    #[non_exhaustive]
    LogUniform {
        /// The numbers.
        log_uniform: LogUniform,
    },
    /// Values that depend on the index alone, computed by the host.
    #[non_exhaustive]
    Indexed {
        /// The values.
        indexed: Indexed,
    },
}

impl Distribution {
    /// Rounds and checks the numbers of a distribution that a valid initializer resolved to.
    pub(crate) fn new(distribution: Unrounded, dtype: DType) -> Result<Self, ErrorKind> {
        if dtype.is_integer() {
            return Ok(Distribution::Indexed { indexed: Indexed::integers(distribution, dtype)? });
        }
        match distribution {
            Unrounded::Normal { mean, std } => Self::normal(mean, std, dtype),
            Unrounded::Uniform { mean, bound } => Self::uniform(mean, bound, dtype),
            Unrounded::Truncated(truncated) => Self::truncated_normal(truncated, dtype),
            Unrounded::Constant { value } => Self::constant(value.to_f64(), dtype),
            Unrounded::Diagonal { value, diagonal } => match Self::constant(value, dtype)? {
                Distribution::Constant { value } if value != 0.0 => {
                    Ok(Distribution::Diagonal { value, diagonal })
                }
                zeros => Ok(zeros),
            },
            Unrounded::Sparse { std, sparse } => match Self::normal(0.0, std, dtype)? {
                Distribution::Normal { std, .. } if !sparse.is_empty() => {
                    Ok(Distribution::Sparse { std, sparse })
                }
                _ => Self::constant(0.0, dtype),
            },
            Unrounded::Orthogonal { gain, orthogonal } => Self::orthogonal(gain, orthogonal, dtype),
            Unrounded::Arange { start, step, columns } => {
                let (start, step) = (start.to_f64(), step.to_f64());
                Ok(Distribution::Indexed { indexed: Indexed::arange(start, step, columns, dtype)? })
            }
            Unrounded::LogUniform(log_uniform) => {
                Ok(Distribution::LogUniform { log_uniform: log_uniform.fitting(dtype)? })
            }
            Unrounded::Sinusoidal(sinusoidal) => {
                Ok(Distribution::Indexed { indexed: Indexed::sinusoidal(sinusoidal, dtype)? })
            }
            Unrounded::LogArange { start, step, factor, columns } => {
                let indexed = Indexed::log_arange([start, step, factor], columns, dtype)?;
                Ok(Distribution::Indexed { indexed })
            }
        }
    }

    pub(crate) fn normal(mean: f64, std: f64, dtype: DType) -> Result<Self, ErrorKind> {
        if std == 0.0 {
            return Self::constant(mean, dtype);
        }
        let mean = checked_mean(mean, dtype)?;
        at_least("std", std, LEAST_STD, dtype)?;
        in_range(f64::from(mean).abs() + LARGEST_NORMAL * std, dtype)?;
        Ok(Distribution::Normal { mean, std: std as f32 })
    }

    pub(crate) fn uniform(mean: f64, bound: f64, dtype: DType) -> Result<Self, ErrorKind> {
        if bound == 0.0 {
            return Self::constant(mean, dtype);
        }
        let mean = checked_mean(mean, dtype)?;
        at_least("bound", bound, LEAST_BOUND, dtype)?;
        in_range(f64::from(mean).abs() + bound, dtype)?;
        Ok(Distribution::Uniform { mean, bound: bound as f32 })
    }

    /// The bounds are absolute and may be infinite; the errors call them a and b.
    pub(crate) fn truncated_normal(truncated: Truncated, dtype: DType) -> Result<Self, ErrorKind> {
        let Truncated { mean, std, low, high } = truncated;
        in_range(mean.abs(), dtype)?;
        at_least("std", std, LEAST_TRUNCATED, dtype)?;
        if low >= high {
            // Bounds in sigma that rounding made one.
            return Err(ErrorKind::NoValueBetween { low, high, dtype });
        }
        let (lowest, highest) = truncated.bounds();
        in_range(lowest.abs().max(highest.abs()), dtype)?;
        if f64::from(least_from(low.next_up(), dtype)) >= high {
            return Err(ErrorKind::NoValueBetween { low, high, dtype });
        }
        let [_, spread, _] = cache::moments(truncated);
        at_least("std within the bounds", spread, LEAST_TRUNCATED, dtype)?;
        let (least, largest) = (least_from(low, dtype), 0.0 - least_from(-high, dtype));
        Ok(Distribution::Truncated { mean, std, low, high, least, largest })
    }

    pub(crate) fn constant(value: f64, dtype: DType) -> Result<Self, ErrorKind> {
        holds("val", value, dtype)?;
        Ok(Distribution::Constant { value: value as f32 })
    }

    fn orthogonal(gain: f64, orthogonal: Orthogonal, dtype: DType) -> Result<Self, ErrorKind> {
        if gain == 0.0 {
            return Self::constant(0.0, dtype);
        }
        let deviation = gain.abs() / (orthogonal.height() as f64).sqrt();
        at_least("gain / sqrt(the larger side)", deviation, LEAST_ORTHOGONAL, dtype)?;
        in_range(gain.abs() * LARGEST_ORTHOGONAL, dtype)?;
        Ok(Distribution::Orthogonal { gain: gain as f32, orthogonal })
    }

    /// The distribution of the background, before scattered values are written over it.
    pub(crate) fn base(&self) -> Distribution {
        match *self {
            Distribution::Diagonal { .. } | Distribution::Orthogonal { .. } => {
                Distribution::Constant { value: 0.0 }
            }
            Distribution::Sparse { std, .. } => Distribution::Normal { mean: 0.0, std },
            all => all,
        }
    }

    /// Whether no shader has it: the host computes its values, and uploads them to a GPU.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_uploaded(&self) -> bool {
        matches!(self, Distribution::Indexed { .. } | Distribution::LogUniform { .. })
    }

    /// The factor and the summand of the shader. A truncated normal has both in its table, and
    /// scattered values have neither.
    pub(crate) fn scaling(&self) -> Scaling {
        match *self {
            Distribution::Normal { mean, std } => Scaling::normal(mean, std),
            Distribution::Uniform { mean, bound } => Scaling::uniform(mean, bound),
            Distribution::Constant { value } => Scaling { scale: 0.0, shift: value },
            _ => Scaling { scale: 0.0, shift: 0.0 },
        }
    }

    /// The clamp bounds of a truncated normal: `low` and `high` of the shader's parameters.
    #[cfg(feature = "gpu")]
    pub(crate) fn clamp_bounds(&self) -> [f32; 2] {
        match *self {
            Distribution::Truncated { least, largest, .. } => [least, largest],
            _ => [0.0, 0.0],
        }
    }
}
