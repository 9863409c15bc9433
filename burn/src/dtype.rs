//! Element types, burn's and ours.

use burn::tensor::DType;

/// Ours for burn's; `None` for quantized types and those that are not floats.
pub(crate) fn ours(dtype: DType) -> Option<gpu_init::DType> {
    match dtype {
        // Flex32 is stored as F32.
        DType::F32 | DType::Flex32 => Some(gpu_init::DType::F32),
        DType::F16 => Some(gpu_init::DType::F16),
        DType::BF16 => Some(gpu_init::DType::BF16),
        DType::F64 => Some(gpu_init::DType::F64),
        _ => None,
    }
}

/// Burn's for ours; `None` for types that no float tensor of burn has.
pub(crate) fn burns(dtype: gpu_init::DType) -> Option<DType> {
    match dtype {
        gpu_init::DType::F32 => Some(DType::F32),
        gpu_init::DType::F16 => Some(DType::F16),
        gpu_init::DType::BF16 => Some(DType::BF16),
        gpu_init::DType::F64 => Some(DType::F64),
        _ => None,
    }
}
