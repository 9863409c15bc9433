//! Many small tensors at once: they share buffers, and one dispatch fills all of a kind. A tensor
//! by itself costs a buffer, a bind group and a dispatch: about 50 us on llvmpipe, where this is
//! about 1.

use std::collections::HashMap;

use crate::gpu::context::Context;
use crate::gpu::device::{Device, Inner};
use crate::gpu::kernels::Kernel;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::table::Tables;
use crate::gpu::window::{BLOCKS, ENTRY, FillParams, SAME_HIGH, Transform, WindowLimits};
use crate::gpu::{Tensor, vulkan};
use crate::stream::philox::{round_keys, words};
use crate::{DType, Fill, Result};

/// A tensor of more bytes has a buffer of its own: what that costs is little beside filling it.
pub(super) const SMALL: u64 = 1 << 20;
/// Most bytes of a shared buffer: they stay allocated as long as one of its tensors does.
pub(super) const SHARED: u64 = 16 << 20;
/// A tensor's place in a shared buffer is a multiple of it, or of what the device asks for: it can
/// be bound by itself.
const STRIDE: u64 = 256;

/// Invocations of a part's workgroup.
pub(super) const PART_LANES: u32 = 64;

/// Where a tensor goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) buffer: wgpu::Buffer,
    pub(super) offset: u64,
    /// Bytes up to the next tensor of a shared buffer, or its end; `None` if the buffer is the
    /// tensor's own.
    pub(super) room: Option<u64>,
}

/// `Part` in `fill_many.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Part {
    pub(crate) stream: [u32; 2],
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) entries: u32,
    pub(crate) count: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) table: u32,
}

/// Which `fill_many` runs, and under which seed.
type Kind = (DType, Transform, u64);

fn kind(fill: &Fill) -> Kind {
    (fill.dtype, fill.distribution.into(), fill.seed)
}

/// Whether a fill is one that `fill_many` can do, and small.
fn is_small(fill: &Fill) -> bool {
    let plain = fill.distribution.base() == fill.distribution
        && fill.runs.is_none()
        && fill.zeros.is_none();
    let same_high = fill.first % SAME_HIGH + fill.len <= SAME_HIGH;
    plain && same_high && fill.first.is_multiple_of(4) && fill.bytes() <= SMALL
}

/// Memory for fills: small ones of the same usages share buffers.
pub(super) fn allocate(
    context: &Context,
    fills: &[(Fill, wgpu::BufferUsages)],
) -> Result<Vec<Place>> {
    let mut small: HashMap<wgpu::BufferUsages, Vec<usize>> = HashMap::new();
    for (i, (fill, usages)) in fills.iter().enumerate() {
        if is_small(fill) {
            small.entry(*usages).or_default().push(i);
        }
    }
    let mut places = vec![None; fills.len()];
    for (usages, members) in small.into_iter().filter(|(_, members)| members.len() > 1) {
        let shared = share(context, members.iter().map(|&i| &fills[i].0), usages)?;
        for (i, place) in members.into_iter().zip(shared) {
            places[i] = Some(place);
        }
    }
    let own = |((fill, usages), place): (&(Fill, wgpu::BufferUsages), Option<Place>)| match place {
        Some(place) => Ok(place),
        None => {
            // No buffer has as many bytes as an overflow stands for.
            let bytes = fill.bytes().checked_next_multiple_of(ENTRY).unwrap_or(u64::MAX);
            let buffer = vulkan::unwritten(context, fill.operation, bytes, *usages)?;
            Ok(Place { buffer, offset: 0, room: None })
        }
    };
    fills.iter().zip(places).map(own).collect()
}

/// Puts small fills one after the other into as few buffers as there must be.
pub(super) fn share<'a>(
    context: &Context,
    fills: impl Iterator<Item = &'a Fill>,
    usages: wgpu::BufferUsages,
) -> Result<Vec<Place>> {
    let limits = WindowLimits::of(&context.device.limits());
    let (stride, most) = (limits.alignment.max(STRIDE), SHARED.min(limits.binding));
    let (mut places, mut end, mut fills) = (Vec::new(), 0, fills.peekable());
    let mut rooms = Vec::new();
    while let Some(fill) = fills.next() {
        let room = fill.bytes().next_multiple_of(stride);
        rooms.push((end, room));
        end += room;
        let is_full =
            fills.peek().is_none_or(|next| end + next.bytes().next_multiple_of(stride) > most);
        if is_full {
            let buffer = vulkan::unwritten(context, fill.operation, end, usages)?;
            let place = |(offset, room)| Place { buffer: buffer.clone(), offset, room: Some(room) };
            places.extend(rooms.drain(..).map(place));
            end = 0;
        }
    }
    Ok(places)
}

