//! Runs the kernels that put values in the place of others: `shaders/diagonal.wgsl` and
//! `shaders/sparse.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::distribution::diagonal::Diagonal;
use crate::distribution::sparse::Sparse;
use crate::gpu::context::Context;
use crate::gpu::kernels::Kernel;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::window::{Piece, SliceParams, WORKGROUP_SIZE, WindowLimits, pieces};
use crate::stream::philox::{round_keys, words};
use crate::{Fill, Result};

/// `Params` in `diagonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct DiagonalParams {
    pub(crate) origin: u32,
    pub(crate) inner_first: u32,
    pub(crate) inner_count: u32,
    pub(crate) inner_stride: u32,
    pub(crate) outer_stride: u32,
    pub(crate) count: u32,
    pub(crate) bits: u32,
}

/// `Params` in `sparse.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct SparseParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) zeros: u32,
    pub(crate) quads: u32,
    pub(crate) first_row: u32,
    pub(crate) end_row: u32,
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
    pub(crate) last: u32,
}

/// `Params` in `clear.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct ClearParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) low: [u32; 2],
    pub(crate) high: [u32; 2],
    pub(crate) count: u32,
    pub(crate) begin: u32,
}

/// Adds the dispatches that zero the elements with indices `low` to `high` - 1 among `fill`'s.
pub(super) fn clear(
    limits: WindowLimits,
    fill: &Fill,
    [low, high]: [u64; 2],
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    for piece in pieces(fill, offset, limits) {
        let start = piece.number;
        let (first, end) = (fill.index(start), fill.index(start + u64::from(piece.count) - 1) + 1);
        if low >= end || high <= first {
            continue;
        }
        let params = ClearParams {
            slice: SliceParams::new(&fill.elements(), start),
            first: words(first),
            low: words(low),
            high: words(high),
            count: piece.count,
            begin: piece.begin,
        };
        let dispatch = Dispatch {
            kernel: Kernel::Clear(fill.dtype),
            params: Params::new(&params),
            buffers: vec![Bound::new(buffer, piece.offset, piece.size)],
            grid: limits.grid(piece.count.div_ceil(WORKGROUP_SIZE)),
            iterations: 0,
        };
        recorder.add(dispatch, u64::from(piece.count) / CHEAP, 0)?;
    }
    Ok(())
}

/// Adds the dispatches that put `value` at the places among `fill`'s elements.
pub(super) fn diagonal(
    limits: WindowLimits,
    fill: &Fill,
    value: f32,
    diagonal: Diagonal,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    for piece in pieces(fill, offset, limits) {
        let n = diagonal.before(piece.first);
        let count = diagonal.before(piece.first + u64::from(piece.count)) - n;
        if count == 0 {
            recorder.done(piece.count.into());
            continue;
        }
        let inner_first = n % diagonal.inner.count;
        let origin = diagonal
            .place(n - inner_first)
            .wrapping_sub(piece.first)
            .wrapping_add(piece.begin.into());
        let params = DiagonalParams {
            origin: origin as u32,
            inner_first: inner_first as u32,
            inner_count: diagonal.inner.count as u32,
            inner_stride: diagonal.inner.stride as u32,
            outer_stride: diagonal.outer.stride as u32,
            count: count as u32,
            bits: fill.dtype.bits(value),
        };
        let dispatch = Dispatch {
            kernel: Kernel::Diagonal(fill.dtype),
            params: Params::new(&params),
            buffers: vec![Bound::new(buffer, piece.offset, piece.size)],
            grid: limits.grid((count as u32).div_ceil(WORKGROUP_SIZE)),
            iterations: 0,
        };
        recorder.add(dispatch, count, u64::from(piece.count))?;
    }
    Ok(())
}

/// Rows that an invocation goes down.
const ROWS: u64 = 1 << 13;
/// Elements that a dispatch decides, if a row has not more.
const ELEMENTS: u64 = 1 << 26;

/// Adds the dispatches that zero elements among `fill`'s.
pub(super) fn sparse(
    context: &Context,
    limits: WindowLimits,
    fill: &Fill,
    sparse: Sparse,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let (columns, pieces) = (u64::from(sparse.columns), pieces(fill, offset, limits));
    let zeros_left = context.buffer(fill.operation, 4 * columns, wgpu::BufferUsages::STORAGE)?;
    limits.check(context, fill.operation, zeros_left.size())?;
    let end_row = (fill.first + fill.len).div_ceil(columns);
    let rows = (ELEMENTS / columns).clamp(1, ROWS);
    for first_row in (0..end_row).step_by(rows as usize) {
        let end_row = (first_row + rows).min(end_row);
        let decided = first_row * columns..end_row * columns;
        let here = |piece: &&Piece| {
            piece.first < decided.end && decided.start < piece.first + u64::from(piece.count)
        };
        let mut here: Vec<Piece> = pieces.iter().filter(here).copied().collect();
        if here.is_empty() {
            // Only what comes before the elements: nothing is written.
            here.extend(pieces.first().map(|&first| Piece { count: 0, ..first }));
        }
        for (i, piece) in here.iter().enumerate() {
            let params = SparseParams {
                keys: round_keys(fill.seed),
                stream: words(fill.stream),
                rows: sparse.rows,
                columns: sparse.columns,
                zeros: sparse.zeros,
                quads: sparse.quads(),
                first_row: first_row as u32,
                end_row: end_row as u32,
                start: decided.start.wrapping_sub(piece.first) as u32,
                count: piece.count,
                begin: piece.begin,
                last: (i + 1 == here.len()).into(),
            };
            let dispatch = Dispatch {
                kernel: Kernel::Sparse(fill.dtype),
                params: Params::new(&params),
                buffers: vec![
                    Bound::new(buffer, piece.offset, piece.size),
                    Bound::whole(&zeros_left),
                ],
                grid: limits.grid(sparse.columns.div_ceil(WORKGROUP_SIZE)),
                iterations: (end_row - first_row) as u32,
            };
            let end = piece.first + u64::from(piece.count);
            let done = decided.end.min(end).saturating_sub(decided.start.max(piece.first));
            recorder.add(dispatch, (decided.end - decided.start) / CHEAP, done)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
