//! The initializers, their options and defaults.

use strum::EnumMessage;

use crate::Number;
use crate::initializer::gain::Nonlinearity;

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
/// let same = Initializer::kaiming_normal().mode(FanMode::FanOut)?.nonlinearity(Nonlinearity::Relu)?;
/// assert_eq!(initializer, same);
/// assert_eq!(initializer.to_string(), "kaiming_normal(mode=fan_out, nonlinearity=relu)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Constructors make one with its defaults; setters change its options and refuse those that it
/// does not have, or values that it cannot have ([`gain`](Self::gain)).
#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr, strum::EnumMessage)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Initializer {
    /// Variance scale / fan, the primitive of the schemes by fans:
    /// `jax.nn.initializers.variance_scaling`, `keras.initializers.VarianceScaling`.
    #[non_exhaustive]
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
    #[non_exhaustive]
    XavierNormal {
        /// Multiplies the standard deviation: finite, not negative.
        gain: f64,
        /// Added to every value.
        mean: f64,
    },
    /// U(mean - bound, mean + bound) with bound = sqrt(3) std: `torch.nn.init.xavier_uniform_`.
    #[non_exhaustive]
    XavierUniform {
        /// Multiplies the standard deviation: finite, not negative.
        gain: f64,
        /// Added to every value.
        mean: f64,
    },
    /// N(0, std^2) with std = gain / sqrt(fan), gain that of the nonlinearity: He et al. 2015,
    /// `torch.nn.init.kaiming_normal_`.
    #[non_exhaustive]
    KaimingNormal {
        /// The negative slope of leaky_relu; others ignore it.
        a: f64,
        /// Which fan.
        mode: FanMode,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// U(-bound, bound) with bound = sqrt(3) std: `torch.nn.init.kaiming_uniform_`.
    #[non_exhaustive]
    KaimingUniform {
        /// The negative slope of leaky_relu; others ignore it.
        a: f64,
        /// Which fan.
        mode: FanMode,
        /// What follows the layer.
        nonlinearity: Nonlinearity,
    },
    /// Variance 2 / (fan_in + fan_out), truncated normal: Keras' and JAX's `glorot_normal`.
    #[non_exhaustive]
    GlorotNormal,
    /// Variance 2 / (fan_in + fan_out), uniform: Keras' and JAX's `glorot_uniform`; the same as
    /// `xavier_uniform`.
    #[non_exhaustive]
    GlorotUniform,
    /// Variance 2 / fan_in, truncated normal: Keras' and JAX's `he_normal`.
    #[non_exhaustive]
    HeNormal,
    /// Variance 2 / fan_in, uniform: Keras' and JAX's `he_uniform`.
    #[non_exhaustive]
    HeUniform,
    /// Variance 1 / fan_in, truncated normal: LeCun et al. 1998; Keras' and JAX's `lecun_normal`.
    #[non_exhaustive]
    LecunNormal,
    /// Variance 1 / fan_in, uniform: Keras' and JAX's `lecun_uniform`.
    #[non_exhaustive]
    LecunUniform,
    /// N(mean, std^2).
    #[non_exhaustive]
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation: finite, not negative.
        std: f64,
    },
    /// U(a, b), ends open before the one rounding to the element type.
    #[non_exhaustive]
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
    #[non_exhaustive]
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
    #[non_exhaustive]
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
    #[non_exhaustive]
    Constant {
        /// The value.
        val: Number,
    },
    /// start + step i at index i of the last axis, every row the same: `torch.arange`,
    /// `jax.numpy.arange`. Exact for types of integers; for others it is computed in f64.
    #[non_exhaustive]
    Arange {
        /// The first value of a row.
        start: Number,
        /// The difference of neighbours.
        step: Number,
    },
    /// ln(start + step i) at index i of the last axis, every row the same: the `A_log` of Mamba's
    /// state spaces (Gu and Dao 2023).
    #[non_exhaustive]
    LogArange {
        /// The number whose logarithm is a row's first value: finite, above 0.
        start: f64,
        /// The difference of neighbours before the logarithm.
        step: f64,
    },
    /// A number whose logarithm is uniform between those of `low` and `high`.
    #[non_exhaustive]
    LogUniform {
        /// The least number: finite, above 0.
        low: f64,
        /// The largest number: not below `low`.
        high: f64,
    },
    /// y so that softplus(y) is log-uniform between `low` and `high`, but not below `floor`: the
    /// bias of Mamba's time steps (Gu and Dao 2023).
    #[non_exhaustive]
    InverseSoftplusLogUniform {
        /// The least number before clamping: finite, above 0.
        low: f64,
        /// The largest number: not below `low`.
        high: f64,
        /// What smaller numbers become: above 0.
        floor: f64,
    },
    /// Sines and cosines of the position p, which counts along the last axis but one: of C columns
    /// the first half has sin(p / base^(i / (C / 2 - 1))), the second half the cosines. The
    /// positions of Whisper's encoder (Radford et al. 2022), after Vaswani et al. 2017.
    #[non_exhaustive]
    Sinusoidal {
        /// The ratio of the largest and the smallest frequency: above 1.
        base: f64,
    },
    /// Sines and cosines of the places of a square grid, row by row along the last axis but one:
    /// the first half of the columns tells the place in a row, x, the second half the row, y; each
    /// half has sin(x / base^(i / q)), then cos(x / base^(i / q)), for i below q, a quarter of the
    /// columns. As MAE (He et al. 2021) and DiT (Peebles and Xie 2022) have it.
    #[non_exhaustive]
    #[strum(serialize = "sinusoidal_2d")]
    Sinusoidal2d {
        /// The ratio of the frequencies: above 1.
        base: f64,
    },
    /// `gain` on the diagonal of a matrix, zero elsewhere: `torch.nn.init.eye_`,
    /// `keras.initializers.Identity`.
    #[non_exhaustive]
    Eye {
        /// What the diagonal holds.
        gain: f64,
    },
    /// A convolution, of one to three dimensions, that passes its inputs on: in each group, input i
    /// reaches output i, at the kernel's entry k / 2 (rounded down). `torch.nn.init.dirac_`.
    #[non_exhaustive]
    Dirac {
        /// Groups of outputs, each with the inputs by itself: a divisor of their number.
        groups: u32,
    },
    /// Haar-distributed matrices with orthonormal columns, or rows if those are fewer, times a
    /// gain: Saxe et al. 2013, `torch.nn.init.orthogonal_`, `jax.nn.initializers.orthogonal`.
    /// Dimension 0 by all others in PyTorch's order of axes, all others by the last one in Keras'
    /// and JAX's.
    #[non_exhaustive]
    Orthogonal {
        /// Multiplies the matrix.
        gain: f64,
    },
    /// A convolution whose kernel is zero but for its middle, (k - 1) / 2 rounded down, which is an
    /// orthogonal matrix: Xiao et al. 2018, `jax.nn.initializers.delta_orthogonal`. No more inputs
    /// than outputs.
    #[non_exhaustive]
    DeltaOrthogonal {
        /// Multiplies the matrix.
        gain: f64,
    },
    /// A matrix of N(0, std^2) in whose every column ceil(sparsity rows) elements are zero, chosen
    /// at random: Martens 2010, `torch.nn.init.sparse_`.
    #[non_exhaustive]
    Sparse {
        /// The part of each column that is zero: 0 to 1.
        sparsity: f64,
        /// The standard deviation of the others: finite, not negative.
        std: f64,
    },
}

