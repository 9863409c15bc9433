//! Burn's own initializers, as ours.

use gpu_init::{FanMode, Initializer, VarianceDistribution};

/// An initializer for [`init_with`](crate::init_with): ours, or burn's own.
///
/// ```
/// use burn::nn;
/// use gpu_init_burn::IntoInitializer;
///
/// let burns = nn::Initializer::KaimingUniform { gain: 2.0, fan_out_only: false };
/// let ours = burns.into_initializer()?;
/// assert_eq!(ours.to_string(), "variance_scaling(scale=4, distribution=uniform)");
/// # Ok::<(), gpu_init::Error>(())
/// ```
pub trait IntoInitializer {
    /// The initializer of gpu-init with the same distribution.
    ///
    /// # Errors
    /// [`InvalidOption`](gpu_init::ErrorKind::InvalidOption) for a gain that is not a finite number.
    fn into_initializer(self) -> gpu_init::Result<Initializer>;
}

impl IntoInitializer for Initializer {
    fn into_initializer(self) -> gpu_init::Result<Initializer> {
        Ok(self)
    }
}

impl IntoInitializer for burn::nn::Initializer {
    fn into_initializer(self) -> gpu_init::Result<Initializer> {
        (&self).into_initializer()
    }
}

impl IntoInitializer for &burn::nn::Initializer {
    fn into_initializer(self) -> gpu_init::Result<Initializer> {
        use burn::nn::Initializer as Burn;
        Ok(match *self {
            Burn::Constant { value } => Initializer::constant(value),
            Burn::Ones => Initializer::ones(),
            Burn::Zeros => Initializer::zeros(),
            Burn::Uniform { min, max } => Initializer::uniform(min, max),
            Burn::Normal { mean, std } => Initializer::normal(mean, std),
            Burn::KaimingUniform { gain, fan_out_only } => {
                kaiming(gain, fan_out_only, VarianceDistribution::Uniform)
            }
            Burn::KaimingNormal { gain, fan_out_only } => {
                kaiming(gain, fan_out_only, VarianceDistribution::Normal)
            }
            Burn::XavierUniform { gain } => Initializer::xavier_uniform().gain(gain)?,
            Burn::XavierNormal { gain } => Initializer::xavier_normal().gain(gain)?,
            Burn::Orthogonal { gain } => Initializer::orthogonal().gain(gain)?,
        })
    }
}

/// Burn's gain multiplies the standard deviation, 1 / sqrt(fan): its square is the scale.
fn kaiming(gain: f64, fan_out_only: bool, distribution: VarianceDistribution) -> Initializer {
    let mode = if fan_out_only { FanMode::FanOut } else { FanMode::FanIn };
    if gain == 0.0 {
        return Initializer::zeros();
    }
    Initializer::variance_scaling(gain * gain, mode, distribution)
}
