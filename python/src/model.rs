//! Rules, recipes and plans of whole models.

use gpu_init::{DType, Fingerprint, PlanError, by_dtype};
use pyo3::prelude::*;
use sysinfo::System;

use crate::bytes::{Bytes, elements, read};
use crate::error::{Kind, of, raise, unreadable};
use crate::names::{Dims, numpy_name};
use crate::spec::{Distribution, Spec};
use crate::threads::with_threads;

/// Tensors as Python lists them: names, shapes and dtypes.
type Listed = Vec<(String, Vec<usize>, Option<String>)>;

fn plan_error(error: PlanError) -> PyErr {
    match error {
        PlanError::Memory { .. } => raise(Kind::Memory, &error.to_string()),
        PlanError::Fill(error) => of(error),
        _ => raise(Kind::Invalid, &error.to_string()),
    }
}

fn dtype_of(name: &str) -> PyResult<DType> {
    name.parse().map_err(unreadable)
}

/// An ordered list of rules, which the text of a rules file has.
#[pyclass(frozen, module = "gpu_init._gpu_init")]
pub(crate) struct Rules(gpu_init::Rules);

#[pymethods]
impl Rules {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        text.parse().map(Rules).map_err(unreadable)
    }

    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed()
    }

    #[getter]
    fn dtype(&self) -> Option<&'static str> {
        self.0.dtype().map(numpy_name)
    }

    /// Each rule as reports show it, and its initializer.
    #[getter]
    fn rules(&self) -> Vec<(String, String)> {
        self.0.rules().iter().map(|rule| (rule.to_string(), rule.init())).collect()
    }

    fn with_seed(&self, seed: u64) -> Self {
        Rules(self.0.clone().with_seed(seed))
    }

    fn with_dtype(&self, dtype: &str) -> PyResult<Self> {
        Ok(Rules(self.0.clone().with_dtype(dtype_of(dtype)?)))
    }

    fn with_listed_dtypes(&self) -> Self {
        Rules(self.0.clone().with_listed_dtypes())
    }

    fn with_tied(&self, pairs: Vec<(String, String)>) -> Self {
        Rules(self.0.clone().with_tied(pairs))
    }

    fn fit(&self, names: Vec<String>) -> Option<bool> {
        self.0.fit(names.iter().map(String::as_str))
    }

    fn plan(&self, py: Python<'_>, tensors: Listed) -> PyResult<Plan> {
        let listed = tensors.into_iter().map(|(name, shape, dtype)| {
            Ok((name, shape, dtype.as_deref().map(dtype_of).transpose()?))
        });
        let listed: Vec<_> = listed.collect::<PyResult<_>>()?;
        let plan = py.detach(|| gpu_init::Plan::new(listed, &self.0));
        plan.map(Plan).map_err(plan_error)
    }
}

/// A built-in rules file: its name, its summary and its text.
type Described = (&'static str, &'static str, &'static str);

/// Every recipe.
#[pyfunction]
pub(crate) fn recipes() -> Vec<Described> {
    gpu_init::Recipe::ALL.iter().map(|it| (it.name(), it.summary(), it.text())).collect()
}

/// The names of the recipes that are made for a model with these tensors.
#[pyfunction]
pub(crate) fn recipes_fitting(names: Vec<String>) -> Vec<&'static str> {
    gpu_init::Recipe::fitting(&names).iter().map(gpu_init::Recipe::name).collect()
}

/// The tensors of a model, each with what fills it.
#[pyclass(frozen, module = "gpu_init._gpu_init")]
pub(crate) struct Plan(gpu_init::Plan);

#[pymethods]
impl Plan {
    #[getter]
    fn entries(&self, py: Python<'_>) -> PyResult<Vec<PlanEntry>> {
        self.0.entries().iter().map(|entry| PlanEntry::of(py, entry)).collect()
    }

    #[getter]
    fn kept(&self) -> Vec<KeptTensor> {
        self.0.kept().iter().map(KeptTensor::of).collect()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings().iter().map(ToString::to_string).collect()
    }

