//! Runs the reflections of `shaders/orthogonal.wgsl`: bounded dispatches, in submissions that are waited for.

use std::ops::ControlFlow;

use bytemuck::{Pod, Zeroable};
use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::kernels::Kernel;
use super::readback::poll_in_background;
use super::record::{Dispatch, binding, record};
use super::window::WindowLimits;
use super::{Device, Inner, check_target};
use crate::orthogonal::{self, OPERATION, Orthogonal, report};
use crate::philox::words;
use crate::{DType, Distribution, Error, Fill, Result};

const BLOCK: u64 = orthogonal::BLOCK as u64;
const COLUMNS: u64 = orthogonal::COLUMNS as u64;
const VECTORS: u64 = orthogonal::VECTORS as u64;

/// Invocations of a workgroup: `LANES` in `orthogonal.wgsl`.
const LANES: u64 = 256;
/// Elements of the matrices that a dispatch may touch, with BLOCK multiply-adds twice each: 67 MFLOP, well under
/// 100 ms even on a processor of 1 GFLOP/s. A panel of more than 2^15 rows is one dispatch all the same.
const STEP: u64 = 1 << 20;
/// How many such steps a submission has.
const STEPS: u64 = 4;
/// Dispatches of a submission, however little they touch.
const DISPATCHES: usize = 256;
/// Elements that one dispatch writes to the output.
const FINISH: u64 = 1 << 24;

/// Elements that a dispatch may touch, [`STEP`] times what a device of that kind surely does at once. More
/// panels at once keep more of it busy, and it makes no difference to the bits.
fn step(device: wgpu::DeviceType) -> u64 {
    match device {
        wgpu::DeviceType::DiscreteGpu => 16 * STEP,
        wgpu::DeviceType::IntegratedGpu => 4 * STEP,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => STEP,
    }
}

/// Entry points of `orthogonal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OrthogonalEntry {
    Reflect,
    Gram,
    Apply,
    /// The output's element type decides only here.
    Finish(DType),
}

/// `Params` in `orthogonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(crate) struct OrthogonalParams {
    pub(crate) key: [u32; 2],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) quads: u32,
    pub(crate) matrix: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
    pub(crate) at: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
    pub(crate) transposed: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
    /// The uniform address space rounds a struct up to its alignment of 8.
    pub(crate) padding: u32,
}

/// Dispatches on their way to the device, at most two submissions of them at a time.
struct Work<'a> {
    device: &'a Inner,
    dispatches: Vec<Dispatch<'a, OrthogonalParams>>,
    /// Elements that the dispatches touch, and that those of a submission may touch.
    elements: u64,
    most: u64,
    /// Panels times blocks that have been applied once the dispatches are done, and all of them.
    applied: u64,
    total: u64,
    /// The last submission, and what has been applied once it is done.
    in_flight: Option<(OneshotReceiver<()>, wgpu::SubmissionIndex, u64)>,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}

impl<'a> Work<'a> {
    async fn add(&mut self, dispatch: Dispatch<'a, OrthogonalParams>, elements: u64, applied: u64) -> Result<()> {
        self.dispatches.push(dispatch);
        self.elements += elements;
        self.applied += applied;
        if self.elements >= self.most || self.dispatches.len() >= DISPATCHES { self.submit().await } else { Ok(()) }
    }

    /// Submits what there is, then waits for the submission before, so that the device is never idle.
    async fn submit(&mut self) -> Result<()> {
        let Inner { context, kernels, .. } = self.device;
        let mut encoder = context.device.create_command_encoder(&Default::default());
        record(context, kernels, OPERATION, &mut encoder, &std::mem::take(&mut self.dispatches))?;
        let (sender, receiver) = oneshot_channel();
        let index = context.checked(OPERATION, 0, || {
            let index = context.queue.submit([encoder.finish()]);
            context.queue.on_submitted_work_done(move || {
                // The receiver is gone if the work was given up.
                let _ = sender.send(());
            });
            index
        })?;
        self.elements = 0;
        let before = self.in_flight.replace((receiver, index, self.applied));
        self.wait_for(before).await
    }

    async fn wait_for(&mut self, submission: Option<(OneshotReceiver<()>, wgpu::SubmissionIndex, u64)>) -> Result<()> {
        let Some((receiver, index, applied)) = submission else { return Ok(()) };
        poll_in_background(&self.device.context, Some(index));
        receiver.receive().await.ok_or_else(|| self.device.context.lost(OPERATION))?;
        report(self.progress, applied, self.total)
    }
}

