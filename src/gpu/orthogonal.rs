//! Runs the reflections of `shaders/orthogonal.wgsl`, in dispatches of bounded work.
//!
//! Matrices are made in slabs: some of them, or panels of one, as much as one binding has. A column needs nothing of
//! another, so slabs make no difference to the bits; each has its reflections computed anew.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::kernels::Kernel;
use super::record::{Bound, Dispatch, Params, Recorder};
use super::window::{Piece, WindowLimits, pieces};
use crate::orthogonal::{self, Orthogonal, Place};
use crate::philox::{round_keys, words};
use crate::sample::Scaling;
use crate::{DType, Fill, Result};

const BLOCK: u64 = orthogonal::BLOCK as u64;
const COLUMNS: u64 = orthogonal::COLUMNS as u64;
const VECTORS: u64 = orthogonal::VECTORS as u64;

/// Invocations of a workgroup: `LANES` in `orthogonal.wgsl`.
const LANES: u64 = 256;
/// Elements of the scratch memory for reflections, unless those of one block are more.
const SCRATCH: u64 = 1 << 20;
/// Entries that one dispatch puts into the output.
const FINISH: u64 = 1 << 24;
/// Largest slab: shaders count in 32 bits.
const SLAB: u64 = 1 << 30;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct OrthogonalParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) quads: u32,
    pub(crate) first_matrix: u32,
    pub(crate) first_panel: u32,
    pub(crate) end_panel: u32,
    pub(crate) matrix: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
    pub(crate) at: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) transposed: u32,
    pub(crate) width: u32,
    pub(crate) origin: u32,
    pub(crate) stride: u32,
    pub(crate) step: u32,
    pub(crate) here: u32,
    pub(crate) begin: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
    /// The uniform address space rounds a struct up to its alignment of 16.
    pub(crate) padding: [u32; 3],
}

/// Adds the dispatches that put the entries among `fill`'s elements, which are zero, at byte `offset` of `buffer`.
#[expect(clippy::too_many_arguments, reason = "a request and a place")]
pub(super) fn put(
    context: &Context,
    limits: WindowLimits,
    fill: &Fill,
    gain: f32,
    plan: Orthogonal,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let operation = fill.operation;
    let (rows, columns, blocks) = (plan.height() as u64, plan.width() as u64, plan.blocks() as u64);
    let own_rows = u64::from(plan.rows);
    let wanted = plan.rows_of(fill.first, fill.len);
    if wanted.is_empty() {
        recorder.done(fill.len);
        return Ok(());
    }
    let (first_matrix, end_matrix) = (wanted.start / own_rows, wanted.end.div_ceil(own_rows));
    // Rows of a transposed matrix are columns of Q, and only their panels are needed.
    let wanted_panels = if plan.transposed() && plan.batch == 1 {
        wanted.start / COLUMNS..wanted.end.div_ceil(COLUMNS)
    } else {
        0..columns.div_ceil(COLUMNS)
    };
    let columns_of = |panels: &Range<u64>| (panels.end * COLUMNS).min(columns) - panels.start * COLUMNS;

    let most = limits.binding.min(SLAB) / 4;
    let panel = rows * COLUMNS.min(columns);
    limits.check(context, operation, panel * 4)?;
    let matrix = rows * columns_of(&wanted_panels);
    let matrices = (most / matrix).clamp(1, end_matrix - first_matrix);
    let panels = (most / panel).clamp(1, wanted_panels.end - wanted_panels.start);
    // The blocks of several matrices, or several of one, or a single one.
    let unit = BLOCK * (VECTORS + rows);
    let units = (SCRATCH.min(most) / unit).max(1);
    let held_blocks = units.min(blocks);
    let held_matrices = (units / held_blocks).min(matrices);
    let scratch_bytes = held_matrices * held_blocks * unit * 4;
    limits.check(context, operation, scratch_bytes)?;
    let scratch = context.buffer(operation, scratch_bytes, wgpu::BufferUsages::STORAGE)?;
    let slab_bytes = (matrices * matrix).min(most.max(panel)) * 4;
    let slab = context.buffer(operation, slab_bytes, wgpu::BufferUsages::STORAGE)?;

    let pieces = pieces(fill, offset, limits);
    let applied_to = |panel: u64| blocks.min((panel + 1) * COLUMNS / BLOCK);
    let total = (end_matrix - first_matrix) * wanted_panels.clone().map(applied_to).sum::<u64>();
    let mut applied = 0;
    let step = context.step();
    for first in (first_matrix..end_matrix).step_by(matrices as usize) {
        for start in (wanted_panels.start..wanted_panels.end).step_by(panels as usize) {
            let own = start..(start + panels).min(wanted_panels.end);
            let count = matrices.min(end_matrix - first);
            let params = OrthogonalParams {
                keys: round_keys(fill.seed),
                stream: words(fill.stream),
                rows: rows as u32,
                columns: columns as u32,
                quads: plan.quads() as u32,
                first_matrix: first as u32,
                first_panel: own.start as u32,
                end_panel: own.end as u32,
                transposed: plan.transposed().into(),
                scale: Scaling::normal(0.0, 1.0).scale,
                one: 1.0,
                ..Default::default()
            };
            let dispatch = |entry: OrthogonalEntry, groups: u64, params: OrthogonalParams| Dispatch {
                kernel: Kernel::Orthogonal(entry),
                params: Params::new(&params),
                buffers: vec![Bound::whole(&scratch), Bound::whole(&slab)],
                grid: limits.grid(groups as u32),
            };
            for matrix in (first..first + count).step_by(held_matrices as usize) {
                let count = held_matrices.min(first + count - matrix);
                let mut top = blocks.min(own.end * COLUMNS / BLOCK);
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
                    recorder.add(dispatch(OrthogonalEntry::Reflect, units * BLOCK, params), touched, 0)?;
                    recorder.add(dispatch(OrthogonalEntry::Gram, units, params), touched, 0)?;
                    for at in (block..top).rev() {
                        let groups = count * touched_panels(&own, at);
                        let each = COLUMNS * (rows - at * BLOCK);
                        let together = (step / each).max(1);
                        for first in (0..groups).step_by(together as usize) {
                            let count = together.min(groups - first);
                            let params =
                                OrthogonalParams { at: at as u32, first: first as u32, count: count as u32, ..params };
                            // Elements done, in proportion.
                            let share =
                                |part: u64| (u128::from(fill.len) * u128::from(part) / u128::from(total)) as u64;
                            let elements = share(applied + count) - share(applied);
                            applied += count;
                            recorder.add(dispatch(OrthogonalEntry::Apply, count, params), count * each, elements)?;
                        }
                    }
                    top = block;
                }
            }
            // Rows of the output that have entries of this slab.
            let columns = own.start * COLUMNS..(own.end * COLUMNS).min(columns);
            let (first_row, last_matrix) = (first * own_rows, (first + count - 1) * own_rows);
            let (slab_rows, slab_columns) = if plan.transposed() {
                (first_row + columns.start..last_matrix + columns.end, 0..rows)
            } else {
                (first_row..last_matrix + own_rows, columns)
            };
            let params = OrthogonalParams { scale: gain, ..params };
            for piece in &pieces {
                finish(
                    limits,
                    fill,
                    plan,
                    piece,
                    slab_rows.clone(),
                    slab_columns.clone(),
                    params,
                    buffer,
                    &slab,
                    recorder,
                )?;
            }
        }
    }
    Ok(())
}

