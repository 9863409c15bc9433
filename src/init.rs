//! The common schemes as one call each: `GpuInit::xavier_normal(&device, shape)`.

use crate::{Device, Initializer, Result, Shape, Tensor, TensorSpec};

/// The common schemes by name, in GPU memory.
///
/// Each call takes the device's next stream, so two calls never repeat weights. For other schemes
/// and options, a name, a seed, a layout or another element type, see [`Device::fill`], whose errors
/// are those of every call.
///
/// ```no_run
/// use gpu_init::{Device, GpuInit};
///
/// let device = Device::new()?;
/// let weights = GpuInit::xavier_normal(&device, [4096, 11008])?;
/// let bias = GpuInit::zeros(&device, [11008])?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug)]
pub enum GpuInit {}

impl GpuInit {
    /// N(0, std^2) with std = sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010,
    /// `torch.nn.init.xavier_normal_`.
    pub fn xavier_normal(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::xavier_normal()))
    }

    /// U(-bound, bound) with bound = sqrt(6 / (fan_in + fan_out)): `torch.nn.init.xavier_uniform_`.
    pub fn xavier_uniform(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::xavier_uniform()))
    }

    /// N(0, 2 / fan_in): He et al. 2015, `torch.nn.init.kaiming_normal_` with its defaults.
    pub fn kaiming_normal(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::kaiming_normal()))
    }

    /// U(-bound, bound) with bound = sqrt(6 / fan_in): `torch.nn.init.kaiming_uniform_` with its
    /// defaults.
    pub fn kaiming_uniform(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::kaiming_uniform()))
    }

    /// N(mean, std^2).
    pub fn normal(device: &Device, shape: impl Into<Shape>, mean: f64, std: f64) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::normal(mean, std)))
    }

    /// U(a, b).
    pub fn uniform(device: &Device, shape: impl Into<Shape>, a: f64, b: f64) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::uniform(a, b)))
    }

    /// Zero everywhere.
    pub fn zeros(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&TensorSpec::new(shape, Initializer::zeros()))
    }
}
