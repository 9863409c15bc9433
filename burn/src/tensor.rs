//! Single tensors, and host values as burn's tensors.

use std::fmt::Display;

use burn::tensor::{Device, Tensor, TensorData};
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, TensorSpec};

use crate::dtype;
use crate::error::{Error, Result};

/// Makes a tensor of burn: in place on a wgpu device that was opened by
/// [`open_wgpu`](crate::open_wgpu), with the CPU path's bits on every other.
///
/// The element type is the spec's, F32 unless it says another. A spec without a seed or name has
/// seed 0 and stream 0, every time: name each tensor.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use gpu_init::{Initializer, TensorSpec};
///
/// let spec = TensorSpec::new([64, 32], Initializer::truncated_normal(0.0, 0.02, -0.04, 0.04));
/// let weight: Tensor<2> = gpu_init_burn::tensor(&spec.name("weight").seed(42), &Device::flex())?;
/// assert_eq!(weight.dims(), [64, 32]);
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// Those of [`TensorSpec::resolve`]; [`Error::Rank`] of a spec of another rank or of a range of
/// elements; [`Error::DType`] if the device does not have the type; those of
/// [`gpu_init::Device::fill_all_into`].
pub fn tensor<const D: usize>(spec: &TensorSpec, device: &Device) -> Result<Tensor<D>> {
    let fill = spec.resolve(0, 0)?;
    let shape = spec.local_shape()?.dims().to_vec();
    let elements: u64 = shape.iter().map(|&dim| dim as u64).product();
    if shape.len() != D || fill.len != elements {
        return Err(Error::Rank { elements: fill.len, shape, rank: D });
    }
    let spec = &spec.clone().seed(fill.seed).stream(fill.stream).dtype(fill.dtype);
    let dtype = checked_dtype("tensor: the spec", fill.dtype, device)?;
    #[cfg(feature = "wgpu")]
    if let Some(mut batch) = crate::wgpu::Batch::on(device) {
        let tensor = Tensor::<D>::empty(shape.clone(), (device, dtype));
        if batch.add(spec, &tensor) {
            batch.fill()?;
            return Ok(tensor);
        }
    }
    host(spec, shape, dtype, device)
}

/// The type of burn, if the device has it; an error about `what` if not.
pub(crate) fn checked_dtype(
    what: impl Display,
    dtype: gpu_init::DType,
    device: &Device,
) -> Result<burn::tensor::DType> {
    dtype::burns(dtype).filter(|&dtype| device.supports_dtype(dtype)).ok_or_else(|| Error::DType {
        what: what.to_string(),
        dtype: dtype.to_string(),
        device: format!("{device:?}"),
    })
}

/// A tensor from the CPU path.
pub(crate) fn host<const D: usize>(
    spec: &TensorSpec,
    shape: Vec<usize>,
    dtype: burn::tensor::DType,
    device: &Device,
) -> Result<Tensor<D>> {
    let values = Cpu::new().fill(spec)?;
    let data = match values.dtype() {
        gpu_init::DType::F16 => TensorData::new(values.into_vec::<f16>()?, shape),
        gpu_init::DType::BF16 => TensorData::new(values.into_vec::<bf16>()?, shape),
        gpu_init::DType::F64 => TensorData::new(values.into_vec::<f64>()?, shape),
        _ => TensorData::new(values.into_vec::<f32>()?, shape),
    };
    Ok(Tensor::from_data(data, (device, dtype)))
}
