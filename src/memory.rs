//! Host memory whose lack is an error, not an abort.

use crate::{ErrorKind, Result, huge_pages};

/// Bytes from which on an allocation must leave [`SPARE`].
const LARGE: u64 = 1 << 20;
/// What a large allocation leaves for the small ones after it, whose lack is an abort.
const SPARE: usize = 1 << 20;

/// A vector of zeros, in huge pages if it is large, or an error instead of an abort.
pub(crate) fn zeroed<T: bytemuck::Zeroable>(len: u64) -> Result<Vec<T>, ErrorKind> {
    let bytes = len.saturating_mul(size_of::<T>() as u64);
    let vector = usize::try_from(len)
        .ok()
        .and_then(|len| bytemuck::try_zeroed_vec(len).ok())
        .filter(|_| bytes < LARGE || is_spare())
        .ok_or(ErrorKind::HostOutOfMemory { bytes })?;
    // Not touched yet: so large a block of zeros comes from the kernel.
    huge_pages::advise(&vector);
    Ok(vector)
}

fn is_spare() -> bool {
    let mut spare = Vec::<u8>::new();
    let reserved = spare.try_reserve_exact(SPARE);
    // Or the compiler leaves out an allocation that nothing uses.
    std::hint::black_box(&spare);
    reserved.is_ok()
}

/// An empty vector of capacity `len`, or an error instead of an abort.
pub(crate) fn reserved<T>(len: usize) -> Result<Vec<T>, ErrorKind> {
    let mut vector = Vec::new();
    let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
    vector.try_reserve_exact(len).map_err(|_| ErrorKind::HostOutOfMemory { bytes })?;
    Ok(vector)
}
