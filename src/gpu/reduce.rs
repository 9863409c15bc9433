//! Runs the reductions on a device: windows over a tensor in, one small result a chunk out.

use bytemuck::{Pod, Zeroable};

use super::kernels::Kernel;
use super::record::{Bound, Dispatch, Params, record};
use super::window::WindowLimits;
use super::{Device, Tensor, check_usage, readback};
use crate::Result;
use crate::philox::words;
use crate::reduce::stats::Chunk;
use crate::reduce::{CHUNK, Fingerprint, Stats};

/// `Params` in `reduce.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct ReduceParams {
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) count: u32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
}

pub(crate) async fn fingerprint(tensor: &Tensor) -> Result<Fingerprint> {
    let sums: Vec<u64> = chunks(tensor, "fingerprint", Kernel::Fingerprint(tensor.dtype())).await?;
    Ok(sums.into_iter().map(Fingerprint).sum())
}

pub(crate) async fn stats(tensor: &Tensor) -> Result<Stats> {
    let chunks: Vec<Chunk> = chunks(tensor, "stats", Kernel::Stats(tensor.dtype())).await?;
    Ok(Stats::merge(&chunks))
}

/// What a reduction says of each chunk, in their order.
async fn chunks<T: Pod>(tensor: &Tensor, operation: &'static str, kernel: Kernel) -> Result<Vec<T>> {
    let Device { inner, .. } = tensor.device();
    let context = &inner.context;
    check_usage(operation, tensor.buffer(), wgpu::BufferUsages::STORAGE)?;
    let limits = WindowLimits::of(&context.device.limits());
    let size = tensor.dtype().size();
    // Windows of whole chunks, so that chunks do not depend on the device's limits.
    let window = (limits.binding - limits.alignment) / size / CHUNK as u64 * CHUNK as u64;
    let mut results: Vec<T> = Vec::new();
    let mut start = 0;
    while start < tensor.len() {
        let count = window.min(tensor.len() - start);
        let at = tensor.offset() + start * size;
        let base = at & !(limits.alignment - 1);
        let chunks = count.div_ceil(CHUNK as u64) as usize;
        let bytes = (chunks * size_of::<T>()) as u64;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let output = context.buffer(operation, bytes, usage)?;
        let dispatch = Dispatch {
            kernel,
            params: Params::new(&ReduceParams {
                first: words(tensor.first().wrapping_add(start)),
                begin: ((at - base) / 4) as u32,
                count: count as u32,
                one: 1.0,
                zero: 0,
            }),
            buffers: vec![
                Bound::new(tensor.buffer(), base, (at + count * size).next_multiple_of(4) - base),
                Bound::whole(&output),
            ],
            grid: limits.grid(chunks as u32),
        };
        let mut encoder = context.device.create_command_encoder(&Default::default());
        record(context, &inner.kernels, operation, &mut encoder, &[dispatch])?;
        tensor.device().submit(operation, encoder)?;
        let mut part = vec![T::zeroed(); chunks];
        readback::read(context, operation, &output, 0, bytemuck::cast_slice_mut(&mut part)).await?;
        results.extend(part);
        start += count;
    }
    Ok(results)
}