/// Panels of a slab that block `at` changes.
fn touched_panels(own: &Range<u64>, at: u64) -> u64 {
    own.end - own.start.max(at * BLOCK / COLUMNS)
}

/// Adds the dispatches that put the entries of some rows and columns of the output where `piece` has them.
#[expect(clippy::too_many_arguments, reason = "a part of a slab and a place")]
fn finish(
    limits: WindowLimits,
    fill: &Fill,
    plan: Orthogonal,
    piece: &Piece,
    rows: Range<u64>,
    columns: Range<u64>,
    params: OrthogonalParams,
    buffer: &wgpu::Buffer,
    slab: &wgpu::Buffer,
    recorder: &mut Recorder,
) -> Result<()> {
    let Place { skip, stride, offset, step } = plan.place;
    let here = plan.rows_of(piece.first, piece.count.into());
    let (start, end) = (rows.start.max(here.start), rows.end.min(here.end));
    let width = columns.end - columns.start;
    let together = (FINISH / width).max(1);
    for first in (start..end).step_by(together as usize) {
        let count = together.min(end - first) * width;
        let first_place = (skip + first) * u64::from(stride) + u64::from(offset) + columns.start * u64::from(step);
        let params = OrthogonalParams {
            first: first as u32,
            at: columns.start as u32,
            count: count as u32,
            width: width as u32,
            origin: first_place.wrapping_sub(piece.first) as u32,
            stride,
            step,
            here: piece.count,
            begin: piece.begin,
            ..params
        };
        let dispatch = Dispatch {
            kernel: Kernel::Orthogonal(OrthogonalEntry::Finish(fill.dtype)),
            params: Params::new(&params),
            buffers: vec![Bound::new(buffer, piece.offset, piece.size), Bound::whole(slab)],
            grid: limits.grid(count.div_ceil(LANES) as u32),
        };
        recorder.add(dispatch, count, 0)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "orthogonal_tests.rs"]
mod tests;
