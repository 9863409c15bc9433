//! `--out FILE.npy` of one tensor.

use std::io::BufWriter;

use anyhow::Context;
use gpu_init::half::{bf16, f16};
use gpu_init::{DType, HostTensor};
use npyz::WriterBuilder;

use super::backend::Filled;
use super::place::Place;

/// Elements read back at a time.
const PIECE: u64 = 1 << 24;

/// Saves a tensor. BF16 has no .npy type: it is saved as its 16-bit words.
pub(crate) fn save(place: &Place, shape: &[usize], tensor: &Filled, dtype: DType) -> anyhow::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
    let temporary = place.temporary()?;
    let write = || -> anyhow::Result<()> {
        let file = BufWriter::with_capacity(1 << 20, temporary.as_file());
        match dtype {
            DType::F32 => pieces(file, &shape, tensor, |part| part.as_slice::<f32>().unwrap_or_default().to_vec()),
            DType::F16 => pieces(file, &shape, tensor, |part| part.as_slice::<f16>().unwrap_or_default().to_vec()),
            DType::BF16 => pieces(file, &shape, tensor, |part| {
                part.as_slice::<bf16>().unwrap_or_default().iter().map(|value| value.to_bits()).collect::<Vec<u16>>()
            }),
        }?;
        Ok(temporary.as_file().sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", place.path().display()))?;
    place.take(temporary.into_temp_path())
}

fn pieces<T: npyz::AutoSerialize>(
    file: impl std::io::Write,
    shape: &[u64],
    tensor: &Filled,
    values: impl Fn(&HostTensor) -> Vec<T>,
) -> anyhow::Result<()> {
    let len: u64 = shape.iter().product();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
    for start in (0..len).step_by(PIECE as usize) {
        let part = tensor.read(start..len.min(start + PIECE))?;
        writer.extend(values(&part))?;
    }
    Ok(writer.finish()?)
}
