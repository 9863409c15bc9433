//! What to fill with, in the words of the field: a named scheme and its options, which together with a
//! shape resolve to a [`Distribution`].

use std::fmt;
use std::str::FromStr;

use crate::{DType, Distribution, Error, Result, Shape};

/// Which axes of a shape are the inputs and outputs that fan_in and fan_out count.
///
/// ```
/// use gpu_init::{Layout, Shape};
///
/// let conv = Shape::from([64, 3, 7, 7]);
/// assert_eq!(Layout::OutInKernel.fans(&conv), Some((3 * 49, 64 * 49)));
/// let conv = Shape::from([7, 7, 3, 64]);
/// assert_eq!(Layout::KernelInOut.fans(&conv), Some((3 * 49, 64 * 49)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// (out, in, kernel...): PyTorch, candle, tch. Keras and JAX read their own layout.
    #[default]
    OutInKernel,
    /// (kernel..., in, out): Keras, TensorFlow, JAX, Flax; also GPT-2's Conv1D.
    KernelInOut,
}

impl Layout {
    /// (fan_in, fan_out): inputs and outputs times the product of the kernel's dimensions; `None` below
    /// two dimensions.
    pub fn fans(self, shape: &Shape) -> Option<(u64, u64)> {
        let (fan_in, fan_out, kernel) = match (self, shape.dims()) {
            (Layout::OutInKernel, [fan_out, fan_in, kernel @ ..]) => (fan_in, fan_out, kernel),
            (Layout::KernelInOut, [kernel @ .., fan_in, fan_out]) => (fan_in, fan_out, kernel),
            _ => return None,
        };
        let times_kernel =
            |fan: usize| kernel.iter().fold(fan as u64, |product, &dim| product.saturating_mul(dim as u64));
        Some((times_kernel(*fan_in), times_kernel(*fan_out)))
    }
}

/// A named initialization scheme with its options.
///
/// As text it is the name and the options in parentheses that differ from the default:
///
/// ```
/// use gpu_init::Initializer;
///
/// let initializer: Initializer = "xavier-normal(gain=2)".parse()?;
/// assert_eq!(initializer, Initializer::XavierNormal { gain: 2.0, mean: 0.0 });
/// assert_eq!(initializer.to_string(), "xavier_normal(gain=2)");
/// # Ok::<(), gpu_init::ParseInitializerError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Initializer {
    /// N(mean, std^2) with std = gain sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010, not
    /// truncated, as `torch.nn.init.xavier_normal_`.
    XavierNormal {
        /// Multiplies the standard deviation: finite, not negative.
        gain: f64,
        /// Added to every value.
        mean: f64,
    },
    /// U(mean - bound, mean + bound) with bound = sqrt(3) std: `torch.nn.init.xavier_uniform_`.
    XavierUniform {
        /// Multiplies the standard deviation: finite, not negative.
        gain: f64,
        /// Added to every value.
        mean: f64,
    },
    /// N(mean, std^2).
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation: finite, not negative.
        std: f64,
    },
    /// U(low, high), ends open before the one rounding to the element type.
    Uniform {
        /// The lower end.
        low: f64,
        /// The upper end, not below `low`.
        high: f64,
    },
    /// N(mean, std^2) given that it is within a to b, which are absolute: `torch.nn.init.trunc_normal_`.
    ///
    /// No value is outside, none is drawn again, and the bounds may be anywhere: in a tail, infinite, or so far
    /// away that they change nothing.
    TruncatedNormal {
        /// The mean before the truncation; it may be outside the bounds.
        mean: f64,
        /// The standard deviation before the truncation: finite, above 0.
        std: f64,
        /// The lower bound, or -infinity.
        a: f64,
        /// The upper bound, above `a`, or infinity.
        b: f64,
    },
    /// One value everywhere.
    Constant {
        /// The value.
        value: f64,
    },
}

impl Initializer {
    /// Xavier normal with gain 1 and mean 0.
    pub const XAVIER_NORMAL: Self = Initializer::XavierNormal { gain: 1.0, mean: 0.0 };
    /// Xavier uniform with gain 1 and mean 0.
    pub const XAVIER_UNIFORM: Self = Initializer::XavierUniform { gain: 1.0, mean: 0.0 };
    /// Zero everywhere.
    pub const ZEROS: Self = Initializer::Constant { value: 0.0 };
    /// One everywhere.
    pub const ONES: Self = Initializer::Constant { value: 1.0 };

