//! What to fill with, in the words of the field: a named scheme and its options, which together with a
//! shape resolve to a [`Distribution`].

mod fans;
mod gain;
mod layout_text;
mod presets;
mod text;

pub use fans::Layout;
pub use gain::{Nonlinearity, calculate_gain};
pub use layout_text::ParseLayoutError;
pub use text::ParseInitializerError;

use crate::{DType, Distribution, Error, Result, Shape};
use text::Slot;

/// Which fan a scheme divides the variance by.
///
/// ```
/// use gpu_init::FanMode;
///
/// assert_eq!("fan_avg".parse(), Ok(FanMode::FanAvg));
/// assert_eq!(FanMode::FanGeoAvg.to_string(), "fan_geo_avg");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum FanMode {
    /// Inputs: keeps the variance of activations.
    FanIn,
    /// Outputs: keeps the variance of gradients.
    FanOut,
    /// (fan_in + fan_out) / 2.
    FanAvg,
    /// sqrt(fan_in fan_out): JAX.
    FanGeoAvg,
}

/// The law of [`Initializer::VarianceScaling`].
///
/// ```
/// use gpu_init::VarianceLaw;
///
/// assert_eq!("truncated_normal".parse(), Ok(VarianceLaw::TruncatedNormal));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum VarianceLaw {
    /// N(0, std^2), not truncated: JAX's "normal", Keras' "untruncated_normal".
    Normal,
    /// Truncated at two standard deviations and widened to have the standard deviation asked for: Keras'
    /// "truncated_normal" and, there, "normal"; JAX's "truncated_normal".
    TruncatedNormal,
    /// U(-bound, bound) with bound = sqrt(3) std.
    Uniform,
}

