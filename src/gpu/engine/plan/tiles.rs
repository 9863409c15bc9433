//! Tiles: the elements of a tensor that one binding holds, and the dispatches of the kernels that
//! sample element by element.

use std::ops::Range;

use crate::Fill;
use crate::gpu::engine::kernel::{Entry, Kernel, WORKGROUP_SIZE};
use crate::gpu::engine::params::FillParams;
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot};
use crate::gpu::engine::plan::limits::{ENTRY, Limits};

/// Blocks whose elements an invocation of `fill` or `fill_many` writes.
pub(crate) const BLOCKS: u64 = 4;
/// Elements of blocks whose index has the same high half.
pub(crate) const SAME_HIGH: u64 = 1 << 34;

/// Where a tensor is: a byte offset, a multiple of 4, in a buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    pub(crate) slot: Slot,
    pub(crate) offset: u64,
}

/// Elements of a tensor that one binding holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tile {
    /// Index of the first one in the whole tensor.
    pub(crate) first: u64,
    /// Number of the first one among the fill's.
    pub(crate) number: u64,
    pub(crate) count: u32,
    /// Position of the first one in the binding, in elements.
    pub(crate) begin: u32,
    pub(crate) binding: Binding,
}

/// Divides the fill's elements into tiles.
pub(crate) fn tiles(
    fill: &Fill,
    target: Target,
    limits: &Limits,
) -> impl Iterator<Item = Tile> + Clone + Send + use<> {
    tiles_of(fill, 0..fill.len, target, limits)
}

/// Divides some of the fill's elements into tiles.
fn tiles_of(
    fill: &Fill,
    numbers: Range<u64>,
    Target { slot, offset }: Target,
    limits: &Limits,
) -> impl Iterator<Item = Tile> + Clone + Send + use<> {
    let (size, first, limits) = (fill.dtype.size(), fill.first, *limits);
    let mut number = numbers.start;
    std::iter::from_fn(move || {
        if number >= numbers.end {
            return None;
        }
        let at = offset + number * size;
        let base = at & !(limits.alignment - 1);
        let end = numbers.end.min((base + limits.binding - offset) / size);
        let bytes = (offset + end * size).next_multiple_of(4) - base;
        let tile = Tile {
            first: first.wrapping_add(number),
            number,
            count: (end - number) as u32,
            begin: ((at - base) / size) as u32,
            binding: Binding { slot, offset: base, size: bytes },
        };
        number = end;
        Some(tile)
    })
}

/// Plans the dispatches that write a distribution's background: all elements, before values are
/// scattered over them. Elements are complete unless some will be.
pub(crate) fn background(
    fill: &Fill,
    target: Target,
    table: Binding,
    limits: &Limits,
) -> impl Iterator<Item = Dispatch> + Send + use<> {
    let (fill, limits) = (*fill, *limits);
    let is_complete = fill.distribution.base() == fill.distribution;
    segments(&fill, target.offset).into_iter().flat_map(move |(entry, numbers)| {
        tiles_of(&fill, numbers, target, &limits).map(move |tile| {
            let count = u64::from(tile.count);
            let (invocations, unit) = match entry {
                Entry::Fill => ((count / 4).div_ceil(BLOCKS), ENTRY),
                Entry::FillWords => ((tile.first % 4 + count).div_ceil(4), 4),
                _ => (count.div_ceil(4), 4),
            };
            let begin = u64::from(tile.begin) * fill.dtype.size() / unit;
            Dispatch {
                kernel: Kernel {
                    transform: fill.distribution.into(),
                    ..Kernel::new(entry, fill.dtype)
                },
                params: Params::new(&FillParams::new(&fill, tile.number, tile.count, begin as u32)),
                bindings: vec![tile.binding, table],
                grid: limits.grid(invocations.div_ceil(WORKGROUP_SIZE.into())),
                cost: count / CHEAP,
                elements: if is_complete { count } else { 0 },
            }
        })
    })
}

/// Divides a fill's elements by the entry point that writes them.
fn segments(fill: &Fill, offset: u64) -> Vec<(Entry, Range<u64>)> {
    if fill.runs.is_some() {
        return vec![(Entry::FillSlice, 0..fill.len)];
    }
    // Whole entries if they start where a block starts; the rest, or all, word by word.
    let per_entry = ENTRY / fill.dtype.size();
    let aligned = offset.is_multiple_of(ENTRY) && fill.first.is_multiple_of(4);
    let whole = if aligned { fill.len - fill.len % per_entry } else { 0 };
    let (mut segments, mut start) = (Vec::new(), 0);
    while start < whole {
        // Entries up to where the high half of the block's index changes, and word by word the one
        // that has both halves.
        let same = SAME_HIGH - (fill.first + start) % SAME_HIGH;
        let end = whole.min(start + same - same % per_entry);
        segments.push((Entry::Fill, start..end));
        start = if same.is_multiple_of(per_entry) { end } else { whole.min(end + per_entry) };
        segments.push((Entry::FillWords, end..start));
    }
    segments.push((Entry::FillWords, whole..fill.len));
    segments
}
