//! Element types and shapes as NumPy has them.

use gpu_init::DType;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The name of an element type in NumPy or ml_dtypes.
pub(crate) fn numpy_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float32",
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F64 => "float64",
        DType::F8E4M3 => "float8_e4m3fn",
        DType::F8E5M2 => "float8_e5m2",
        DType::I8 => "int8",
        DType::U8 => "uint8",
        DType::I16 => "int16",
        DType::U16 => "uint16",
        DType::I32 => "int32",
        DType::U32 => "uint32",
        DType::I64 => "int64",
        DType::U64 => "uint64",
        DType::Bool => "bool",
    }
}

/// The name of every element type here, and in NumPy or ml_dtypes.
#[pyfunction]
pub(crate) fn dtypes() -> Vec<(String, &'static str)> {
    DType::ALL.map(|dtype| (dtype.to_string(), numpy_name(dtype))).into()
}

/// A shape: a tuple in Python.
#[derive(Clone)]
pub(crate) struct Dims(pub(crate) Vec<usize>);

impl<'py> IntoPyObject<'py> for Dims {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        PyTuple::new(py, self.0)
    }
}