impl Initializer {
    /// Every scheme with its default options. `constant` and `sparse` have no default for value and
    /// sparsity, which are NaN here.
    pub const ALL: [Self; 27] = [
        Self::variance_scaling(1.0, FanMode::FanIn, VarianceDistribution::TruncatedNormal),
        Self::xavier_normal(),
        Self::xavier_uniform(),
        Self::kaiming_normal(),
        Self::kaiming_uniform(),
        Self::glorot_normal(),
        Self::glorot_uniform(),
        Self::he_normal(),
        Self::he_uniform(),
        Self::lecun_normal(),
        Self::lecun_uniform(),
        Self::normal(0.0, 1.0),
        Self::uniform(0.0, 1.0),
        Self::truncated_normal(0.0, 1.0, -2.0, 2.0),
        Self::truncated_normal_sigma(0.0, 1.0, -2.0, 2.0),
        Self::constant(f64::NAN),
        Initializer::Arange { start: Number::float(0.0), step: Number::float(1.0) },
        Self::log_arange(1.0, 1.0),
        Self::log_uniform(0.001, 0.1),
        Self::inverse_softplus_log_uniform(0.001, 0.1, 0.0001),
        Self::sinusoidal(10_000.0),
        Self::sinusoidal_2d(10_000.0),
        Self::eye(),
        Self::dirac(),
        Self::orthogonal(),
        Self::delta_orthogonal(),
        Self::sparse(f64::NAN),
    ];

