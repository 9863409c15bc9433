//! A request for a tensor or a part of one, and its fill.

use std::ops::Range;

use gpu_init::{Cpu, DType, Fill, Initializer, Layout, Nonlinearity, Shard, TensorSpec};
use pyo3::prelude::*;

use crate::bytes::{Bytes, write};
use crate::device;
use crate::error::{Kind, of, raise, unreadable};
use crate::listener::Listener;
use crate::names::{Dims, numpy_name};
use crate::threads::with_threads;

/// The stream of a named tensor.
#[pyfunction]
pub(crate) fn stream_of(name: &str) -> u64 {
    gpu_init::stream_of(name)
}

/// The initializer's canonical text.
#[pyfunction]
pub(crate) fn parse(init: &str) -> PyResult<String> {
    Ok(init.parse::<Initializer>().map_err(unreadable)?.to_string())
}

/// An option's name and its default; NaN of one that must be given.
type Options = Vec<(&'static str, String)>;

/// Every name of an initializer, its description and its options.
#[pyfunction]
pub(crate) fn initializers() -> Vec<(&'static str, &'static str, Options)> {
    let described = |(name, initializer): (&'static str, Initializer)| {
        // Of `constant`, `zeros` and `ones` have the value itself.
        let is_constant = initializer.name() != name && initializer.to_string() == name;
        let options = if is_constant { Options::new() } else { initializer.options() };
        (name, initializer.description(), options)
    };
    Initializer::named().map(described).collect()
}

/// The recommended gain of a nonlinearity.
#[pyfunction]
#[pyo3(signature = (nonlinearity, param=None))]
pub(crate) fn calculate_gain(nonlinearity: &str, param: Option<f64>) -> PyResult<f64> {
    let known: Nonlinearity = nonlinearity.parse().map_err(|_| {
        let message = format!("calculate_gain: there is no nonlinearity {nonlinearity:?}");
        raise(Kind::Invalid, &message)
    })?;
    Ok(gpu_init::calculate_gain(known, param))
}

/// A tensor or a part of one: what is to be filled with what.
#[pyclass(frozen, module = "gpu_init._gpu_init")]
pub(crate) struct Spec {
    spec: TensorSpec,
    dtype: DType,
    /// The part's ranges; one of them may be empty.
    ranges: Vec<Range<u64>>,
}

/// The fields of a request.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Request {
    init: String,
    shape: Vec<usize>,
    dtype: String,
    seed: u64,
    stream: u64,
    scale: f64,
    layout: Option<String>,
    slices: Vec<(usize, u64, u64)>,
    shards: Vec<(usize, u64, u64)>,
}

impl Spec {
    /// The request of a plan's entry.
    pub(crate) fn of(spec: &TensorSpec, dtype: DType) -> PyResult<Self> {
        let ranges = spec.local_ranges().map_err(of)?;
        Ok(Spec { spec: spec.clone().dtype(dtype), dtype, ranges })
    }

    pub(crate) fn resolved(&self) -> PyResult<Fill> {
        self.spec.resolve(0, 0).map_err(of)
    }
}

#[pymethods]
impl Spec {
    #[new]
    fn new(request: Request) -> PyResult<Self> {
        let init: Initializer = request.init.parse().map_err(unreadable)?;
        let dtype: DType = request.dtype.parse().map_err(unreadable)?;
        let mut spec = TensorSpec::new(request.shape, init)
            .seed(request.seed)
            .stream(request.stream)
            .scale(request.scale)
            .dtype(dtype);
        if let Some(layout) = &request.layout {
            spec = spec.layout(layout.parse::<Layout>().map_err(unreadable)?);
        }
        let (spec, ranges) = cut(spec, &request.slices, &request.shards)?;
        Ok(Spec { spec, dtype, ranges })
    }

    /// The shape of the part.
    #[getter]
    pub(crate) fn shape(&self) -> Dims {
        Dims(self.ranges.iter().map(|range| (range.end - range.start) as usize).collect())
    }

    /// The element type, by NumPy's name.
    #[getter]
    pub(crate) fn dtype(&self) -> &'static str {
        numpy_name(self.dtype)
    }

    /// The distribution of the elements.
    pub(crate) fn distribution(&self) -> PyResult<Distribution> {
        let whole = self.resolved()?;
        let (distribution, dtype) = (whole.distribution, whole.dtype);
        let (mean, std, bounds) = (distribution.mean(), distribution.std(), distribution.bounds());
        Ok(Distribution { kind: distribution.name(), mean, std, bounds, dtype: numpy_name(dtype) })
    }

    /// Fills the bytes of an array.
    fn fill(
        &self,
        py: Python<'_>,
        bytes: Bytes<'_>,
        device: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let operation = self.spec.initializer().name();
        let on_gpu = match device {
            "cpu" => false,
            "gpu" => true,
            _ => {
                let message =
                    format!("{operation}: there is no device {device:?}; use \"cpu\" or \"gpu\"");
                return Err(raise(Kind::Invalid, &message));
            }
        };
        let mut borrowed = write(&bytes, operation)?;
        let out = borrowed.as_slice_mut()?;
        if self.ranges.iter().any(Range::is_empty) && out.is_empty() {
            return Ok(());
        }
        let (spec, mut listener) = (&self.spec, Listener::new(progress));
        py.detach(|| {
            let filled = if on_gpu {
                device::fill(spec, out, &mut listener)
            } else {
                with_threads(|| {
                    Cpu::new().fill_bytes(spec, out, &mut |done, total| listener.hear(done, total))
                })
            };
            listener.result(filled)
        })
    }
}

/// Applies slices, then shards; each is a dimension and two numbers.
fn cut(
    mut spec: TensorSpec,
    slices: &[(usize, u64, u64)],
    shards: &[(usize, u64, u64)],
) -> PyResult<(TensorSpec, Vec<Range<u64>>)> {
    let mut ranges: Vec<Range<u64>> =
        spec.shape().dims().iter().map(|&len| 0..len as u64).collect();
    for &(dim, start, stop) in slices {
        spec = spec.slice(dim, start..stop);
        match ranges.get_mut(dim) {
            Some(range) if start <= stop && stop <= range.end => *range = start..stop,
            _ => drop(spec.local_ranges().map_err(of)?),
        }
    }
    for &(dim, rank, world) in shards {
        let shard = Shard { dim, rank, world };
        match ranges.get_mut(dim) {
            Some(range) if rank < world => {
                let part = shard.range(range.end - range.start);
                *range = range.start + part.start..range.start + part.end;
                spec = spec.shard(shard);
            }
            _ => drop(spec.clone().shard(shard).local_ranges().map_err(of)?),
        }
    }
    Ok((spec, ranges))
}

/// The distribution of a tensor's elements.
#[pyclass(frozen, get_all, module = "gpu_init")]
pub(crate) struct Distribution {
    kind: &'static str,
    mean: f64,
    std: f64,
    bounds: (f64, f64),
    dtype: &'static str,
}

#[pymethods]
impl Distribution {
    fn __repr__(&self) -> String {
        let Distribution { kind, mean, std, bounds: (low, high), .. } = self;
        format!("Distribution(kind={kind:?}, mean={mean}, std={std}, bounds=({low}, {high}))")
    }
}
