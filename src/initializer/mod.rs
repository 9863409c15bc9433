//! What to fill with, in the words of the field: a named scheme and its options, which together
//! with a shape resolve to a [`Distribution`].

mod fans;
mod gain;
mod layout_text;
mod options;
mod presets;
mod resolve;
mod text;

pub use fans::Layout;
pub use gain::{Nonlinearity, calculate_gain};
pub use layout_text::ParseLayoutError;
pub(crate) use resolve::{ONE_EACH, Unrounded, layout_error};
pub use text::ParseInitializerError;

/// Which fan a scheme divides the variance by.
///
/// ```
/// use gpu_init::FanMode;
///
/// assert_eq!("fan_avg".parse(), Ok(FanMode::FanAvg));
/// assert_eq!(FanMode::FanGeoAvg.to_string(), "fan_geo_avg");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames,
)]
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

/// The distribution of [`Initializer::VarianceScaling`].
///
/// ```
/// use gpu_init::VarianceDistribution;
///
/// assert_eq!("truncated_normal".parse(), Ok(VarianceDistribution::TruncatedNormal));
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum VarianceDistribution {
    /// N(0, std^2), not truncated: JAX's "normal", Keras' "untruncated_normal".
    Normal,
    /// Truncated at two standard deviations and widened to have the standard deviation asked for:
    /// Keras' "truncated_normal" and, there, "normal"; JAX's "truncated_normal".
    TruncatedNormal,
    /// U(-bound, bound) with bound = sqrt(3) std.
    Uniform,
}

/// A named initialization scheme with its options.
///
/// The names `xavier_*` and `kaiming_*` are PyTorch's distributions, `glorot_*`, `he_*` and
/// `lecun_*` Keras' and JAX's, whose normals are truncated. As text, in serde too, it is the name
/// and the options in parentheses that differ from the default; the text form also knows the peers'
/// layer defaults (`pytorch_linear`, `keras_dense`, `flax_dense`...).
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
    /// Variance scale / fan, the primitive of the schemes by fans:
    /// `jax.nn.initializers.variance_scaling`, `keras.initializers.VarianceScaling`.
    VarianceScaling {
        /// Above 0.
        scale: f64,
        /// Which fan.
        mode: FanMode,
        /// Which distribution.
        distribution: VarianceDistribution,
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
    /// Variance 2 / (fan_in + fan_out), uniform: Keras' and JAX's `glorot_uniform`; the same as
    /// `xavier_uniform`.
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
    /// N(mean, std^2) given that it is within a to b, which are absolute:
    /// `torch.nn.init.trunc_normal_`.
    ///
    /// No value is outside, none is drawn again, and the bounds may be anywhere: in a tail,
    /// infinite, or so far away that they change nothing.
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
    /// The same with its bounds in standard deviations from the mean:
    /// `jax.nn.initializers.truncated_normal`, `keras.initializers.TruncatedNormal`.
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
    /// `gain` on the diagonal of a matrix, zero elsewhere: `torch.nn.init.eye_`,
    /// `keras.initializers.Identity`.
    Eye {
        /// What the diagonal holds.
        gain: f64,
    },
    /// A convolution, of one to three dimensions, that passes its inputs on: in each group, input i
    /// reaches output i, at the kernel's entry k / 2 (rounded down). `torch.nn.init.dirac_`.
    Dirac {
        /// Groups of outputs, each with the inputs by itself: a divisor of their number.
        groups: u32,
    },
    /// Haar-distributed matrices with orthonormal columns, or rows if those are fewer, times a
    /// gain: Saxe et al. 2013, `torch.nn.init.orthogonal_`, `jax.nn.initializers.orthogonal`.
    /// Dimension 0 by all others in PyTorch's order of axes, all others by the last one in Keras'
    /// and JAX's.
    Orthogonal {
        /// Multiplies the matrix.
        gain: f64,
    },
    /// A convolution whose kernel is zero but for its middle, (k - 1) / 2 rounded down, which is an
    /// orthogonal matrix: Xiao et al. 2018, `jax.nn.initializers.delta_orthogonal`. No more inputs
    /// than outputs.
    DeltaOrthogonal {
        /// Multiplies the matrix.
        gain: f64,
    },
    /// A matrix of N(0, std^2) in whose every column ceil(sparsity rows) elements are zero, chosen
    /// at random: Martens 2010, `torch.nn.init.sparse_`.
    Sparse {
        /// The part of each column that is zero: 0 to 1.
        sparsity: f64,
        /// The standard deviation of the others: finite, not negative.
        std: f64,
    },
}

impl Initializer {
    /// Every scheme, with its default options. `constant` and `sparse` have none: value and
    /// sparsity must be told.
    pub const ALL: [Self; 21] = {
        let (a, mode, nonlinearity) = (0.0, FanMode::FanIn, Nonlinearity::LeakyRelu);
        [
            Initializer::VarianceScaling {
                scale: 1.0,
                mode,
                distribution: VarianceDistribution::TruncatedNormal,
            },
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
            Initializer::Eye { gain: 1.0 },
            Initializer::Dirac { groups: 1 },
            Initializer::Orthogonal { gain: 1.0 },
            Initializer::DeltaOrthogonal { gain: 1.0 },
            Initializer::Sparse { sparsity: f64::NAN, std: 0.01 },
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
            Initializer::Eye { .. } => "eye",
            Initializer::Dirac { .. } => "dirac",
            Initializer::Orthogonal { .. } => "orthogonal",
            Initializer::DeltaOrthogonal { .. } => "delta_orthogonal",
            Initializer::Sparse { .. } => "sparse",
        }
    }
}
