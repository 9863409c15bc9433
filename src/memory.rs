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

/// An empty vector of capacity `len`, or an error instead of an abort.
pub(crate) fn reserved<T>(len: usize) -> Result<Vec<T>, ErrorKind> {
    let mut vector = Vec::new();
    let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
    vector.try_reserve_exact(len).map_err(|_| ErrorKind::HostOutOfMemory { bytes })?;
    Ok(vector)
}
