//! The stream of a named tensor.

use sha2::{Digest, Sha256};

/// The stream of a named tensor: the first 8 bytes, little-endian, of SHA-256 of its UTF-8 name.
///
/// ```
/// assert_eq!(gpu_init::stream_of("transformer.wte.weight"), 0x1cee_6b44_fc5e_505a);
/// ```
pub fn stream_of(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
}
