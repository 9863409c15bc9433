//! The calls by their names: `GpuInit::xavier_normal(&device, shape)` and the same on the host.

use crate::{Cpu, Element, Parameter, Result, Shape};
#[cfg(feature = "gpu")]
use crate::{Device, Tensor};

/// Initializers by name, in GPU memory.
///
/// Each call takes the device's next stream, so two calls never repeat weights. For a name, a seed, a gain
/// or another element type, see [`Parameter`].
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

#[cfg(feature = "gpu")]
impl GpuInit {
    /// N(0, std^2) with std = sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010, `torch.nn.init.xavier_normal_`.
    ///
    /// # Errors
    /// Those of [`Device::fill`].
    pub fn xavier_normal(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&Parameter::xavier_normal(shape))
    }

    /// U(-bound, bound) with bound = sqrt(6 / (fan_in + fan_out)): `torch.nn.init.xavier_uniform_`.
    ///
    /// ```no_run
    /// use gpu_init::{Device, GpuInit};
    ///
    /// let weights = GpuInit::xavier_uniform(&Device::new()?, [64, 3, 7, 7])?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Device::fill`].
    pub fn xavier_uniform(device: &Device, shape: impl Into<Shape>) -> Result<Tensor> {
        device.fill(&Parameter::xavier_uniform(shape))
    }
}

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

impl CpuInit {
    /// N(0, std^2) with std = sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010, `torch.nn.init.xavier_normal_`.
    ///
    /// # Errors
    /// Those of [`Cpu::fill_into`].
    pub fn xavier_normal<T: Element>(cpu: &Cpu, shape: impl Into<Shape>, out: &mut [T]) -> Result<()> {
        cpu.fill_into(&Parameter::xavier_normal(shape), out)
    }

    /// U(-bound, bound) with bound = sqrt(6 / (fan_in + fan_out)): `torch.nn.init.xavier_uniform_`.
    ///
    /// ```
    /// use gpu_init::{Cpu, CpuInit, half::f16};
    ///
    /// let mut weights = vec![f16::ZERO; 64 * 3 * 49];
    /// CpuInit::xavier_uniform(&Cpu::new(), [64, 3, 7, 7], &mut weights)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Cpu::fill_into`].
    pub fn xavier_uniform<T: Element>(cpu: &Cpu, shape: impl Into<Shape>, out: &mut [T]) -> Result<()> {
        cpu.fill_into(&Parameter::xavier_uniform(shape), out)
    }
}