    /// The name, as the text form and the errors have it.
    ///
    /// ```
    /// assert_eq!(gpu_init::Initializer::XAVIER_UNIFORM.name(), "xavier_uniform");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Initializer::XavierNormal { .. } => "xavier_normal",
            Initializer::XavierUniform { .. } => "xavier_uniform",
            Initializer::Normal { .. } => "normal",
            Initializer::Uniform { .. } => "uniform",
            Initializer::TruncatedNormal { .. } => "truncated_normal",
            Initializer::Constant { .. } => "constant",
        }
    }

    /// The distribution for a shape, computed in f64 and rounded once to f32.
    ///
    /// ```
    /// use gpu_init::{DType, Initializer, Layout};
    ///
    /// let law = Initializer::XAVIER_NORMAL.distribution(&[300, 100].into(), Layout::OutInKernel, DType::F32)?;
    /// assert_eq!(law.std() as f32, (2.0f64 / 400.0).sqrt() as f32);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooFewDims`] where fans are needed and the shape has fewer than two dimensions,
    /// [`Error::ZeroSized`], [`Error::SizeOverflow`], [`Error::InvalidOption`] for an option that is not
    /// finite or out of its range, [`Error::Subnormal`] and [`Error::Overflow`] if `dtype` cannot hold
    /// the values, [`Error::NoValueBetween`] if it has none within the bounds.
    pub fn distribution(&self, shape: &Shape, layout: Layout, dtype: DType) -> Result<Distribution> {
        let operation = self.name();
        shape.elements(operation)?;
        let xavier_std = |gain: f64| -> Result<f64> {
            let (fan_in, fan_out) =
                layout.fans(shape).ok_or_else(|| Error::TooFewDims { operation, shape: shape.clone() })?;
            let gain = not_negative(operation, "gain", gain)?;
            Ok(gain * (2.0 / (fan_in as f64 + fan_out as f64)).sqrt())
        };
        match *self {
            Initializer::XavierNormal { gain, mean } => Distribution::normal(operation, mean, xavier_std(gain)?, dtype),
            Initializer::XavierUniform { gain, mean } => {
                Distribution::uniform(operation, mean, 3f64.sqrt() * xavier_std(gain)?, dtype)
            }
            Initializer::Normal { mean, std } => {
                Distribution::normal(operation, mean, not_negative(operation, "std", std)?, dtype)
            }
            Initializer::Uniform { low, high } => {
                finite(operation, "low", low)?;
                if finite(operation, "high", high)? < low {
                    let expected = "a finite number not below low";
                    return Err(Error::InvalidOption { operation, option: "high", value: high, expected });
                }
                Distribution::uniform(operation, low / 2.0 + high / 2.0, high / 2.0 - low / 2.0, dtype)
            }
            Initializer::TruncatedNormal { mean, std, a, b } => {
                Distribution::truncated_normal(operation, mean, std, a, b, dtype)
            }
            Initializer::Constant { value } => Distribution::constant(operation, value, dtype),
        }
    }

    /// The options: name, value, default.
    fn options(&self) -> [Option<(&'static str, f64, f64)>; 4] {
        match *self {
            Initializer::XavierNormal { gain, mean } | Initializer::XavierUniform { gain, mean } => {
                [Some(("gain", gain, 1.0)), Some(("mean", mean, 0.0)), None, None]
            }
            Initializer::Normal { mean, std } => [Some(("mean", mean, 0.0)), Some(("std", std, 1.0)), None, None],
            Initializer::Uniform { low, high } => [Some(("low", low, 0.0)), Some(("high", high, 1.0)), None, None],
            Initializer::TruncatedNormal { mean, std, a, b } => {
                [Some(("mean", mean, 0.0)), Some(("std", std, 1.0)), Some(("a", a, -2.0)), Some(("b", b, 2.0))]
            }
            Initializer::Constant { value } => [Some(("value", value, f64::NAN)), None, None, None],
        }
    }

    /// The option of that name, to be set.
    pub(crate) fn option_mut(&mut self, option: &str) -> Option<&mut f64> {
        match (self, option) {
            (Initializer::XavierNormal { gain, .. } | Initializer::XavierUniform { gain, .. }, "gain") => Some(gain),
            (
                Initializer::XavierNormal { mean, .. }
                | Initializer::XavierUniform { mean, .. }
                | Initializer::Normal { mean, .. }
                | Initializer::TruncatedNormal { mean, .. },
                "mean",
            ) => Some(mean),
            (Initializer::Normal { std, .. } | Initializer::TruncatedNormal { std, .. }, "std") => Some(std),
            (Initializer::TruncatedNormal { a, .. }, "a") => Some(a),
            (Initializer::TruncatedNormal { b, .. }, "b") => Some(b),
            (Initializer::Uniform { low, .. }, "low") => Some(low),
            (Initializer::Uniform { high, .. }, "high") => Some(high),
            (Initializer::Constant { value }, "value") => Some(value),
            _ => None,
        }
    }
}

