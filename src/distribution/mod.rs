//! What an initializer and a shape resolve to: a distribution with its numbers rounded to f32,
//! checked to need only normal, finite f32 numbers and to fit the element type. What samples
//! afterwards cannot fail.

pub(crate) mod cache;
pub(crate) mod diagonal;
pub(crate) mod orthogonal;
pub(crate) mod sparse;

use crate::initializer::Unrounded;
use crate::stream::quantile::Truncated;
use crate::stream::sample::Scaling;
use crate::{DType, ErrorKind, Fill, Result};
pub use diagonal::Diagonal;
pub use orthogonal::Orthogonal;
pub use sparse::Sparse;

/// The largest |z| of the normal: sqrt(2 ln 2^32), rounded up.
pub(crate) const LARGEST_NORMAL: f64 = 6.660_44;

// The smallest nonzero values are 4.0e-12 std for the normal and 2^-24 bound for the uniform; these
// limits keep them, and all that is computed on the way, above 2^-126.
const LEAST_STD: f64 = f64::from_bits((1023 - 86) << 52); // 2^-86
const LEAST_BOUND: f64 = f64::from_bits((1023 - 102) << 52); // 2^-102
/// value + mean cancels to no less than the last place of the mean.
const LEAST_MEAN: f64 = f64::from_bits((1023 - 100) << 52); // 2^-100
/// The table of a truncated normal holds nothing below 2^-80.
const LEAST_TRUNCATED: f64 = f64::from_bits((1023 - 55) << 52); // 2^-55
/// Entries of an orthogonal matrix are sums of terms no smaller than 2^-60, times the gain.
const LEAST_ORTHOGONAL: f64 = f64::from_bits((1023 - 60) << 52); // 2^-60
/// The largest magnitude of an entry of an orthogonal matrix, with room for rounding.
const LARGEST_ORTHOGONAL: f64 = 1.000_01;
/// In f16 a spread below its smallest normal number would leave few values, or only zero.
const LEAST_F16: f64 = f64::from_bits((1023 - 14) << 52); // 2^-14

/// A probability distribution for the elements of a tensor, its numbers as the shaders use them.
///
/// Made by [`Initializer::distribution`](crate::Initializer::distribution).
///
/// ```
/// use gpu_init::{DType, Initializer, Layout};
///
/// let distribution = Initializer::xavier_uniform().distribution(&[2, 4].into(), &Layout::OutInKernel, DType::F32)?;
/// assert_eq!(distribution.mean(), 0.0);
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
    /// One value at some places, zero elsewhere.
    #[non_exhaustive]
    Diagonal {
        /// The value.
        value: f32,
        /// The places.
        diagonal: Diagonal,
    },
    /// N(0, std^2) but for as many zeros in each column.
    #[non_exhaustive]
    Sparse {
        /// The standard deviation of those that are not zero, above 0.
        std: f32,
        /// How many are.
        sparse: Sparse,
    },
    /// Haar-distributed matrices, at their places in zeros.
    #[non_exhaustive]
    Orthogonal {
        /// What the matrices are multiplied by.
        gain: f32,
        /// The matrices.
        orthogonal: Orthogonal,
    },
}

/// What statistics of some elements are to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    pub(crate) std: f64,
    /// E[(x - mean)^4] / std^4, which the sampling error of a standard deviation depends on; 0 for
    /// a constant.
    pub(crate) kurtosis: f64,
}

