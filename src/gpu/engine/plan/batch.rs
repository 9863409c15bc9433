//! Many small tensors at once: they share buffers, and one dispatch fills all of a kind. A tensor
//! by itself costs a buffer, a bind group and a dispatch: about 50 us on llvmpipe, where this costs
//! about 1.

use crate::gpu::engine::kernel::{Entry, Kernel, PART_LANES, Transform};
use crate::gpu::engine::params::{FillParams, Part};
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot};
use crate::gpu::engine::plan::limits::{ENTRY, Limits};
use crate::gpu::engine::plan::tiles::{BLOCKS, SAME_HIGH};
use crate::stream::philox::{round_keys, words};
use crate::{DType, Fill};

/// A larger tensor has a buffer of its own: what that costs is little beside filling it.
const SMALL: u64 = 1 << 20;
/// Most bytes of a shared buffer, which stays allocated as long as one of its tensors does.
const SHARED: u64 = 16 << 20;
/// A tensor's offset in a shared buffer is a multiple of it, and of what the device asks of
/// bindings, so that it can be bound by itself.
const STRIDE: u64 = 256;

/// Where a tensor goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allocation {
    /// Number of the buffer.
    pub(crate) buffer: usize,
    pub(crate) offset: u64,
    /// Bytes up to the next tensor of a shared buffer, or its end; `None` if the tensor has the
    /// buffer for itself.
    pub(crate) padded: Option<u64>,
}

/// Whether a fill is one that `fill_many` can do, and small.
fn is_small(fill: &Fill) -> bool {
    let plain = fill.distribution.base() == fill.distribution
        && !fill.distribution.is_uploaded()
        && !fill.dtype.is_converted()
        && fill.runs.is_none()
        && fill.zeros.is_none();
    let same_high = fill.first % SAME_HIGH + fill.len <= SAME_HIGH;
    plain && same_high && fill.first.is_multiple_of(4) && fill.bytes() <= SMALL
}

/// Allocates memory for fills: where each goes, and the sizes of the buffers. Small ones share
/// buffers, unless there is only one.
pub(crate) fn allocate(fills: &[Fill], limits: &Limits) -> (Vec<Allocation>, Vec<u64>) {
    let shares = fills.iter().filter(|fill| is_small(fill)).count() > 1;
    let (small, large): (Vec<_>, Vec<_>) =
        (0..fills.len()).partition(|&i| shares && is_small(&fills[i]));
    let (shared, mut sizes) = share(small.iter().map(|&i| &fills[i]), limits);
    let mut all: Vec<_> = small.into_iter().zip(shared).collect();
    for i in large {
        all.push((i, Allocation { buffer: sizes.len(), offset: 0, padded: None }));
        // No buffer has as many bytes as an overflow stands for.
        sizes.push(fills[i].bytes().checked_next_multiple_of(ENTRY).unwrap_or(u64::MAX));
    }
    all.sort_by_key(|&(i, _)| i);
    (all.into_iter().map(|(_, allocation)| allocation).collect(), sizes)
}

/// Puts small fills one after the other into as few buffers as possible.
pub(crate) fn share<'a>(
    fills: impl Iterator<Item = &'a Fill>,
    limits: &Limits,
) -> (Vec<Allocation>, Vec<u64>) {
    let (stride, most) = (limits.alignment.max(STRIDE), SHARED.min(limits.binding));
    let (mut allocations, mut sizes): (_, Vec<u64>) = (Vec::new(), Vec::new());
    for fill in fills {
        let padded = fill.bytes().next_multiple_of(stride);
        if sizes.last().is_none_or(|size| size + padded > most) {
            sizes.push(0);
        }
        let buffer = sizes.len() - 1;
        allocations.push(Allocation { buffer, offset: sizes[buffer], padded: Some(padded) });
        sizes[buffer] += padded;
    }
    (allocations, sizes)
}

/// Tensors of one kind in one buffer: a dispatch, and the contents of its scratch buffer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    kind: Kind,
    /// Number of the tensors' buffer.
    pub(crate) buffer: usize,
    table: Binding,
    pub(crate) parts: Vec<Part>,
    elements: u64,
}

/// The kernel, and the seed in its parameters.
type Kind = (DType, Transform, u64);

/// A small tensor, where it is, and where its table is: see `Tables::window`.
pub(crate) type Member<'a> = (&'a Fill, Allocation, (Binding, u32));

/// Groups tensors in shared buffers by kind and buffer.
pub(crate) fn batches<'a>(members: impl Iterator<Item = Member<'a>>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (fill, Allocation { buffer, offset, padded }, (table, table_start)) in members {
        let kind = (fill.dtype, fill.distribution.into(), fill.seed);
        // From the last one on, since tensors in one buffer follow one another.
        let number = batches
            .iter()
            .rposition(|batch| (batch.kind, batch.buffer, batch.table) == (kind, buffer, table))
            .unwrap_or_else(|| {
                batches.push(Batch { kind, buffer, table, parts: Vec::new(), elements: 0 });
                batches.len() - 1
            });
        let batch = &mut batches[number];
        batch.parts.extend(parts(fill, offset, padded.unwrap_or_default(), table_start));
        batch.elements += fill.len;
    }
    batches
}

impl Batch {
    /// Plans the dispatch; its parts are scratch buffer 0, and `size` are the bytes of the tensors'
    /// buffer.
    pub(crate) fn dispatch(&self, size: u64, limits: &Limits) -> Dispatch {
        let (dtype, transform, seed) = self.kind;
        let count = self.parts.len() as u32;
        let params =
            FillParams { keys: round_keys(seed), count, one: 1.0, ..bytemuck::Zeroable::zeroed() };
        Dispatch {
            kernel: Kernel { transform, ..Kernel::new(Entry::FillMany, dtype) },
            params: Params::new(&params),
            bindings: vec![
                Binding::first(Slot::TENSOR, size),
                self.table,
                Binding::first(Slot::scratch(0), size_of_val(&*self.parts) as u64),
            ],
            grid: limits.grid(count.into()),
            cost: self.elements / CHEAP,
            elements: self.elements,
        }
    }
}

/// Divides a tensor at `offset` into parts, up to the end of its padded size.
fn parts(fill: &Fill, offset: u64, padded: u64, table: u32) -> impl Iterator<Item = Part> {
    let (per_entry, entries) = (ENTRY / fill.dtype.size(), padded / ENTRY);
    let FillParams { stream, scale, shift, low, high, .. } = FillParams::new(fill, 0, 0, 0);
    let Fill { first, len, .. } = *fill;
    let most = BLOCKS * u64::from(PART_LANES) * 4 / per_entry;
    (0..entries).step_by(most as usize).map(move |entry| {
        let here = (entries - entry).min(most);
        let start = entry * per_entry;
        Part {
            stream,
            first: words(first + start),
            begin: (offset / ENTRY + entry) as u32,
            entries: here as u32,
            count: len.saturating_sub(start).min(here * per_entry) as u32,
            scale,
            shift,
            low,
            high,
            table,
        }
    })
}