    /// [`VarianceScaling`](Self::VarianceScaling).
    pub const fn variance_scaling(
        scale: f64,
        mode: FanMode,
        distribution: VarianceDistribution,
    ) -> Self {
        Initializer::VarianceScaling { scale, mode, distribution }
    }

    /// [`XavierNormal`](Self::XavierNormal) with gain 1 and mean 0.
    pub const fn xavier_normal() -> Self {
        Initializer::XavierNormal { gain: 1.0, mean: 0.0 }
    }

    /// [`XavierUniform`](Self::XavierUniform) with gain 1 and mean 0.
    pub const fn xavier_uniform() -> Self {
        Initializer::XavierUniform { gain: 1.0, mean: 0.0 }
    }

    /// [`KaimingNormal`](Self::KaimingNormal) with PyTorch's defaults: fan_in, and leaky_relu of
    /// slope 0, whose gain is sqrt 2.
    pub const fn kaiming_normal() -> Self {
        let (mode, nonlinearity) = (FanMode::FanIn, Nonlinearity::LeakyRelu);
        Initializer::KaimingNormal { a: 0.0, mode, nonlinearity }
    }

    /// [`KaimingUniform`](Self::KaimingUniform) with PyTorch's defaults: fan_in, and leaky_relu of
    /// slope 0, whose gain is sqrt 2.
    pub const fn kaiming_uniform() -> Self {
        let (mode, nonlinearity) = (FanMode::FanIn, Nonlinearity::LeakyRelu);
        Initializer::KaimingUniform { a: 0.0, mode, nonlinearity }
    }

    /// [`GlorotNormal`](Self::GlorotNormal).
    pub const fn glorot_normal() -> Self {
        Initializer::GlorotNormal
    }

    /// [`GlorotUniform`](Self::GlorotUniform).
    pub const fn glorot_uniform() -> Self {
        Initializer::GlorotUniform
    }

    /// [`HeNormal`](Self::HeNormal).
    pub const fn he_normal() -> Self {
        Initializer::HeNormal
    }

    /// [`HeUniform`](Self::HeUniform).
    pub const fn he_uniform() -> Self {
        Initializer::HeUniform
    }

    /// [`LecunNormal`](Self::LecunNormal).
    pub const fn lecun_normal() -> Self {
        Initializer::LecunNormal
    }

    /// [`LecunUniform`](Self::LecunUniform).
    pub const fn lecun_uniform() -> Self {
        Initializer::LecunUniform
    }

    /// [`Normal`](Self::Normal): N(mean, std^2).
    pub const fn normal(mean: f64, std: f64) -> Self {
        Initializer::Normal { mean, std }
    }

    /// [`Uniform`](Self::Uniform): U(a, b).
    pub const fn uniform(a: f64, b: f64) -> Self {
        Initializer::Uniform { a, b }
    }

    /// [`TruncatedNormal`](Self::TruncatedNormal): N(mean, std^2) between the absolute bounds a and
    /// b.
    pub const fn truncated_normal(mean: f64, std: f64, a: f64, b: f64) -> Self {
        Initializer::TruncatedNormal { mean, std, a, b }
    }

    /// [`TruncatedNormalSigma`](Self::TruncatedNormalSigma): N(mean, std^2) between bounds given in
    /// standard deviations from the mean.
    pub const fn truncated_normal_sigma(mean: f64, std: f64, lower: f64, upper: f64) -> Self {
        Initializer::TruncatedNormalSigma { mean, std, lower, upper }
    }

    /// [`Constant`](Self::Constant): one value.
    pub const fn constant(val: f64) -> Self {
        Initializer::Constant { val: Number::float(val) }
    }