    #[getter]
    fn elements(&self) -> u64 {
        self.0.elements()
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn shard(&self, rank: u64, world: u64) -> PyResult<Self> {
        self.0.shard(rank, world).map(Plan).map_err(plan_error)
    }

    /// Fails if the tensors do not fit in the memory that is left.
    fn check_memory(&self) -> PyResult<()> {
        self.0.fits(available()).map_err(plan_error)
    }
}

/// Bytes left to allocate on this machine or in the control group of this process.
fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory().saturating_add(system.free_swap());
    // A system that reports nothing has no known limit.
    let machine = if machine == 0 { u64::MAX } else { machine };
    system.cgroup_limits().map_or(machine, |group| machine.min(group.free_memory))
}

/// One tensor of a plan.
#[pyclass(frozen, get_all, module = "gpu_init")]
pub(crate) struct PlanEntry {
    /// The name, which decides the stream.
    name: String,
    /// The names of tied tensors, which share its memory.
    aliases: Vec<String>,
    /// The initializer with its options.
    init: String,
    /// What every value is multiplied by.
    scale: f64,
    /// The index of its rule; None for the default.
    rule: Option<usize>,
    /// The whole tensor's shape.
    whole_shape: Dims,
    #[pyo3(name = "_spec")]
    spec: Py<Spec>,
}

impl PlanEntry {
    fn of(py: Python<'_>, entry: &gpu_init::PlanEntry) -> PyResult<Self> {
        Ok(PlanEntry {
            name: entry.name.clone(),
            aliases: entry.aliases.clone(),
            init: entry.spec.initializer().to_string(),
            scale: entry.scale,
            rule: entry.rule,
            whole_shape: Dims(entry.spec.shape().dims().to_vec()),
            spec: Py::new(py, Spec::of(&entry.spec, entry.fill.dtype)?)?,
        })
    }
}

#[pymethods]
impl PlanEntry {
    /// The shape of the part that the plan has.
    #[getter]
    fn shape(&self) -> Dims {
        self.spec.get().shape()
    }

    /// The element type, by NumPy's name.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.spec.get().dtype()
    }

    /// The distribution of the elements.
    #[getter]
    fn distribution(&self) -> PyResult<Distribution> {
        self.spec.get().distribution()
    }

    /// The share of its elements in the model's fingerprint.
    fn fingerprint(&self, py: Python<'_>, bytes: Bytes<'_>) -> PyResult<u64> {
        let fill = self.spec.get().resolved()?;
        let borrowed = read(&bytes, "fingerprint")?;
        let bytes = borrowed.as_slice()?;
        let fingerprint = by_dtype!(fill.dtype, T => {
            let elements = elements::<T>(bytes)?;
            py.detach(|| with_threads(|| Fingerprint::of_fill(&fill, elements)))
        });
        Ok(fingerprint.in_model(gpu_init::stream_of(&self.name)).0)
    }

    fn __repr__(&self) -> String {
        let PlanEntry { name, init, whole_shape, .. } = self;
        format!("PlanEntry({name:?}, {init}, shape={:?}, dtype={})", whole_shape.0, self.dtype())
    }
}

/// A tensor that a plan does not fill.
#[pyclass(frozen, get_all, module = "gpu_init")]
pub(crate) struct KeptTensor {
    name: String,
    aliases: Vec<String>,
    shape: Dims,
    /// The element type, by NumPy's name, if the list has it.
    dtype: Option<&'static str>,
    rule: Option<usize>,
}

impl KeptTensor {
    fn of(kept: &gpu_init::KeptTensor) -> Self {
        KeptTensor {
            name: kept.name.clone(),
            aliases: kept.aliases.clone(),
            shape: Dims(kept.shape.dims().to_vec()),
            dtype: kept.dtype.map(numpy_name),
            rule: kept.rule,
        }
    }
}

#[pymethods]
impl KeptTensor {
    fn __repr__(&self) -> String {
        format!("KeptTensor({:?}, shape={:?})", self.name, self.shape.0)
    }
}