pub(crate) fn finite(operation: &'static str, option: &'static str, value: f64) -> Result<f64> {
    let expected = "a finite number";
    if value.is_finite() { Ok(value) } else { Err(Error::InvalidOption { operation, option, value, expected }) }
}

fn not_negative(operation: &'static str, option: &'static str, value: f64) -> Result<f64> {
    let expected = "a finite number not below 0";
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(Error::InvalidOption { operation, option, value, expected })
    }
}

impl fmt::Display for Initializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ZEROS || *self == Self::ONES {
            return f.write_str(if *self == Self::ZEROS { "zeros" } else { "ones" });
        }
        f.write_str(self.name())?;
        let changed: Vec<String> = self
            .options()
            .iter()
            .flatten()
            .filter(|(_, value, default)| value != default)
            .map(|(option, value, _)| format!("{option}={value}"))
            .collect();
        if changed.is_empty() { Ok(()) } else { write!(f, "({})", changed.join(", ")) }
    }
}

/// The text is no initializer.
///
/// ```
/// let error = "xavier_normal(gian=2)".parse::<gpu_init::Initializer>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot read initializer \"xavier_normal(gian=2)\": xavier_normal has no option \"gian\"; it has gain, mean"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read initializer {text:?}: {reason}")]
pub struct ParseInitializerError {
    text: String,
    reason: String,
}

impl FromStr for Initializer {
    type Err = ParseInitializerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason: String| ParseInitializerError { text: text.to_owned(), reason };
        let (name, options) = match text.trim().split_once('(') {
            None => (text.trim(), ""),
            Some((name, rest)) => {
                let rest = rest.strip_suffix(')').ok_or_else(|| fail("the closing parenthesis is missing".into()))?;
                (name.trim(), rest)
            }
        };
        let mut initializer = match name.to_ascii_lowercase().replace('-', "_").as_str() {
            "xavier_normal" => Self::XAVIER_NORMAL,
            "xavier_uniform" => Self::XAVIER_UNIFORM,
            "normal" => Initializer::Normal { mean: 0.0, std: 1.0 },
            "uniform" => Initializer::Uniform { low: 0.0, high: 1.0 },
            "truncated_normal" => Initializer::TruncatedNormal { mean: 0.0, std: 1.0, a: -2.0, b: 2.0 },
            "constant" => Initializer::Constant { value: f64::NAN },
            "zeros" => Self::ZEROS,
            "ones" => Self::ONES,
            _ => {
                return Err(fail(format!(
                    "there is no {name:?}; use xavier_normal, xavier_uniform, normal, uniform, truncated_normal, \
                     constant, zeros or ones"
                )));
            }
        };
        for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            let (key, value) =
                option.split_once('=').ok_or_else(|| fail(format!("{option:?} is not of the form option=value")))?;
            let (key, value) = (key.trim(), value.trim());
            let number = value.parse().map_err(|_| fail(format!("{key} = {value:?} is not a number")))?;
            let names: Vec<&str> = initializer.options().iter().flatten().map(|(name, ..)| *name).collect();
            match initializer.option_mut(key) {
                Some(slot) => *slot = number,
                None => return Err(fail(format!("{name} has no option {key:?}; it has {}", names.join(", ")))),
            }
        }
        match initializer {
            Initializer::Constant { value } if value.is_nan() => Err(fail("constant needs value=...".into())),
            _ => Ok(initializer),
        }
    }
}
