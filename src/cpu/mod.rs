//! The CPU path: the same calls and the same bits as on a GPU, on all cores, with no adapter.

mod blocks;
pub(crate) mod fill;
pub(crate) mod orthogonal;
mod transform;
pub(crate) mod vectors;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::error::During;
use crate::progress::Progress;
use crate::{Element, ErrorKind, Fill, HostTensor, Result, TensorSpec};

/// Seed and next stream of a device: what a call uses that names none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    pub(crate) seed: u64,
    next: Arc<AtomicU64>,
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Streams { seed, next: Arc::default() }
    }

    /// Resolves a parameter with this seed. No stream is taken yet: the call may still fail.
    pub(crate) fn resolve(&self, parameter: &TensorSpec) -> Result<Fill> {
        parameter.resolve(self.seed, 0)
    }

    /// Takes the next stream for a resolved parameter that names none.
    pub(crate) fn take(&self, parameter: &TensorSpec, fill: Fill) -> Fill {
        let stream = if parameter.has_stream() {
            fill.stream
        } else {
            self.next.fetch_add(1, Ordering::Relaxed)
        };
        Fill { stream, ..fill }
    }
}

/// Small tensors made between two reports of progress.
const GROUP: usize = 256;

/// Whether one core makes a tensor: many of them are made side by side.
fn is_small(fill: &Fill) -> bool {
    fill.len <= fill::TASK as u64 && fill.distribution.base() == fill.distribution
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
        HostTensor::filled(self.streams.take(parameter, fill), &mut Progress::silent())
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
                HostTensor::filled(fills[i], &mut Progress::silent()).during(fills[i].operation)
            });
            for (&i, tensor) in group.iter().zip(made.collect::<Result<Vec<_>>>()?) {
                tensors[i] = Some(tensor);
            }
            progress.add(group.iter().map(|&i| fills[i].len).sum()).during("fill")?;
        }
        for i in large {
            let filled = HostTensor::filled(fills[i], &mut progress).map_err(|kind| match kind {
                ErrorKind::Interrupted { .. } => kind.during("fill"),
                _ => kind.during(fills[i].operation),
            });
            tensors[i] = Some(filled?);
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

/// A vector of zeros, or an error instead of an abort.
pub(crate) fn zeroed<T: bytemuck::Zeroable>(len: u64) -> Result<Vec<T>, ErrorKind> {
    let bytes = len.saturating_mul(size_of::<T>() as u64);
    usize::try_from(len)
        .ok()
        .and_then(|len| bytemuck::try_zeroed_vec(len).ok())
        .ok_or(ErrorKind::HostOutOfMemory { bytes })
}

/// A copy, or an error instead of an abort.
pub(crate) fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>, ErrorKind> {
    let mut copy = Vec::new();
    let bytes = size_of_val(values) as u64;
    copy.try_reserve_exact(values.len()).map_err(|_| ErrorKind::HostOutOfMemory { bytes })?;
    copy.extend_from_slice(values);
    Ok(copy)
}
