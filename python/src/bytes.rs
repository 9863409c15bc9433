//! The bytes of arrays as elements.

use bytemuck::try_cast_slice;
use gpu_init::Element;
use numpy::PyArray1;
use numpy::prelude::*;
use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;

use crate::error::{Kind, raise};

/// The bytes of an array.
pub(crate) type Bytes<'py> = Bound<'py, PyArray1<u8>>;

/// Borrows bytes to read them.
pub(crate) fn read<'py>(
    bytes: &Bytes<'py>,
    operation: &str,
) -> PyResult<PyReadonlyArray1<'py, u8>> {
    let in_use = |_| {
        raise(
            Kind::Invalid,
            &format!("{operation}: the array is being filled by another thread; wait for it"),
        )
    };
    bytes.try_readonly().map_err(in_use)
}

/// Borrows bytes to write them.
pub(crate) fn write<'py>(
    bytes: &Bytes<'py>,
    operation: &str,
) -> PyResult<PyReadwriteArray1<'py, u8>> {
    let refused = |error| {
        raise(
            Kind::Invalid,
            &format!(
                "{operation}: the array cannot be written ({error}); another thread uses it, or it is read-only"
            ),
        )
    };
    bytes.try_readwrite().map_err(refused)
}

/// The bytes as elements.
pub(crate) fn elements<T: Element>(bytes: &[u8]) -> PyResult<&[T]> {
    if bytes.is_empty() {
        return Ok(&[]); // Whose address may be any.
    }
    try_cast_slice(bytes).map_err(|_| misfit::<T>(bytes.len()))
}

fn misfit<T: Element>(len: usize) -> PyErr {
    let (dtype, size) = (T::DTYPE, size_of::<T>());
    raise(
        Kind::Invalid,
        &format!(
            "{len} bytes cannot be taken as elements of {dtype}: their number and address must be multiples of {size}; \
         pass a new array"
        ),
    )
}