/// The standard deviation of N(0, 1) truncated at -2 and 2, which Keras and JAX divide by.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// A named initialization scheme with its options.
///
/// The names `xavier_*` and `kaiming_*` are PyTorch's distributions, `glorot_*`, `he_*` and `lecun_*` Keras' and
/// JAX's, whose normals are truncated. As text, in serde too, it is the name and the options in parentheses that
/// differ from the default; the text form also knows the peers' layer defaults (`pytorch_linear`, `keras_dense`,
/// `flax_dense`...).
///
/// ```
/// use gpu_init::{FanMode, Initializer, Nonlinearity};
///
/// let initializer: Initializer = "kaiming-normal(mode=fan_out, nonlinearity=relu)".parse()?;
/// let (mode, nonlinearity) = (FanMode::FanOut, Nonlinearity::Relu);
/// assert_eq!(initializer, Initializer::KaimingNormal { a: 0.0, mode, nonlinearity });
/// assert_eq!(initializer.to_string(), "kaiming_normal(mode=fan_out, nonlinearity=relu)");
/// # Ok::<(), gpu_init::ParseInitializerError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Initializer {
    /// Variance scale / fan, the primitive of the schemes by fans: `jax.nn.initializers.variance_scaling`,
    /// `keras.initializers.VarianceScaling`.
    VarianceScaling {
        /// Above 0.
        scale: f64,
        /// Which fan.
        mode: FanMode,
        /// Which law.
        distribution: VarianceLaw,
    },
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
    /// N(0, std^2) with std = gain / sqrt(fan), gain that of the nonlinearity: He et al. 2015,
    /// `torch.nn.init.kaiming_normal_`.
    KaimingNormal {
        /// The negative slope of leaky_relu; others ignore it.
        a: f64,
        /// Which fan.
        mode: FanMode,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// U(-bound, bound) with bound = sqrt(3) std: `torch.nn.init.kaiming_uniform_`.
    KaimingUniform {
        /// The negative slope of leaky_relu; others ignore it.
        a: f64,
        /// Which fan.
        mode: FanMode,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// Variance 2 / (fan_in + fan_out), truncated normal: Keras' and JAX's `glorot_normal`.
    GlorotNormal,
    /// Variance 2 / (fan_in + fan_out), uniform: Keras' and JAX's `glorot_uniform`; the same as `xavier_uniform`.
    GlorotUniform,
    /// Variance 2 / fan_in, truncated normal: Keras' and JAX's `he_normal`.
    HeNormal,
    /// Variance 2 / fan_in, uniform: Keras' and JAX's `he_uniform`.
    HeUniform,
    /// Variance 1 / fan_in, truncated normal: LeCun et al. 1998; Keras' and JAX's `lecun_normal`.
    LecunNormal,
    /// Variance 1 / fan_in, uniform: Keras' and JAX's `lecun_uniform`.
    LecunUniform,
    /// N(mean, std^2).
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation: finite, not negative.
        std: f64,
    },
    /// U(a, b), ends open before the one rounding to the element type.
    Uniform {
        /// The lower end.
        a: f64,
        /// The upper end, not below `a`.
        b: f64,
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
    /// The same with its bounds in standard deviations from the mean: `jax.nn.initializers.truncated_normal`,
    /// `keras.initializers.TruncatedNormal`.
    TruncatedNormalSigma {
        /// The mean before the truncation.
        mean: f64,
        /// The standard deviation before the truncation, not corrected for it: finite, above 0.
        std: f64,
        /// The lower bound over std, or -infinity.
        lower: f64,
        /// The upper bound over std, above `lower`, or infinity.
        upper: f64,
    },
    /// One value everywhere.
    Constant {
        /// The value.
        val: f64,
    },
}

impl Initializer {
    /// Every scheme, with its default options. `constant` has none: its value must be told.
    pub const ALL: [Self; 16] = {
        let (a, mode, nonlinearity) = (0.0, FanMode::FanIn, Nonlinearity::LeakyRelu);
        [
            Initializer::VarianceScaling { scale: 1.0, mode, distribution: VarianceLaw::TruncatedNormal },
            Self::XAVIER_NORMAL,
            Self::XAVIER_UNIFORM,
            Initializer::KaimingNormal { a, mode, nonlinearity },
            Initializer::KaimingUniform { a, mode, nonlinearity },
            Initializer::GlorotNormal,
            Initializer::GlorotUniform,
            Initializer::HeNormal,
            Initializer::HeUniform,
            Initializer::LecunNormal,
            Initializer::LecunUniform,
            Initializer::Normal { mean: 0.0, std: 1.0 },
            Initializer::Uniform { a: 0.0, b: 1.0 },
            Initializer::TruncatedNormal { mean: 0.0, std: 1.0, a: -2.0, b: 2.0 },
            Initializer::TruncatedNormalSigma { mean: 0.0, std: 1.0, lower: -2.0, upper: 2.0 },
            Initializer::Constant { val: f64::NAN },
        ]
    };
    /// Xavier normal with gain 1 and mean 0.
    pub const XAVIER_NORMAL: Self = Initializer::XavierNormal { gain: 1.0, mean: 0.0 };
    /// Xavier uniform with gain 1 and mean 0.
    pub const XAVIER_UNIFORM: Self = Initializer::XavierUniform { gain: 1.0, mean: 0.0 };
    /// Zero everywhere.
    pub const ZEROS: Self = Initializer::Constant { val: 0.0 };
    /// One everywhere.
    pub const ONES: Self = Initializer::Constant { val: 1.0 };

    /// The name, as the text form and the errors have it.
    ///
    /// ```
    /// assert_eq!(gpu_init::Initializer::XAVIER_UNIFORM.name(), "xavier_uniform");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Initializer::VarianceScaling { .. } => "variance_scaling",
            Initializer::XavierNormal { .. } => "xavier_normal",
            Initializer::XavierUniform { .. } => "xavier_uniform",
            Initializer::KaimingNormal { .. } => "kaiming_normal",
            Initializer::KaimingUniform { .. } => "kaiming_uniform",
            Initializer::GlorotNormal => "glorot_normal",
            Initializer::GlorotUniform => "glorot_uniform",
            Initializer::HeNormal => "he_normal",
            Initializer::HeUniform => "he_uniform",
            Initializer::LecunNormal => "lecun_normal",
            Initializer::LecunUniform => "lecun_uniform",
            Initializer::Normal { .. } => "normal",
            Initializer::Uniform { .. } => "uniform",
            Initializer::TruncatedNormal { .. } => "truncated_normal",
            Initializer::TruncatedNormalSigma { .. } => "truncated_normal_sigma",
            Initializer::Constant { .. } => "constant",
        }
    }

    /// The distribution for a shape, computed in f64 and rounded once to f32.
    ///
    /// ```
    /// use gpu_init::{DType, Initializer, Layout};
    ///
    /// let law = Initializer::XAVIER_NORMAL.distribution(&[300, 100].into(), &Layout::OutInKernel, DType::F32)?;
    /// assert_eq!(law.std() as f32, (2.0f64 / 400.0).sqrt() as f32);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooFewDims`] where fans are needed and the shape has fewer than two dimensions,
    /// [`Error::Layout`], [`Error::ZeroSized`], [`Error::SizeOverflow`], [`Error::InvalidOption`] for an
    /// option that is not finite or out of its range, [`Error::Subnormal`] and [`Error::Overflow`] if `dtype`
    /// cannot hold the values, [`Error::NoValueBetween`] if it has none within the bounds.
    pub fn distribution(&self, shape: &Shape, layout: &Layout, dtype: DType) -> Result<Distribution> {
        let operation = self.name();
        shape.elements(operation)?;
        self.validate()?;
        // Every scheme by fans is one line over this.
        let scaled = |gain: f64, mode: FanMode, law: VarianceLaw, mean: f64| -> Result<Distribution> {
            let std = gain * (1.0 / fan(operation, shape, layout, mode)?).sqrt();
            match law {
                VarianceLaw::Normal => Distribution::normal(operation, mean, std, dtype),
                VarianceLaw::Uniform => Distribution::uniform(operation, mean, 3f64.sqrt() * std, dtype),
                VarianceLaw::TruncatedNormal => {
                    let wide = std / TRUNCATED_STD;
                    Distribution::truncated_normal(operation, mean, wide, mean - 2.0 * wide, mean + 2.0 * wide, dtype)
                }
            }
        };
        use {FanMode::*, VarianceLaw::*};
        match *self {
            Initializer::VarianceScaling { scale, mode, distribution } => scaled(scale.sqrt(), mode, distribution, 0.0),
            Initializer::XavierNormal { gain, mean } => scaled(gain, FanAvg, Normal, mean),
            Initializer::XavierUniform { gain, mean } => scaled(gain, FanAvg, Uniform, mean),
            Initializer::KaimingNormal { a, mode, nonlinearity } => {
                scaled(calculate_gain(nonlinearity, Some(a)), mode, Normal, 0.0)
            }
            Initializer::KaimingUniform { a, mode, nonlinearity } => {
                scaled(calculate_gain(nonlinearity, Some(a)), mode, Uniform, 0.0)
            }
            Initializer::GlorotNormal => scaled(1.0, FanAvg, TruncatedNormal, 0.0),
            Initializer::GlorotUniform => scaled(1.0, FanAvg, Uniform, 0.0),
            Initializer::HeNormal => scaled(2f64.sqrt(), FanIn, TruncatedNormal, 0.0),
            Initializer::HeUniform => scaled(2f64.sqrt(), FanIn, Uniform, 0.0),
            Initializer::LecunNormal => scaled(1.0, FanIn, TruncatedNormal, 0.0),
            Initializer::LecunUniform => scaled(1.0, FanIn, Uniform, 0.0),
            Initializer::Normal { mean, std } => Distribution::normal(operation, mean, std, dtype),
            Initializer::Uniform { a, b } => {
                Distribution::uniform(operation, a / 2.0 + b / 2.0, b / 2.0 - a / 2.0, dtype)
            }
            Initializer::TruncatedNormal { mean, std, a, b } => {
                Distribution::truncated_normal(operation, mean, std, a, b, dtype)
            }
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => {
                Distribution::truncated_normal(operation, mean, std, mean + lower * std, mean + upper * std, dtype)
            }
            Initializer::Constant { val } => Distribution::constant(operation, val, dtype),
        }
    }

    /// Checks what can be checked without a shape.
    pub(crate) fn validate(&self) -> Result<()> {
        let operation = self.name();
        let check = |option, value: f64, good: bool, expected| {
            if value.is_finite() && good {
                Ok(())
            } else {
                Err(Error::InvalidOption { operation, option, value, expected })
            }
        };
        let finite = |option, value| check(option, value, true, "a finite number");
        let not_negative = |option, value| check(option, value, value >= 0.0, "a finite number not below 0");
        let bounded = |lower: &'static str, upper: &'static str, mean, std, low: f64, high: f64| {
            let invalid = |option, value, expected| Err(Error::InvalidOption { operation, option, value, expected });
            finite("mean", mean)?;
            check("std", std, std > 0.0, "a finite number above 0")?;
            if low.is_nan() {
                return invalid(lower, low, "a number below the upper bound, or -inf");
            }
            if high > low { Ok(()) } else { invalid(upper, high, "a number above the lower bound, or inf") }
        };
        match *self {
            Initializer::VarianceScaling { scale, .. } => check("scale", scale, scale > 0.0, "a finite number above 0"),
            Initializer::XavierNormal { gain, mean } | Initializer::XavierUniform { gain, mean } => {
                not_negative("gain", gain).and(finite("mean", mean))
            }
            Initializer::KaimingNormal { a, .. } | Initializer::KaimingUniform { a, .. } => finite("a", a),
            Initializer::Normal { mean, std } => finite("mean", mean).and(not_negative("std", std)),
            Initializer::Uniform { a, b } => finite("a", a).and(check("b", b, b >= a, "a finite number not below a")),
            Initializer::TruncatedNormal { mean, std, a, b } => bounded("a", "b", mean, std, a, b),
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => {
                bounded("lower", "upper", mean, std, lower, upper)
            }
            Initializer::Constant { val } => finite("val", val),
            Initializer::GlorotNormal
            | Initializer::GlorotUniform
            | Initializer::HeNormal
            | Initializer::HeUniform
            | Initializer::LecunNormal
            | Initializer::LecunUniform => Ok(()),
        }
    }

    /// The options, to be shown or set, in the order of the text form.
    fn options_mut(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        match self {
            Initializer::VarianceScaling { scale, mode, distribution } => {
                vec![
                    ("scale", Slot::Number(scale)),
                    ("mode", Slot::Mode(mode)),
                    ("distribution", Slot::Law(distribution)),
                ]
            }
            Initializer::XavierNormal { gain, mean } | Initializer::XavierUniform { gain, mean } => {
                vec![("gain", Slot::Number(gain)), ("mean", Slot::Number(mean))]
            }
            Initializer::KaimingNormal { a, mode, nonlinearity }
            | Initializer::KaimingUniform { a, mode, nonlinearity } => vec![
                ("a", Slot::Number(a)),
                ("mode", Slot::Mode(mode)),
                ("nonlinearity", Slot::Nonlinearity(nonlinearity)),
            ],
            Initializer::Normal { mean, std } => vec![("mean", Slot::Number(mean)), ("std", Slot::Number(std))],
            Initializer::Uniform { a, b } => vec![("a", Slot::Number(a)), ("b", Slot::Number(b))],
            Initializer::TruncatedNormal { mean, std, a, b } => {
                vec![
                    ("mean", Slot::Number(mean)),
                    ("std", Slot::Number(std)),
                    ("a", Slot::Number(a)),
                    ("b", Slot::Number(b)),
                ]
            }
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => vec![
                ("mean", Slot::Number(mean)),
                ("std", Slot::Number(std)),
                ("lower", Slot::Number(lower)),
                ("upper", Slot::Number(upper)),
            ],
            Initializer::Constant { val } => vec![("val", Slot::Number(val))],
            Initializer::GlorotNormal
            | Initializer::GlorotUniform
            | Initializer::HeNormal
            | Initializer::HeUniform
            | Initializer::LecunNormal
            | Initializer::LecunUniform => Vec::new(),
        }
    }

    /// Sets a number by its option's name; whether the initializer has such an option.
    pub(crate) fn set_number(&mut self, option: &str, value: f64) -> bool {
        let slot = self.options_mut().into_iter().find(|(name, _)| *name == option);
        let Some((_, Slot::Number(number))) = slot else { return false };
        *number = value;
        true
    }
}

/// The fan that a mode divides by.
fn fan(operation: &'static str, shape: &Shape, layout: &Layout, mode: FanMode) -> Result<f64> {
    if shape.dims().len() < 2 {
        return Err(Error::TooFewDims { operation, shape: shape.clone() });
    }
    let (fan_in, fan_out) =
        layout.fans(shape).ok_or_else(|| Error::Layout { operation, shape: shape.clone(), layout: layout.clone() })?;
    let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
    Ok(match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => (fan_in + fan_out) / 2.0,
        FanMode::FanGeoAvg => (fan_in * fan_out).sqrt(),
    })
}

pub(crate) fn finite(operation: &'static str, option: &'static str, value: f64) -> Result<f64> {
    let expected = "a finite number";
    if value.is_finite() { Ok(value) } else { Err(Error::InvalidOption { operation, option, value, expected }) }
}
