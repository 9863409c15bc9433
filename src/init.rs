//! The calls by their names: `GpuInit::xavier_normal(&device, shape)` and the same on the host.

use crate::{
    Cpu, Element, FanMode, Initializer, Nonlinearity, Result, Shape, TensorSpec,
    VarianceDistribution,
};
#[cfg(feature = "gpu")]
use crate::{Device, Tensor};

/// Initializers by name, in GPU memory.
///
/// Each call takes the device's next stream, so two calls never repeat weights. For a name, a seed,
/// a layout or another element type, see [`TensorSpec`].
///
/// ```no_run
/// use gpu_init::{Device, GpuInit};
///
/// let device = Device::new()?;
/// let weights = GpuInit::xavier_normal(&device, [4096, 11008])?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[cfg(feature = "gpu")]
#[derive(Debug)]
pub enum GpuInit {}

/// Initializers by name, in the caller's host memory: the same calls and bits as [`GpuInit`].
///
/// ```
/// use gpu_init::{Cpu, CpuInit};
///
/// let mut weights = vec![0f32; 12];
/// CpuInit::xavier_normal(&Cpu::new(), [3, 4], &mut weights)?;
/// assert!(weights.iter().all(|&w| w != 0.0));
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug)]
pub enum CpuInit {}

/// For each scheme its name, options and initializer, and what the example has as shape and
/// options.
macro_rules! schemes {
    ($(
        $(#[$doc:meta])*
        $name:ident($($option:ident: $kind:ty),*) => $initializer:expr, $shape:literal, $options:literal;
    )*) => {
        #[cfg(feature = "gpu")]
        impl GpuInit {
            $(
                $(#[$doc])*
                ///
                /// ```no_run
                /// # use gpu_init::*;
                /// let device = Device::new()?;
                #[doc = concat!(
                    "let weights = GpuInit::", stringify!($name), "(&device, ", $shape, $options, ")?;"
                )]
                /// # Ok::<(), Error>(())
                /// ```
                ///
                /// # Errors
                /// Those of [`Device::fill`].
                pub fn $name(device: &Device, shape: impl Into<Shape> $(, $option: $kind)*) -> Result<Tensor> {
                    device.fill(&TensorSpec::new(shape, $initializer))
                }
            )*
        }

        impl CpuInit {
            $(
                $(#[$doc])*
                ///
                /// ```
                /// # use gpu_init::*;
                #[doc = concat!("let mut weights = vec![half::f16::ZERO; ", $shape, ".iter().product()];")]
                #[doc = concat!(
                    "CpuInit::", stringify!($name), "(&Cpu::new(), ", $shape, $options, ", &mut weights)?;"
                )]
                /// # Ok::<(), Error>(())
                /// ```
                ///
                /// # Errors
                /// Those of [`Cpu::fill_into`].
                pub fn $name<T: Element>(
                    cpu: &Cpu,
                    shape: impl Into<Shape>,
                    $($option: $kind,)*
                    out: &mut [T],
                ) -> Result<()> {
                    cpu.fill_into(&TensorSpec::new(shape, $initializer), out)
                }
            )*
        }
    };
}

