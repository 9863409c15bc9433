//! Host memory whose lack is an error, not an abort.

use crate::{ErrorKind, Result};

/// A vector of zeros, or an error instead of an abort.
pub(crate) fn zeroed<T: bytemuck::Zeroable>(len: u64) -> Result<Vec<T>, ErrorKind> {
    let bytes = len.saturating_mul(size_of::<T>() as u64);
    usize::try_from(len)
        .ok()
        .and_then(|len| bytemuck::try_zeroed_vec(len).ok())
        .ok_or(ErrorKind::HostOutOfMemory { bytes })
}

/// A copy, or an error instead of an abort.
pub(crate) fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>, ErrorKind> {
    let mut copy = Vec::new();
    let bytes = size_of_val(values) as u64;
    copy.try_reserve_exact(values.len()).map_err(|_| ErrorKind::HostOutOfMemory { bytes })?;
    copy.extend_from_slice(values);
    Ok(copy)
}
