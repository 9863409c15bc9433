//! Runs the reductions on a device: windows over a tensor in, one small result a chunk out.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use crate::gpu::context::check_usage;
use crate::gpu::device::{Device, Inner};
use crate::gpu::kernels::Kernel;
use crate::gpu::probe;
use crate::gpu::probe::Group;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::window::{SliceParams, WindowLimits};
use crate::gpu::{Tensor, readback};
use crate::progress::Progress;
use crate::reduce::lanes::{CHUNK, LANES};
use crate::reduce::stats::Chunk;
use crate::reduce::{Fingerprint, Stats};
use crate::stream::philox::words;
use crate::{DType, Result};

/// `Params` in `reduce.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct ReduceParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) count: u32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
}

/// Most iterations of an invocation's loops: its elements of a chunk twice, and the sums of all
/// lanes twice.
const ITERATIONS: u32 = 2 * (CHUNK / LANES) as u32 + 16;
/// Bytes of results that are read back at a time.
const RESULTS: u64 = 16 << 20;

pub(super) async fn fingerprints(tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
    trust("fingerprint", tensors).await?;
    untrusted_fingerprints(tensors).await
}

pub(super) async fn stats(tensors: &[&Tensor]) -> Result<Vec<Stats>> {
    trust("stats", tensors).await?;
    untrusted_stats(tensors).await
}

async fn trust(operation: &'static str, tensors: &[&Tensor]) -> Result<()> {
    let Some(first) = tensors.first() else { return Ok(()) };
    probe::trust(
        first.device(),
        operation,
        tensors.iter().map(|tensor| Group::Reduce(tensor.dtype())),
    )
    .await
}

/// By kernels that may not have been probed yet.
pub(super) async fn untrusted_fingerprints(tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
    let sums: Vec<Vec<u64>> = chunks(tensors, "fingerprint", Kernel::Fingerprint).await?;
    Ok(sums.into_iter().map(|sums| sums.into_iter().map(Fingerprint).sum()).collect())
}

/// By kernels that may not have been probed yet.
pub(super) async fn untrusted_stats(tensors: &[&Tensor]) -> Result<Vec<Stats>> {
    let chunks: Vec<Vec<Chunk>> = chunks(tensors, "stats", Kernel::Stats).await?;
    Ok(chunks.iter().map(|chunks| Stats::merge(chunks)).collect())
}

/// A window over a tensor, and where in the results those of its chunks go.
struct Window<'a> {
    number: usize,
    tensor: &'a Tensor,
    start: u64,
    count: u64,
    offset: u64,
    bytes: u64,
}

