//! Fingerprints and statistics of arrays.

use gpu_init::{DType, Fingerprint, by_dtype};
use pyo3::prelude::*;

use crate::bytes::{Bytes, elements, read};
use crate::error::unreadable;
use crate::threads::with_threads;

/// The fingerprint of elements that start at index `first` of their tensor.
#[pyfunction]
pub(crate) fn fingerprint(
    py: Python<'_>,
    bytes: Bytes<'_>,
    dtype: &str,
    first: u64,
) -> PyResult<String> {
    let dtype: DType = dtype.parse().map_err(unreadable)?;
    let borrowed = read(&bytes, "fingerprint")?;
    let bytes = borrowed.as_slice()?;
    by_dtype!(dtype, T => {
        let elements = elements::<T>(bytes)?;
        Ok(py.detach(|| with_threads(|| Fingerprint::of(first, elements))).to_string())
    })
}

/// Statistics of an array's elements. Mean, deviation and range are taken over the finite ones.
#[pyclass(frozen, get_all, module = "gpu_init")]
pub(crate) struct Stats {
    count: u64,
    nan: u64,
    infinite: u64,
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
}

#[pymethods]
impl Stats {
    fn __repr__(&self) -> String {
        let Stats { count, nan, infinite, mean, std, min, max } = self;
        format!(
            "Stats(count={count}, nan={nan}, infinite={infinite}, mean={mean}, std={std}, min={min}, max={max})"
        )
    }
}

/// The statistics of elements.
#[pyfunction]
pub(crate) fn stats(py: Python<'_>, bytes: Bytes<'_>, dtype: &str) -> PyResult<Stats> {
    let dtype: DType = dtype.parse().map_err(unreadable)?;
    let borrowed = read(&bytes, "stats")?;
    let bytes = borrowed.as_slice()?;
    let stats = by_dtype!(dtype, T => {
        let elements = elements::<T>(bytes)?;
        py.detach(|| with_threads(|| gpu_init::Stats::of(elements)))
    });
    let gpu_init::Stats { count, nan, infinite, mean, std, min, max } = stats;
    Ok(Stats { count, nan, infinite, mean, std, min, max })
}