impl Device {
    /// Records the fills of tensors in shared buffers, each with the room it has: a dispatch for
    /// each kind in each buffer.
    pub(super) fn record_shared(
        &self,
        tensors: &[(&Tensor, u64)],
        recorder: &mut Recorder,
    ) -> Result<()> {
        let Inner { context, kernels, .. } = &*self.inner;
        let limits = WindowLimits::of(&context.device.limits());
        let Some((first, _)) = tensors.first() else { return Ok(()) };
        let operation = first.fill.operation;
        let tables = Tables::new(
            context,
            kernels,
            operation,
            tensors.iter().map(|(tensor, _)| &tensor.fill),
        )?;
        let mut batches: Vec<Batch> = Vec::new();
        for &(Tensor { fill, buffer, offset, .. }, room) in tensors {
            let (kind, (table, start)) =
                (kind(fill), tables.window(&fill.distribution, limits.binding));
            // From the last one on, for those in one buffer follow one another.
            let is_its = |batch: &Batch| {
                (batch.kind, batch.table.offset) == (kind, table.offset) && batch.buffer == *buffer
            };
            let number = batches.iter().rposition(is_its).unwrap_or_else(|| {
                batches.push(Batch {
                    kind,
                    buffer: buffer.clone(),
                    table,
                    parts: Vec::new(),
                    elements: 0,
                });
                batches.len() - 1
            });
            let batch = &mut batches[number];
            batch.parts.extend(parts(fill, *offset, room, start));
            batch.elements += fill.len;
        }
        for Batch { kind: (dtype, transform, seed), buffer, table, parts, elements } in batches {
            let count = parts.len() as u32;
            let contents = context.buffer_with(
                operation,
                bytemuck::cast_slice(&parts),
                wgpu::BufferUsages::STORAGE,
            )?;
            let dispatch = Dispatch {
                kernel: Kernel::FillMany(dtype, transform),
                params: Params::new(&FillParams {
                    keys: round_keys(seed),
                    count,
                    one: 1.0,
                    ..bytemuck::Zeroable::zeroed()
                }),
                buffers: vec![Bound::whole(&buffer), table, Bound::whole(&contents)],
                grid: limits.grid(count),
                iterations: 0,
            };
            recorder.add(dispatch, elements / CHEAP, elements)?;
        }
        Ok(())
    }
}

/// Tensors of one kind in one buffer.
struct Batch {
    kind: Kind,
    buffer: wgpu::Buffer,
    table: Bound,
    parts: Vec<Part>,
    elements: u64,
}

/// A tensor at `offset`, one part after the other, up to the end of its room.
fn parts(fill: &Fill, offset: u64, room: u64, table: u32) -> impl Iterator<Item = Part> {
    let (distribution, per_entry, entries) =
        (fill.distribution, ENTRY / fill.dtype.size(), room / ENTRY);
    let [low, high] = distribution.kept_within();
    let whole = Part {
        stream: words(fill.stream),
        first: [0; 2],
        begin: 0,
        entries: 0,
        count: 0,
        scale: distribution.scaling().scale,
        shift: distribution.scaling().shift,
        low,
        high,
        table,
    };
    let Fill { first, len, .. } = *fill;
    let most = BLOCKS * u64::from(PART_LANES) * 4 / per_entry;
    (0..entries).step_by(most as usize).map(move |entry| {
        let here = (entries - entry).min(most);
        let start = entry * per_entry;
        Part {
            first: words(first + start),
            begin: (offset / ENTRY + entry) as u32,
            entries: here as u32,
            count: len.saturating_sub(start).min(here * per_entry) as u32,
            ..whole
        }
    })
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
