//! The CPU path: the same calls and the same bits as on a GPU, on all cores, with no adapter.

mod blocks;
mod elements;
pub(crate) mod fill;
pub(crate) mod orthogonal;
mod scatter;
mod transform;
pub(crate) mod vectors;

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::cpu::fill::fill_tensor;
use crate::error::During;
use crate::progress::Progress;
use crate::spec::streams::Streams;
use crate::{Element, ErrorKind, Fill, HostTensor, Result, TensorSpec};

/// Small tensors made between two reports of progress.
const GROUP: usize = 256;

/// Whether one core makes a tensor: many of them are made side by side.
fn is_small(fill: &Fill) -> bool {
    fill.len <= elements::TASK as u64 && fill.distribution.base() == fill.distribution
}

/// The host as a device: a seed, and a stream for each call that names none.
///
/// Clones share the count of streams. With the seed of a [`Device`](crate::Device) and the same
/// calls it gives the same bits.
///
/// ```
/// use gpu_init::{Cpu, Initializer, TensorSpec};
///
/// let cpu = Cpu::with_seed(42);
/// let weights = cpu.fill(&TensorSpec::new([256, 128], Initializer::xavier_normal()))?;
/// assert_eq!(weights.as_slice::<f32>().unwrap().len(), 256 * 128);
/// let more = cpu.fill(&TensorSpec::new([256, 128], Initializer::xavier_normal()))?;
/// assert_ne!(weights.fingerprint(), more.fingerprint());
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cpu {
    streams: Streams,
}

impl Cpu {
    /// The host with seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The host with a seed.
    pub fn with_seed(seed: u64) -> Self {
        Cpu { streams: Streams::new(seed) }
    }

    /// Makes a tensor in host memory.
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], and [`ErrorKind::HostOutOfMemory`].
    pub fn fill(&self, parameter: &TensorSpec) -> Result<HostTensor> {
        let fill = self.streams.resolve(parameter)?;
        fill_tensor(&self.streams.take(parameter, fill), &mut Progress::silent())
            .during(fill.operation)
    }

    /// Makes many tensors.
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), for the first parameter that has one.
    pub fn fill_all(&self, parameters: &[TensorSpec]) -> Result<Vec<HostTensor>> {
        self.fill_all_with(parameters, &mut |_, _| ControlFlow::Continue(()))
    }

    /// [`fill_all`](Self::fill_all). `progress` hears how many elements are done, of how many, and
    /// can end the work.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let recurrent = TensorSpec::new([256, 256], Initializer::orthogonal()).name("recurrent");
    /// let tensors = Cpu::new().fill_all_with(&[recurrent], &mut |done, total| {
    ///     eprintln!("{done} of {total} elements");
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), and [`ErrorKind::Interrupted`] if `progress` broke off.
    pub fn fill_all_with(
        &self,
        parameters: &[TensorSpec],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<HostTensor>> {
        let fills = parameters
            .iter()
            .map(|parameter| self.streams.resolve(parameter))
            .collect::<Result<Vec<_>>>()?;
        let total = fills.iter().map(|fill| fill.len).fold(0, u64::saturating_add);
        let mut progress = Progress::new(total, progress);
        let take = |(parameter, fill)| self.streams.take(parameter, fill);
        let fills: Vec<_> = parameters.iter().zip(fills).map(take).collect();
        let mut tensors: Vec<_> = fills.iter().map(|_| None).collect();
        let (small, large): (Vec<_>, Vec<_>) = (0..fills.len()).partition(|&i| is_small(&fills[i]));
        for group in small.chunks(GROUP) {
            let made = group.par_iter().map(|&i| {
                fill_tensor(&fills[i], &mut Progress::silent()).during(fills[i].operation)
            });
            for (&i, tensor) in group.iter().zip(made.collect::<Result<Vec<_>>>()?) {
                tensors[i] = Some(tensor);
            }
            progress.add(group.iter().map(|&i| fills[i].len).sum()).during("fill")?;
        }
        for i in large {
            let tensor = fill_tensor(&fills[i], &mut progress).map_err(|kind| match kind {
                ErrorKind::Interrupted { .. } => kind.during("fill"),
                _ => kind.during(fills[i].operation),
            });
            tensors[i] = Some(tensor?);
        }
        Ok(tensors.into_iter().flatten().collect())
    }

    /// Fills the caller's slice, which must be as long as the parameter (or its range).
    ///
    /// The element type is the slice's.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec, half::bf16};
    ///
    /// let mut weights = vec![bf16::ZERO; 12];
    /// Cpu::new().fill_into(&TensorSpec::new([3, 4], Initializer::xavier_uniform()), &mut weights)?;
    /// assert!(weights.iter().all(|w| w.to_f32().abs() <= 1.0));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::Length`], and [`ErrorKind::DTypeMismatch`] if the
    /// parameter asks for another type. The slice is untouched then. [`ErrorKind::HostOutOfMemory`] for
    /// what orthogonal and sparse matrices are made in.
    pub fn fill_into<T: Element>(&self, parameter: &TensorSpec, out: &mut [T]) -> Result<()> {
        let operation = parameter.initializer().name();
        if let Some(expected) = parameter.asked_dtype().filter(|&dtype| dtype != T::DTYPE) {
            return Err(ErrorKind::DTypeMismatch { expected, actual: T::DTYPE }.during(operation));
        }
        let parameter = parameter.clone().dtype(T::DTYPE);
        let fill = self.streams.resolve(&parameter)?;
        let (expected, actual) = (fill.len, out.len() as u64);
        if expected != actual {
            return Err(ErrorKind::Length { expected, actual }.during(operation));
        }
        fill::fill(&self.streams.take(&parameter, fill), out, &mut Progress::silent())
            .during(operation)
    }
}
