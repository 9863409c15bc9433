//! `--out FILE.npy` of one tensor.

use std::io::Write;

use gpu_init::half::{bf16, f16};
use gpu_init::{DType, Element};
use npyz::WriterBuilder;

use crate::backend::device::Filled;
use crate::checkpoint::output::destination::Destination;
use crate::terminal::progress::not_interrupted;

/// Elements read back at a time: 32 MiB of F32.
const SLICE: u64 = 1 << 23;

/// Saves a tensor. BF16 has no .npy type: it is saved as its 16-bit words.
pub(crate) fn save(
    destination: &Destination,
    shape: &[usize],
    tensor: &Filled,
    dtype: DType,
) -> anyhow::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
    destination.write_with(|file| match dtype {
        DType::F32 => slices(file, &shape, tensor, |value: f32| value),
        DType::F16 => slices(file, &shape, tensor, |value: f16| value),
        DType::BF16 => slices(file, &shape, tensor, bf16::to_bits),
    })
}

fn slices<T: Element, N: npyz::AutoSerialize>(
    file: impl Write,
    shape: &[u64],
    tensor: &Filled,
    stored: impl Fn(T) -> N,
) -> anyhow::Result<()> {
    let len: u64 = shape.iter().product();
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
    for start in (0..len).step_by(SLICE as usize) {
        not_interrupted("the tensor is not saved")?;
        let slice = tensor.read(start..len.min(start + SLICE))?;
        writer
            .extend(slice.as_slice::<T>().unwrap_or_default().iter().map(|&value| stored(value)))?;
    }
    Ok(writer.finish()?)
}