    /// [`Constant`](Self::Constant) of any number, such as an integer that f64 would round.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let mut ids = [0u64; 2];
    /// Cpu::new().fill_into(&TensorSpec::new([2], Initializer::constant_of(u64::MAX)), &mut ids)?;
    /// assert_eq!(ids, [u64::MAX; 2]);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn constant_of(val: impl Into<Number>) -> Self {
        Initializer::Constant { val: val.into() }
    }

    /// [`Arange`](Self::Arange): start, start + step... along the last axis.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let mut ids = [0i64; 6];
    /// Cpu::new().fill_into(&TensorSpec::new([2, 3], Initializer::arange(5, 2)), &mut ids)?;
    /// assert_eq!(ids, [5, 7, 9, 5, 7, 9]);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn arange(start: impl Into<Number>, step: impl Into<Number>) -> Self {
        Initializer::Arange { start: start.into(), step: step.into() }
    }

    /// [`LogUniform`](Self::LogUniform).
    pub const fn log_uniform(low: f64, high: f64) -> Self {
        Initializer::LogUniform { low, high }
    }

    /// [`InverseSoftplusLogUniform`](Self::InverseSoftplusLogUniform).
    pub const fn inverse_softplus_log_uniform(low: f64, high: f64, floor: f64) -> Self {
        Initializer::InverseSoftplusLogUniform { low, high, floor }
    }

    /// [`Sinusoidal`](Self::Sinusoidal), usually with a base of 10,000.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let positions = TensorSpec::new([3, 4], Initializer::sinusoidal(10_000.0));
    /// let values = Cpu::new().fill(&positions)?.to_f32();
    /// assert_eq!(values[..4], [0.0, 0.0, 1.0, 1.0]);
    /// assert_eq!(values[4..6], [1f32.sin(), 1e-4]);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub const fn sinusoidal(base: f64) -> Self {
        Initializer::Sinusoidal { base }
    }

    /// [`Sinusoidal2d`](Self::Sinusoidal2d), usually with a base of 10,000.
    pub const fn sinusoidal_2d(base: f64) -> Self {
        Initializer::Sinusoidal2d { base }
    }

    /// [`LogArange`](Self::LogArange): ln(start), ln(start + step)... along the last axis.
    pub const fn log_arange(start: f64, step: f64) -> Self {
        Initializer::LogArange { start, step }
    }

    /// Zero everywhere.
    pub const fn zeros() -> Self {
        Self::constant(0.0)
    }

    /// One everywhere.
    pub const fn ones() -> Self {
        Self::constant(1.0)
    }

    /// [`Eye`](Self::Eye) with gain 1.
    pub const fn eye() -> Self {
        Initializer::Eye { gain: 1.0 }
    }

    /// [`Dirac`](Self::Dirac) with one group.
    pub const fn dirac() -> Self {
        Initializer::Dirac { groups: 1 }
    }

    /// [`Orthogonal`](Self::Orthogonal) with gain 1.
    pub const fn orthogonal() -> Self {
        Initializer::Orthogonal { gain: 1.0 }
    }

    /// [`DeltaOrthogonal`](Self::DeltaOrthogonal) with gain 1.
    pub const fn delta_orthogonal() -> Self {
        Initializer::DeltaOrthogonal { gain: 1.0 }
    }

    /// [`Sparse`](Self::Sparse) with PyTorch's default standard deviation, 0.01.
    pub const fn sparse(sparsity: f64) -> Self {
        Initializer::Sparse { sparsity, std: 0.01 }
    }

    /// The name, as in the text form and in errors.
    ///
    /// ```
    /// assert_eq!(gpu_init::Initializer::xavier_uniform().name(), "xavier_uniform");
    /// ```
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The scheme's documentation: its distribution, its source, and its name elsewhere.
    ///
    /// ```
    /// let description = gpu_init::Initializer::xavier_normal().description();
    /// assert!(description.contains("Glorot and Bengio 2010"));
    /// ```
    pub fn description(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// Whether the values depend on which axes are inputs and outputs, so that a tensor of three
    /// or more dimensions needs the right [`Layout`](crate::Layout).
    ///
    /// ```
    /// use gpu_init::Initializer;
    ///
    /// assert!(Initializer::xavier_normal().uses_layout());
    /// assert!(!Initializer::normal(0.0, 0.02).uses_layout());
    /// ```
    pub fn uses_layout(&self) -> bool {
        !matches!(
            self,
            Initializer::Normal { .. }
                | Initializer::Uniform { .. }
                | Initializer::TruncatedNormal { .. }
                | Initializer::TruncatedNormalSigma { .. }
                | Initializer::Constant { .. }
                | Initializer::Arange { .. }
                | Initializer::LogArange { .. }
                | Initializer::LogUniform { .. }
                | Initializer::InverseSoftplusLogUniform { .. }
                | Initializer::Sinusoidal { .. }
                | Initializer::Sinusoidal2d { .. }
                | Initializer::Eye { .. }
                | Initializer::Sparse { .. }
        )
    }
}
