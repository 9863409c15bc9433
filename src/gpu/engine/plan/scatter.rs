//! Plans for kernels that write values over others: `diagonal.wgsl`, `sparse.wgsl`, `clear.wgsl`.

use crate::Fill;
use crate::distribution::diagonal::Diagonal;
use crate::distribution::sparse::Sparse;
use crate::gpu::engine::kernel::{Entry, Kernel, SPARSE_ROWS, WORKGROUP_SIZE};
use crate::gpu::engine::params::{ClearParams, DiagonalParams, SliceParams, SparseParams};
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot, Step};
use crate::gpu::engine::plan::limits::Limits;
use crate::gpu::engine::plan::tiles::{Target, Tile, tiles};
use crate::stream::philox::{round_keys, words};

/// Zeroes the elements with indices `low` to `high` - 1 among the fill's.
pub(super) fn clear(
    fill: &Fill,
    [low, high]: [u64; 2],
    target: Target,
    limits: &Limits,
) -> impl Iterator<Item = Step> + Send + use<> {
    let (fill, limits) = (*fill, *limits);
    tiles(&fill, target, &limits).filter_map(move |tile| {
        let first = fill.index(tile.number);
        let end = fill.index(tile.number + u64::from(tile.count) - 1) + 1;
        if low >= end || high <= first {
            return None;
        }
        let params = ClearParams {
            slice: SliceParams::new(&fill.elements(), tile.number),
            first: words(first),
            low: words(low),
            high: words(high),
            count: tile.count,
            begin: tile.begin,
        };
        Some(Step::Run(Dispatch {
            kernel: Kernel::new(Entry::Clear, fill.dtype),
            params: Params::new(&params),
            bindings: vec![tile.binding],
            grid: limits.grid(tile.count.div_ceil(WORKGROUP_SIZE).into()),
            cost: u64::from(tile.count) / CHEAP,
            elements: 0,
        }))
    })
}

/// Writes `value` on the diagonal among the fill's elements.
pub(super) fn diagonal(
    fill: &Fill,
    value: f32,
    diagonal: Diagonal,
    target: Target,
    limits: &Limits,
) -> impl Iterator<Item = Step> + Send + use<> {
    let (fill, limits) = (*fill, *limits);
    tiles(&fill, target, &limits).map(move |tile| {
        let n = diagonal.before(tile.first);
        let count = diagonal.before(tile.first + u64::from(tile.count)) - n;
        if count == 0 {
            return Step::Complete(tile.count.into());
        }
        let inner_first = n % diagonal.inner.count;
        let origin = diagonal
            .index(n - inner_first)
            .wrapping_sub(tile.first)
            .wrapping_add(tile.begin.into());
        let params = DiagonalParams {
            origin: origin as u32,
            inner_first: inner_first as u32,
            inner_count: diagonal.inner.count as u32,
            inner_stride: diagonal.inner.stride as u32,
            outer_stride: diagonal.outer.stride as u32,
            count: count as u32,
            bits: fill.dtype.bits(value),
        };
        Step::Run(Dispatch {
            kernel: Kernel::new(Entry::Diagonal, fill.dtype),
            params: Params::new(&params),
            bindings: vec![tile.binding],
            grid: limits.grid(count.div_ceil(WORKGROUP_SIZE.into())),
            cost: count,
            elements: tile.count.into(),
        })
    })
}

/// Elements that a dispatch of `sparse` decides, if a row has no more.
const SPARSE_ELEMENTS: u64 = 1 << 26;

/// Bytes of the scratch memory of [`sparse`]: the zeros left of each column.
pub(super) fn sparse_scratch(sparse: &Sparse) -> u64 {
    4 * u64::from(sparse.columns)
}

/// Zeroes elements of each column among the fill's. Every column goes down all rows before them,
/// too, since its zeros left decide; `zeros_left` carries them from dispatch to dispatch.
pub(super) fn sparse(
    fill: &Fill,
    sparse: Sparse,
    zeros_left: Slot,
    target: Target,
    limits: &Limits,
) -> impl Iterator<Item = Step> + Send + use<> {
    let (fill, limits, columns) = (*fill, *limits, u64::from(sparse.columns));
    let zeros_left = Binding::first(zeros_left, sparse_scratch(&sparse));
    let tiles: Vec<Tile> = tiles(&fill, target, &limits).collect();
    let end_row = (fill.first + fill.len).div_ceil(columns);
    let rows = (SPARSE_ELEMENTS / columns).clamp(1, SPARSE_ROWS.into());
    (0..end_row).step_by(rows as usize).flat_map(move |first_row| {
        let end_row = (first_row + rows).min(end_row);
        let decided = first_row * columns..end_row * columns;
        let end = |tile: &Tile| tile.first + u64::from(tile.count);
        let mut here: Vec<Tile> = tiles
            .iter()
            .filter(|tile| tile.first < decided.end && decided.start < end(tile))
            .copied()
            .collect();
        if here.is_empty() {
            // Rows before the first element: nothing is written.
            here.extend(tiles.first().map(|&first| Tile { count: 0, ..first }));
        }
        let last = here.len() - 1;
        here.into_iter().enumerate().map(move |(i, tile)| {
            let params = SparseParams {
                keys: round_keys(fill.seed),
                stream: words(fill.stream),
                rows: sparse.rows,
                columns: sparse.columns,
                zeros: sparse.zeros,
                quads: sparse.quads(),
                first_row: first_row as u32,
                end_row: end_row as u32,
                start: decided.start.wrapping_sub(tile.first) as u32,
                count: tile.count,
                begin: tile.begin,
                last: (i == last).into(),
            };
            Step::Run(Dispatch {
                kernel: Kernel::new(Entry::Sparse, fill.dtype),
                params: Params::new(&params),
                bindings: vec![tile.binding, zeros_left],
                grid: limits.grid(sparse.columns.div_ceil(WORKGROUP_SIZE).into()),
                cost: (decided.end - decided.start) / CHEAP,
                elements: decided.end.min(end(&tile)).saturating_sub(decided.start.max(tile.first)),
            })
        })
    })
}
