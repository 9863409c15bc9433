//! The CPU path: the same calls and the same bits as on a GPU, on all cores, with no adapter.

mod blocks;
mod convert;
mod elements;
pub(crate) mod fill;
mod indexed;
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
use crate::{Element, ErrorKind, Fill, HostTensor, Result, TensorSpec, by_dtype};

/// Small tensors filled between two reports of progress.
const GROUP: usize = 256;

/// Whether one core fills a tensor, side by side with others.
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
    pub fn fill(&self, spec: &TensorSpec) -> Result<HostTensor> {
        let fill = self.streams.resolve(spec)?;
        fill_tensor(&self.streams.take(spec, fill), &mut Progress::silent()).during(fill.operation)
    }

    /// Makes many tensors.
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), for the first spec that has one.
    pub fn fill_all(&self, specs: &[TensorSpec]) -> Result<Vec<HostTensor>> {
        self.fill_all_with(specs, &mut |_, _| ControlFlow::Continue(()))
    }

    /// [`fill_all`](Self::fill_all) that calls `progress(done, total)` with numbers of elements;
    /// return `ControlFlow::Break` to cancel.
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
        specs: &[TensorSpec],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<HostTensor>> {
        let fills =
            specs.iter().map(|spec| self.streams.resolve(spec)).collect::<Result<Vec<_>>>()?;
        let total = fills.iter().map(|fill| fill.len).fold(0, u64::saturating_add);
        let mut progress = Progress::new(total, progress);
        let take = |(spec, fill)| self.streams.take(spec, fill);
        let fills: Vec<_> = specs.iter().zip(fills).map(take).collect();
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

    /// Fills the caller's slice, which must be as long as the tensor or its range.
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
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::Length`], and [`ErrorKind::DTypeMismatch`] if
    /// the spec asks for another type. The slice is untouched then. [`ErrorKind::HostOutOfMemory`]
    /// if there is none for the scratch of orthogonal and sparse matrices.
    pub fn fill_into<T: Element>(&self, spec: &TensorSpec, out: &mut [T]) -> Result<()> {
        self.fill_slice(spec, out, &mut Progress::silent())
    }

    /// Fills the caller's bytes, as elements of the spec's type in the machine's order, where that
    /// type is known at run time alone. Calls `progress(done, total)` with numbers of elements;
    /// return `ControlFlow::Break` to cancel.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Cpu, DType, ErrorKind, Initializer, TensorSpec};
    ///
    /// let recurrent = TensorSpec::new([64, 64], Initializer::orthogonal()).dtype(DType::F32).name("w");
    /// let (mut weights, mut seen) = ([0f32; 4096], 0);
    /// let bytes = bytemuck::cast_slice_mut(&mut weights);
    /// Cpu::new().fill_bytes(&recurrent, bytes, &mut |done, _total| {
    ///     seen = done;
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(seen, 4096);
    /// let cancelled = Cpu::new().fill_bytes(&recurrent, bytes, &mut |_, _| ControlFlow::Break(()));
    /// assert!(matches!(cancelled.unwrap_err().kind(), ErrorKind::Interrupted { .. }));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_into`](Self::fill_into); [`ErrorKind::UnalignedOffset`] of bytes whose address
    /// is not a multiple of the element's size; [`ErrorKind::Interrupted`] if `progress` broke off:
    /// some of the elements are written then.
    pub fn fill_bytes(
        &self,
        spec: &TensorSpec,
        out: &mut [u8],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        let operation = spec.initializer().name();
        by_dtype!(spec.dtype.unwrap_or_default(), T => {
            let len = out.len() / size_of::<T>();
            if !out.len().is_multiple_of(size_of::<T>()) {
                let expected = self.streams.resolve(spec)?.len;
                return Err(ErrorKind::Length { expected, actual: len as u64 }.during(operation));
            }
            let offset = (out.as_ptr() as usize % align_of::<T>()) as u64;
            let Ok(out) = bytemuck::try_cast_slice_mut::<u8, T>(out) else {
                let alignment = align_of::<T>() as u64;
                return Err(ErrorKind::UnalignedOffset { offset, alignment }.during(operation));
            };
            self.fill_slice(spec, out, &mut Progress::new(len as u64, progress))
        })
    }

    fn fill_slice<T: Element>(
        &self,
        spec: &TensorSpec,
        out: &mut [T],
        progress: &mut Progress,
    ) -> Result<()> {
        let operation = spec.initializer().name();
        if let Some(expected) = spec.dtype.filter(|&dtype| dtype != T::DTYPE) {
            return Err(ErrorKind::DTypeMismatch { expected, actual: T::DTYPE }.during(operation));
        }
        let spec = spec.clone().dtype(T::DTYPE);
        let fill = self.streams.resolve(&spec)?;
        let (expected, actual) = (fill.len, out.len() as u64);
        if expected != actual {
            return Err(ErrorKind::Length { expected, actual }.during(operation));
        }
        fill::fill(&self.streams.take(&spec, fill), out, progress).during(operation)
    }
}