/// What a reduction says of each chunk of each tensor, in their order: many tensors in one
/// submission.
async fn chunks<T: Pod>(
    tensors: &[&Tensor],
    operation: &'static str,
    kernel: fn(DType) -> Kernel,
) -> Result<Vec<Vec<T>>> {
    let mut results = vec![Vec::new(); tensors.len()];
    let Some(device) = tensors.first().map(|tensor| tensor.device()) else { return Ok(results) };
    let Inner { context, kernels, .. } = &*device.inner;
    let limits = WindowLimits::of(&context.device.limits());
    let mut windows = windows::<T>(tensors, operation, limits)?.into_iter().peekable();
    while let Some(first) = windows.next() {
        let mut batch = vec![first];
        let mut end = batch[0].bytes.next_multiple_of(limits.alignment);
        while let Some(window) = windows.next_if(|window| end + window.bytes <= RESULTS) {
            batch.push(Window { offset: end, ..window });
            end += batch[batch.len() - 1].bytes.next_multiple_of(limits.alignment);
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let output = context.buffer(operation, end, usage)?;
        let mut recorder = Recorder::into_queue(context, kernels, operation, Progress::silent());
        for Window { tensor, start, count, offset, bytes, .. } in &batch {
            let size = tensor.dtype().size();
            let at = tensor.offset() + start * size;
            let base = at & !(limits.alignment - 1);
            let dispatch = Dispatch {
                kernel: kernel(tensor.dtype()),
                params: Params::new(&ReduceParams {
                    first: words(tensor.first().wrapping_add(*start)),
                    begin: ((at - base) / 4) as u32,
                    count: *count as u32,
                    one: 1.0,
                    zero: 0,
                    slice: SliceParams::new(&tensor.spec().elements(), *start),
                }),
                buffers: vec![
                    Bound::new(
                        tensor.buffer(),
                        base,
                        (at + count * size).next_multiple_of(4) - base,
                    ),
                    Bound::new(&output, *offset, *bytes),
                ],
                grid: limits.grid(count.div_ceil(CHUNK as u64) as u32),
                iterations: ITERATIONS,
            };
            recorder.add(dispatch, count / CHEAP, 0)?;
        }
        recorder.finish()?;
        let mut bytes = vec![0; end as usize];
        readback::read(context, operation, &output, 0, &mut bytes).await?;
        for Window { number, offset, bytes: size, .. } in batch {
            let part = &bytes[offset as usize..(offset + size) as usize];
            results[number]
                .extend(part.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
        }
    }
    Ok(results)
}

/// Windows of whole chunks, so that chunks do not depend on the device's limits.
fn windows<'a, T>(
    tensors: &[&'a Tensor],
    operation: &'static str,
    limits: WindowLimits,
) -> Result<Vec<Window<'a>>> {
    let mut windows = Vec::new();
    for (number, &tensor) in tensors.iter().enumerate() {
        check_usage(operation, tensor.buffer(), wgpu::BufferUsages::STORAGE)?;
        let size = tensor.dtype().size();
        let most = (limits.binding - limits.alignment) / size / CHUNK as u64 * CHUNK as u64;
        for start in (0..tensor.len()).step_by(most as usize) {
            let count = most.min(tensor.len() - start);
            let bytes = count.div_ceil(CHUNK as u64) * size_of::<T>() as u64;
            windows.push(Window { number, tensor, start, count, offset: 0, bytes });
        }
    }
    Ok(windows)
}

impl Device {
    /// The fingerprints of many tensors, computed on the GPU with as few submissions as can be.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec};
    /// let device = Device::new()?;
    /// let layers = device.fill_all(&[TensorSpec::new([64, 64], Initializer::xavier_normal()), TensorSpec::new([64, 16], Initializer::xavier_normal())])?;
    /// let fingerprints = device.fingerprints(&layers.iter().collect::<Vec<_>>())?;
    /// assert_eq!(fingerprints[1], layers[1].fingerprint()?);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::fingerprint`].
    pub fn fingerprints(&self, tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
        if !self.owns(tensors) {
            return tensors.iter().map(|tensor| tensor.fingerprint()).collect();
        }
        pollster::block_on(fingerprints(tensors))
    }

    /// The statistics of many tensors, computed on the GPU with as few submissions as can be.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec};
    /// let device = Device::new()?;
    /// let layers = device.fill_all(&[TensorSpec::new([64, 64], Initializer::xavier_normal()), TensorSpec::new([64, 16], Initializer::xavier_normal())])?;
    /// for (layer, stats) in layers.iter().zip(device.stats(&layers.iter().collect::<Vec<_>>())?) {
    ///     assert_eq!(stats.disagreement(layer.spec()), None);
    /// }
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::stats`].
    pub fn stats(&self, tensors: &[&Tensor]) -> Result<Vec<Stats>> {
        if !self.owns(tensors) {
            return tensors.iter().map(|tensor| tensor.stats()).collect();
        }
        pollster::block_on(stats(tensors))
    }

    /// Whether all are in this device's memory.
    fn owns(&self, tensors: &[&Tensor]) -> bool {
        tensors.iter().all(|tensor| Arc::ptr_eq(&tensor.device.inner, &self.inner))
    }
}
