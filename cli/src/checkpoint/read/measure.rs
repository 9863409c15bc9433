//! Fingerprint and statistics of elements as they lie in a file.

use gpu_init::{DType, Element, Fill, Fingerprint, Stats};

use crate::checkpoint::format::dtypes::by_dtype;

/// Measures the elements that `fill` locates in their tensor. The bytes are aligned for the type.
pub(crate) fn measure(fill: &Fill, dtype: DType, bytes: &[u8]) -> (Fingerprint, Stats) {
    fn of<T: Element>(fill: &Fill, bytes: &[u8]) -> (Fingerprint, Stats) {
        let elements: &[T] = bytemuck::cast_slice(bytes);
        (Fingerprint::of_fill(fill, elements), Stats::of(elements))
    }
    by_dtype!(dtype, T => of::<T>(fill, bytes))
}
