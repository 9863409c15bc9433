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
        .with_context(|| format!("unknown dtype {text:?}; use F32, F16, BF16, F64, F8_E4M3, F8_E5M2, I8 to I64, U8 to U64 or BOOL"))
}

/// The type to fill with, if it can be filled.
pub(crate) fn fillable(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&own| stored(own) == dtype)
}

/// The type as a file names it.
pub(crate) fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F64 => Dtype::F64,
        DType::F8E4M3 => Dtype::F8_E4M3,
        DType::F8E5M2 => Dtype::F8_E5M2,
        DType::I8 => Dtype::I8,
        DType::U8 => Dtype::U8,
        DType::I16 => Dtype::I16,
        DType::U16 => Dtype::U16,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::I64 => Dtype::I64,
        DType::U64 => Dtype::U64,
        DType::Bool => Dtype::BOOL,
    }
}

/// Bytes of an element, or 1 if several elements share a byte.
pub(crate) fn element_bytes(dtype: Dtype) -> u64 {
    (dtype.bitsize() as u64 / 8).max(1)
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