schemes! {
    /// N(0, std^2) with std = sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010,
    /// `torch.nn.init.xavier_normal_`.
    xavier_normal() => Initializer::XAVIER_NORMAL, "[64, 128]", "";

    /// U(-bound, bound) with bound = sqrt(6 / (fan_in + fan_out)): `torch.nn.init.xavier_uniform_`.
    xavier_uniform() => Initializer::XAVIER_UNIFORM, "[64, 3, 7, 7]", "";

    /// N(0, gain^2 / fan), gain that of the nonlinearity (`a` is the slope of leaky_relu): He et
    /// al. 2015, `torch.nn.init.kaiming_normal_`.
    kaiming_normal(a: f64, mode: FanMode, nonlinearity: Nonlinearity) =>
        Initializer::KaimingNormal { a, mode, nonlinearity },
        "[64, 3, 7, 7]", ", 0.0, FanMode::FanOut, Nonlinearity::Relu";

    /// U(-bound, bound) with bound = gain sqrt(3 / fan): `torch.nn.init.kaiming_uniform_`.
    kaiming_uniform(a: f64, mode: FanMode, nonlinearity: Nonlinearity) =>
        Initializer::KaimingUniform { a, mode, nonlinearity },
        "[64, 128]", ", 5f64.sqrt(), FanMode::FanIn, Nonlinearity::LeakyRelu";

    /// Variance scale / fan: `jax.nn.initializers.variance_scaling`,
    /// `keras.initializers.VarianceScaling`.
    variance_scaling(scale: f64, mode: FanMode, distribution: VarianceDistribution) =>
        Initializer::VarianceScaling { scale, mode, distribution },
        "[64, 128]", ", 2.0, FanMode::FanAvg, VarianceDistribution::TruncatedNormal";

    /// Variance 2 / (fan_in + fan_out), truncated normal: Keras' and JAX's `glorot_normal`.
    glorot_normal() => Initializer::GlorotNormal, "[64, 128]", "";

    /// Variance 2 / (fan_in + fan_out), uniform: Keras' and JAX's `glorot_uniform`.
    glorot_uniform() => Initializer::GlorotUniform, "[64, 128]", "";

    /// Variance 2 / fan_in, truncated normal: Keras' and JAX's `he_normal`.
    he_normal() => Initializer::HeNormal, "[64, 128]", "";

    /// Variance 2 / fan_in, uniform: Keras' and JAX's `he_uniform`.
    he_uniform() => Initializer::HeUniform, "[64, 128]", "";

    /// Variance 1 / fan_in, truncated normal: LeCun et al. 1998, Keras' and JAX's `lecun_normal`.
    lecun_normal() => Initializer::LecunNormal, "[64, 128]", "";

    /// Variance 1 / fan_in, uniform: Keras' and JAX's `lecun_uniform`.
    lecun_uniform() => Initializer::LecunUniform, "[64, 128]", "";

    /// N(mean, std^2).
    normal(mean: f64, std: f64) => Initializer::Normal { mean, std }, "[64, 128]", ", 0.0, 0.02";

    /// U(a, b).
    uniform(a: f64, b: f64) => Initializer::Uniform { a, b }, "[128]", ", -0.05, 0.05";

    /// N(mean, std^2) given that it is within a to b, which are absolute:
    /// `torch.nn.init.trunc_normal_`.
    truncated_normal(mean: f64, std: f64, a: f64, b: f64) =>
        Initializer::TruncatedNormal { mean, std, a, b },
        "[64, 128]", ", 0.0, 0.02, -2.0, 2.0";

    /// The same with its bounds in standard deviations: `jax.nn.initializers.truncated_normal`.
    truncated_normal_sigma(mean: f64, std: f64, lower: f64, upper: f64) =>
        Initializer::TruncatedNormalSigma { mean, std, lower, upper },
        "[64, 128]", ", 0.0, 0.02, -3.0, 3.0";

    /// One value.
    constant(val: f64) => Initializer::Constant { val }, "[128]", ", 0.1";

    /// Zero.
    zeros() => Initializer::ZEROS, "[128]", "";

    /// One.
    ones() => Initializer::ONES, "[128]", "";

    /// `gain` on the diagonal of a matrix, zero elsewhere: `torch.nn.init.eye_`,
    /// `keras.initializers.Identity`.
    eye(gain: f64) => Initializer::Eye { gain }, "[64, 128]", ", 1.0";

    /// A convolution that passes its inputs on, in each of the groups: `torch.nn.init.dirac_`.
    dirac(groups: u32) => Initializer::Dirac { groups }, "[64, 16, 3, 3]", ", 4";

    /// Haar-distributed orthonormal columns, or rows if those are fewer: Saxe et al. 2013,
    /// `torch.nn.init.orthogonal_`.
    ///
    /// On a GPU this waits for most of its work; `fill_all_with` reports its progress.
    orthogonal(gain: f64) => Initializer::Orthogonal { gain }, "[64, 128]", ", 1.0";

    /// A convolution whose kernel is an orthogonal matrix in its middle: Xiao et al. 2018,
    /// `jax.nn.initializers.delta_orthogonal`.
    delta_orthogonal(gain: f64) => Initializer::DeltaOrthogonal { gain }, "[64, 16, 3, 3]", ", 1.0";

    /// N(0, std^2) but for ceil(sparsity rows) zeros in every column: Martens 2010,
    /// `torch.nn.init.sparse_`.
    sparse(sparsity: f64, std: f64) => Initializer::Sparse { sparsity, std }, "[64, 128]", ", 0.9, 0.01";
}