/// Writes the matrices at byte `offset`, a multiple of 4, of `buffer`, which has usage STORAGE. `progress` hears
/// how much is done, of how much, and can break off.
///
/// # Errors
/// [`Error::UnalignedOffset`], [`Error::BufferUsage`], [`Error::BufferTooSmall`], [`Error::BufferTooLarge`] if the
/// matrices as f32 are more than a binding may have, [`Error::OutOfMemory`], [`Error::DeviceLost`], and
/// [`Error::Interrupted`] if `progress` broke off: `buffer` is as it was then, and the device goes on working.
#[expect(clippy::too_many_arguments, reason = "a request and a place")]
pub(crate) async fn fill(
    device: &Device,
    plan: &Orthogonal,
    dtype: DType,
    seed: u64,
    stream: u64,
    buffer: &wgpu::Buffer,
    offset: u64,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<()> {
    let inner = &*device.inner;
    let context = &inner.context;
    let limits = WindowLimits::of(&context.device.limits());
    let too_large = |bytes: u64, limit: u64| {
        let adapter = context.adapter.clone();
        Err(Error::BufferTooLarge { operation: OPERATION, bytes, limit, adapter })
    };
    // Shaders count elements in 32 bits.
    let (most, elements) = (limits.binding.min((1 << 34) - 256), plan.elements());
    if elements * 4 > u128::from(most) {
        return too_large(u64::try_from(elements * 4).unwrap_or(u64::MAX), most);
    }
    let elements = elements as u64;
    let distribution = Distribution::Constant { value: 0.0 };
    check_target(
        &Fill { operation: OPERATION, distribution, dtype, seed, stream, first: 0, len: elements },
        buffer,
        offset,
    )?;
    if elements == 0 {
        return Ok(());
    }
    let (rows, columns, blocks, batch) =
        (plan.height() as u64, plan.width() as u64, plan.blocks() as u64, u64::from(plan.batch));
    let first_panel = |at: u64| at * BLOCK / COLUMNS;
    let panels = |at: u64| columns.div_ceil(COLUMNS) - first_panel(at);
    let total = batch * (0..blocks).map(panels).sum::<u64>();

    // Scratch of a few MiB: the blocks of several matrices, or several of one, or a single one.
    let unit = BLOCK * (VECTORS + rows);
    let units = (STEP / unit).max(1);
    let held_blocks = units.min(blocks);
    let held_matrices = (units / held_blocks).min(batch);
    let scratch_bytes = held_matrices * held_blocks * unit * 4;
    if scratch_bytes > most {
        return too_large(scratch_bytes, most);
    }
    let scratch = context.buffer(OPERATION, scratch_bytes, wgpu::BufferUsages::STORAGE)?;
    // New buffers are zeros, which the rows above a column's own block are to be.
    let matrices = context.buffer(OPERATION, elements * 4, wgpu::BufferUsages::STORAGE)?;

    let params = OrthogonalParams {
        key: words(seed),
        stream: words(stream),
        rows: rows as u32,
        columns: columns as u32,
        quads: plan.quads() as u32,
        transposed: plan.transposed().into(),
        scale: 1.0,
        one: 1.0,
        ..Default::default()
    };
    let dispatch = |entry: OrthogonalEntry, groups: u64, params: OrthogonalParams| Dispatch {
        kernel: Kernel::Orthogonal(entry),
        params,
        buffers: vec![binding(&scratch, 0, scratch_bytes), binding(&matrices, 0, elements * 4)],
        grid: limits.grid(groups as u32),
    };
    let step = step(context.device.adapter_info().device_type);
    let mut work = Work {
        device: inner,
        dispatches: Vec::new(),
        elements: 0,
        most: STEPS * step,
        applied: 0,
        total,
        in_flight: None,
        progress,
    };
    for matrix in (0..batch).step_by(held_matrices as usize) {
        let count = held_matrices.min(batch - matrix);
        let mut top = blocks;
        while top > 0 {
            let block = top.saturating_sub(held_blocks);
            let units = count * (top - block);
            let params = OrthogonalParams {
                matrix: matrix as u32,
                block: block as u32,
                blocks: (top - block) as u32,
                count: units as u32,
                ..params
            };
            let touched = units * BLOCK * (rows - block * BLOCK);
            work.add(dispatch(OrthogonalEntry::Reflect, units * BLOCK, params), touched, 0).await?;
            work.add(dispatch(OrthogonalEntry::Gram, units, params), touched, 0).await?;
            for at in (block..top).rev() {
                let (groups, each) = (count * panels(at), COLUMNS * (rows - at * BLOCK));
                let step = (step / each).max(1);
                for first in (0..groups).step_by(step as usize) {
                    let count = step.min(groups - first);
                    let params = OrthogonalParams { at: at as u32, first: first as u32, count: count as u32, ..params };
                    work.add(dispatch(OrthogonalEntry::Apply, count, params), count * each, count).await?;
                }
            }
            top = block;
        }
    }
    if !work.dispatches.is_empty() {
        work.submit().await?;
    }
    // Nothing reaches the caller's buffer before the last word of `progress`.
    let last = work.in_flight.take();
    work.wait_for(last).await?;

    let size = dtype.size();
    let window = ((limits.binding - limits.alignment) / size).min(FINISH) & !1;
    let mut finish = Vec::new();
    for start in (0..elements).step_by(window as usize) {
        let count = window.min(elements - start);
        let at = offset + start * size;
        let base = at & !(limits.alignment - 1);
        let end = (at + count * size).next_multiple_of(4);
        let params = OrthogonalParams {
            first: start as u32,
            count: count as u32,
            begin: ((at - base) / 4) as u32,
            scale: plan.gain,
            ..params
        };
        finish.push(Dispatch {
            kernel: Kernel::Orthogonal(OrthogonalEntry::Finish(dtype)),
            params,
            buffers: vec![binding(buffer, base, end - base), binding(&matrices, 0, elements * 4)],
            grid: limits.grid((count * size).div_ceil(4 * LANES) as u32),
        });
    }
    let mut encoder = context.device.create_command_encoder(&Default::default());
    record(context, &inner.kernels, OPERATION, &mut encoder, &finish)?;
    device.submit(OPERATION, encoder)
}

#[cfg(test)]
#[path = "orthogonal_tests.rs"]
mod tests;
