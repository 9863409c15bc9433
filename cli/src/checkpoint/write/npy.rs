//! `--out FILE.npy` of one tensor.

use std::io::Write;

use gpu_init::half::{bf16, f16};
use gpu_init::{Bool, DType, Element, F8E4M3, F8E5M2};
use npyz::WriterBuilder;

use crate::backend::device::Filled;
use crate::checkpoint::output::destination::Destination;
use crate::terminal::progress::not_interrupted;

/// Elements read back at a time: 32 MiB of F32.
const SLICE: u64 = 1 << 23;

/// What stands for a type that .npy does not have, if it does not.
pub(crate) fn substitute(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::BF16 => Some("uint16 words"),
        DType::F8E4M3 | DType::F8E5M2 => Some("uint8 bytes"),
        _ => None,
    }
}

/// Saves a tensor. BF16 and the 8-bit floats have no .npy type: they are saved as integers of their
/// bits.
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
        DType::F64 => slices(file, &shape, tensor, |value: f64| value),
        DType::F8E4M3 => slices(file, &shape, tensor, F8E4M3::to_bits),
        DType::F8E5M2 => slices(file, &shape, tensor, F8E5M2::to_bits),
        DType::I8 => slices(file, &shape, tensor, |value: i8| value),
        DType::U8 => slices(file, &shape, tensor, |value: u8| value),
        DType::I16 => slices(file, &shape, tensor, |value: i16| value),
        DType::U16 => slices(file, &shape, tensor, |value: u16| value),
        DType::I32 => slices(file, &shape, tensor, |value: i32| value),
        DType::U32 => slices(file, &shape, tensor, |value: u32| value),
        DType::I64 => slices(file, &shape, tensor, |value: i64| value),
        DType::U64 => slices(file, &shape, tensor, |value: u64| value),
        DType::Bool => slices(file, &shape, tensor, |value: Bool| bool::from(value)),
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