impl Distribution {
    /// A distribution whose options are those of a valid initializer, its numbers rounded and
    /// checked.
    pub(crate) fn new(distribution: Unrounded, dtype: DType) -> Result<Self, ErrorKind> {
        match distribution {
            Unrounded::Normal { mean, std } => Self::normal(mean, std, dtype),
            Unrounded::Uniform { mean, bound } => Self::uniform(mean, bound, dtype),
            Unrounded::Truncated { mean, std, low, high } => {
                Self::truncated_normal(mean, std, low, high, dtype)
            }
            Unrounded::Constant { value } => Self::constant(value, dtype),
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
    pub(crate) fn truncated_normal(
        mean: f64,
        std: f64,
        low: f64,
        high: f64,
        dtype: DType,
    ) -> Result<Self, ErrorKind> {
        in_range(mean.abs(), dtype)?;
        at_least("std", std, LEAST_TRUNCATED, dtype)?;
        if low >= high {
            // Bounds in sigma that rounding made one.
            return Err(ErrorKind::NoValueBetween { low, high, dtype });
        }
        let distribution = Truncated { mean, std, low, high };
        let (lowest, highest) = distribution.bounds();
        in_range(lowest.abs().max(highest.abs()), dtype)?;
        if f64::from(least_from(low.next_up(), dtype)) >= high {
            return Err(ErrorKind::NoValueBetween { low, high, dtype });
        }
        let [_, spread, _] = cache::moments(distribution);
        at_least("std within the bounds", spread, LEAST_TRUNCATED, dtype)?;
        let (least, largest) = (least_from(low, dtype), 0.0 - least_from(-high, dtype));
        Ok(Distribution::Truncated { mean, std, low, high, least, largest })
    }

    pub(crate) fn constant(value: f64, dtype: DType) -> Result<Self, ErrorKind> {
        // f16 holds subnormal constants as well as it can, but not what would become zero.
        let least = if dtype == DType::F16 { 2f64.powi(-24) } else { f32::MIN_POSITIVE.into() };
        if value != 0.0 && value.abs() < least {
            return Err(ErrorKind::Subnormal { option: "val", value, least, dtype });
        }
        in_range(value.abs(), dtype)?;
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

    /// The name: `normal`, `uniform`, `truncated_normal`, `constant`, `diagonal`, `sparse` or
    /// `orthogonal`.
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

    /// Those of the whole tensor.
    fn whole(&self) -> Moments {
        let elements = match self {
            Distribution::Diagonal { diagonal, .. } => diagonal.elements(),
            Distribution::Orthogonal { orthogonal, .. } => orthogonal.elements(),
            _ => 1,
        };
        self.moments(self.places(0, elements) as f64 / elements as f64)
    }

    /// How many of `len` elements from `first` on are not zero by their place.
    fn places(&self, first: u64, len: u64) -> u64 {
        match self {
            Distribution::Diagonal { diagonal, .. } => diagonal.places(first, len),
            Distribution::Orthogonal { orthogonal, .. } => orthogonal.places(first, len),
            _ => len,
        }
    }

    /// Those of elements of which such a part is not zero by its place.
    fn moments(&self, part: f64) -> Moments {
        let (mean, std, kurtosis) = match *self {
            Distribution::Normal { mean, std } => (mean.into(), std.into(), 3.0),
            Distribution::Uniform { mean, bound } => {
                (mean.into(), f64::from(bound) / 3f64.sqrt(), 1.8)
            }
            Distribution::Truncated { mean, std, low, high, .. } => {
                let [mean, std, kurtosis] = cache::moments(Truncated { mean, std, low, high });
                (mean, std, kurtosis)
            }
            Distribution::Constant { value } => (value.into(), 0.0, 0.0),
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
                // Of nothing but zeros any will do.
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
                // In a tail so far out that it is within a step of the type, all of it becomes the
                // value at the bound.
                let kept = |value: f64| value.clamp(least.into(), largest.into());
                return (kept(lowest), kept(highest));
            }
            Distribution::Constant { .. } => 0.0,
            Distribution::Diagonal { value, .. } => {
                let value = f64::from(value);
                return (value.min(0.0), value.max(0.0));
            }
            Distribution::Sparse { std, .. } => LARGEST_NORMAL * f64::from(std),
            Distribution::Orthogonal { gain, .. } => LARGEST_ORTHOGONAL * f64::from(gain).abs(),
        };
        (self.mean() - reach, self.mean() + reach)
    }

    /// What every element is first, of which other values then take the place of some.
    pub(crate) fn base(&self) -> Distribution {
        match *self {
            Distribution::Diagonal { .. } | Distribution::Orthogonal { .. } => {
                Distribution::Constant { value: 0.0 }
            }
            Distribution::Sparse { std, .. } => Distribution::Normal { mean: 0.0, std },
            all => all,
        }
    }

    /// What the shader multiplies by and adds; a truncated normal has it all in its table, and what
    /// takes the place of other values has none.
    pub(crate) fn scaling(&self) -> Scaling {
        match *self {
            Distribution::Normal { mean, std } => Scaling::normal(mean, std),
            Distribution::Uniform { mean, bound } => Scaling::uniform(mean, bound),
            Distribution::Constant { value } => Scaling { scale: 0.0, shift: value },
            Distribution::Truncated { .. }
            | Distribution::Diagonal { .. }
            | Distribution::Sparse { .. }
            | Distribution::Orthogonal { .. } => Scaling { scale: 0.0, shift: 0.0 },
        }
    }

    /// What the shader keeps a truncated normal within: `low` and `high` of its params.
    #[cfg(feature = "gpu")]
    pub(crate) fn kept_within(&self) -> [f32; 2] {
        match *self {
            Distribution::Truncated { least, largest, .. } => [least, largest],
            _ => [0.0, 0.0],
        }
    }
}

impl Fill {
    /// The sum over all runs of what `count` says of a first index and a length, but for rows that
    /// are zero.
    fn count(&self, count: impl Fn(u64, u64) -> u64) -> u64 {
        let [low, high] = self.zeros.unwrap_or_default();
        self.elements().sum_runs(|first, len| {
            let [start, end] = [low, high].map(|index| index.clamp(first, first + len));
            count(first, len) - count(start, end - start)
        })
    }

    /// How many of these elements are neither in rows that are zero nor zero by their place.
    pub(crate) fn places(&self) -> u64 {
        self.count(|first, len| self.distribution.places(first, len))
    }

    /// What statistics of these elements are to be.
    pub(crate) fn moments(&self) -> Moments {
        let kept = if self.zeros.is_some() { self.count(|_, len| len) } else { self.len };
        let part = match self.distribution {
            Distribution::Diagonal { .. } | Distribution::Orthogonal { .. } => {
                self.places() as f64 / kept.max(1) as f64
            }
            _ => 1.0,
        };
        let all = self.distribution.moments(part);
        if self.zeros.is_none() {
            return all;
        }
        // The distribution with probability q, else 0; a distribution of one value has no kurtosis
        // of its own.
        let q = kept as f64 / self.len as f64;
        let Moments { mean, std, kurtosis } = all;
        let (variance, d) = (std * std, mean * (1.0 - q));
        let joint = q * (variance + d * d) + (1.0 - q) * (q * mean).powi(2);
        let fourth = q * (kurtosis * variance * variance + 6.0 * variance * d * d + d.powi(4))
            + (1.0 - q) * (q * mean).powi(4);
        let kurtosis = if joint > 0.0 { (fourth / joint / joint).max(1.0) } else { 3.0 };
        Moments { mean: q * mean, std: joint.sqrt(), kurtosis }
    }
}

/// Rounded to f32; -0 becomes +0, so that a constant is one zero everywhere.
fn checked_mean(mean: f64, dtype: DType) -> Result<f32, ErrorKind> {
    if mean != 0.0 && mean.abs() < LEAST_MEAN {
        return Err(ErrorKind::Subnormal { option: "mean", value: mean, least: LEAST_MEAN, dtype });
    }
    in_range(mean.abs(), dtype)?;
    Ok(mean as f32 + 0.0)
}

fn at_least(option: &'static str, value: f64, least: f64, dtype: DType) -> Result<(), ErrorKind> {
    let least = if dtype == DType::F16 { LEAST_F16 } else { least };
    if value < least { Err(ErrorKind::Subnormal { option, value, least, dtype }) } else { Ok(()) }
}

fn in_range(largest: f64, dtype: DType) -> Result<(), ErrorKind> {
    let limit = dtype.max();
    if largest <= limit { Ok(()) } else { Err(ErrorKind::Overflow { largest, limit, dtype }) }
}

/// The least value of the element type that is not below `bound`; no subnormal f32.
fn least_from(bound: f64, dtype: DType) -> f32 {
    let (digits, least) = match dtype {
        DType::F32 => (24, f64::from(f32::MIN_POSITIVE)),
        DType::F16 => (11, LEAST_F16),
        DType::BF16 => (8, f64::from(f32::MIN_POSITIVE)),
    };
    let bound = bound.max(-dtype.max());
    // The step of the type at the bound: the power of two not above it, or that of the subnormal
    // numbers.
    let octave = f64::from_bits(bound.abs().max(least).to_bits() & 0x7ff << 52);
    let step = octave * f64::from_bits((1024 - digits) << 52);
    let value = (bound / step).ceil() * step;
    let subnormal = dtype != DType::F16 && value.abs() < least;
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
