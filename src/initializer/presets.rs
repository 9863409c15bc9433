//! The defaults of the peers' layers, by name.

use crate::initializer::gain::Nonlinearity;
use crate::initializer::scheme::{FanMode, Initializer, VarianceDistribution};

/// sqrt 5, the slope that PyTorch's layers pass to kaiming_uniform: their bound becomes 1 /
/// sqrt(fan_in).
const SQRT_5: f64 = 2.23606797749979;

/// Text names of the peers' defaults, and second names. Each is an initializer of this crate, most
/// with other options.
pub(super) const PRESETS: [(&str, Initializer); 12] = [
    ("identity", Initializer::eye()),
    // torch.nn.Linear, Conv1d to Conv3d and their transposed kinds; burn's Linear and Conv.
    ("pytorch_linear", PYTORCH),
    ("pytorch_conv", PYTORCH),
    ("pytorch_embedding", Initializer::normal(0.0, 1.0)),
    // keras.layers.Dense, Conv1D...: glorot_uniform; keras.initializers with their defaults.
    ("keras_dense", Initializer::glorot_uniform()),
    ("keras_conv", Initializer::glorot_uniform()),
    ("keras_random_normal", Initializer::normal(0.0, 0.05)),
    ("keras_random_uniform", KERAS_UNIFORM),
    ("keras_truncated_normal", Initializer::truncated_normal_sigma(0.0, 0.05, -2.0, 2.0)),
    ("keras_embedding", KERAS_UNIFORM),
    // flax.linen.Dense and Conv: lecun_normal; Embed: variance_scaling(1, fan_in, normal,
    // out_axis=0), whose fan_in is the last axis.
    ("flax_dense", Initializer::lecun_normal()),
    ("flax_embed", FLAX_EMBED),
];

const PYTORCH: Initializer = Initializer::KaimingUniform {
    a: SQRT_5,
    mode: FanMode::FanIn,
    nonlinearity: Nonlinearity::LeakyRelu,
};

const KERAS_UNIFORM: Initializer = Initializer::uniform(-0.05, 0.05);

const FLAX_EMBED: Initializer =
    Initializer::variance_scaling(1.0, FanMode::FanOut, VarianceDistribution::Normal);

impl Initializer {
    /// PyTorch's default for the bias of a Linear or Conv whose weight has this fan_in:
    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let bias = Cpu::new().fill(&TensorSpec::new([3072], Initializer::pytorch_bias(768)))?;
    /// assert!(bias.stats().max <= 1.0 / 768f64.sqrt());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn pytorch_bias(fan_in: u64) -> Self {
        let bound = 1.0 / (fan_in as f64).sqrt();
        Initializer::uniform(-bound, bound)
    }
}
