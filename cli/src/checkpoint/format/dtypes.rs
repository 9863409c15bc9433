//! Element types: all that safetensors knows, and the ones that can be filled.

use anyhow::{Context, ensure};
use gpu_init::DType;
use safetensors::Dtype;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

// Elements are written and read as they lie in memory, and files are little-endian.
const _: () = assert!(cfg!(target_endian = "little"));

/// Parses the type that a file names.
pub(crate) fn known(text: &str) -> anyhow::Result<Dtype> {
    let deserializer: serde::de::value::StrDeserializer<'_, Error> = text.into_deserializer();
    Dtype::deserialize(deserializer)
        .ok()
        .with_context(|| format!("unknown dtype {text:?}; use F32, F16 or BF16"))
}

/// The type to fill with, if it can be filled.
pub(crate) fn fillable(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// The type as a file names it.
pub(crate) fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
    }
}

/// The type to fill a tensor with: the one requested, or else the file's own.
pub(crate) fn to_fill(dtype: Dtype, asked: Option<DType>) -> anyhow::Result<DType> {
    asked.or_else(|| fillable(dtype)).with_context(|| {
        format!(
            "{dtype} cannot be filled; leave the tensor out, or pass --dtype f32, f16 or bf16 for all tensors"
        )
    })
}

/// Bytes of a tensor, unless they overflow or end within a byte.
pub(crate) fn bytes(dtype: Dtype, shape: &[usize]) -> anyhow::Result<u64> {
    // A dimension of 0 must not hide an overflow of the others.
    let elements = shape.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim as u64));
    let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize() as u64));
    let bits = bits.with_context(|| {
        format!("the size of shape {shape:?} overflows 64 bits; check its dimensions")
    })?;
    let whole = bits.is_multiple_of(8);
    ensure!(whole, "shape {shape:?} of {dtype} ends within a byte; check its dimensions");
    Ok(bits / 8)
}
