//! `gpu_init._gpu_init`: the library as Python calls it. Whatever has a default, a dtype of NumPy's or
//! another spelling is resolved in `py_src/gpu_init`, so that values arrive here in one form, and
//! arrays as their bytes.
#![cfg(not(target_arch = "wasm32"))]

mod bytes;
mod device;
mod error;
mod listener;
mod model;
mod names;
mod reduce;
mod spec;
mod threads;

use pyo3::prelude::*;

#[pymodule]
mod _gpu_init {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::model::{KeptTensor, Plan, PlanEntry, Rules, recipes, recipes_fitting};
    #[pymodule_export]
    use crate::names::dtypes;
    #[pymodule_export]
    use crate::reduce::{Stats, fingerprint, stats};
    #[pymodule_export]
    use crate::spec::{Distribution, Spec, calculate_gain, initializers, parse, stream_of};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
