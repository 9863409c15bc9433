//! Slices of what is not made element by element: the range they are in is made beside, and they
//! are copied out of it.

use bytemuck::{Pod, Zeroable};

use crate::gpu::context::Context;
use crate::gpu::fill::add_fill;
use crate::gpu::kernels::Kernel;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::table::Tables;
use crate::gpu::window::{SliceParams, WORKGROUP_SIZE, WindowLimits, pieces};
use crate::spec::slice::Elements;
use crate::stream::philox::words;
use crate::{Distribution, Fill, Result};

/// Bytes made at a time, where a part costs no more than its share of the whole.
const PART: u64 = 64 << 20;

/// The same where a part costs all that is before it too.
const LARGE_PART: u64 = 1 << 30;

/// `Params` in `gather.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct GatherParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) available: u32,
    pub(crate) source_begin: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
}

/// Adds the dispatches that write a slice at `offset` of `buffer`.
pub(super) fn gathered(
    context: &Context,
    limits: WindowLimits,
    fill: &Fill,
    tables: &Tables,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let (operation, size) = (fill.operation, fill.dtype.size());
    let zeros = Fill {
        distribution: Distribution::Constant { value: 0.0 },
        ..fill.of(Elements { runs: None, ..fill.elements() })
    };
    recorder.muted(|recorder| add_fill(context, &zeros, tables, buffer, offset, recorder))?;
    let end = fill.index(fill.len - 1) + 1;
    // A matrix is made whole, for a part of it would cost as much; one with zeros goes down all
    // rows for each part.
    let each = match fill.distribution {
        Distribution::Orthogonal { .. } => end - fill.first,
        Distribution::Sparse { .. } => LARGE_PART / size,
        _ => PART / size,
    };
    let bytes = (each.min(end - fill.first) * size).next_multiple_of(16);
    let memory = context.buffer(operation, bytes, wgpu::BufferUsages::STORAGE)?;
    let mut done = 0;
    for first in (fill.first..end).step_by(each as usize) {
        let part = fill.of(Elements { first, len: each.min(end - first), runs: None });
        if fill.elements().within(first, first + part.len).is_empty() {
            continue;
        }
        recorder.muted(|recorder| add_fill(context, &part, tables, &memory, 0, recorder))?;
        for source in pieces(&part, 0, limits) {
            let wanted =
                fill.elements().within(source.first, source.first + u64::from(source.count));
            for piece in pieces(&zeros, offset, limits) {
                let start = wanted.start.max(piece.number);
                let count =
                    wanted.end.min(piece.number + u64::from(piece.count)).saturating_sub(start)
                        as u32;
                if count == 0 {
                    continue;
                }
                let params = GatherParams {
                    slice: SliceParams::new(&fill.elements(), start),
                    first: words(source.first),
                    available: source.count,
                    source_begin: source.begin,
                    count,
                    begin: piece.begin + (start - piece.number) as u32,
                };
                let dispatch = Dispatch {
                    kernel: Kernel::Gather(fill.dtype),
                    params: Params::new(&params),
                    buffers: vec![
                        Bound::new(buffer, piece.offset, piece.size),
                        Bound::new(&memory, source.offset, source.size),
                    ],
                    grid: limits.grid(count.div_ceil(WORKGROUP_SIZE)),
                    iterations: 0,
                };
                recorder.add(dispatch, u64::from(count) / CHEAP, 0)?;
            }
        }
        // Elements done, in proportion.
        let share = (u128::from(fill.len) * u128::from(part.first + part.len - fill.first)
            / u128::from(end - fill.first)) as u64;
        recorder.done(share - done);
        done = share;
    }
    Ok(())
}

#[cfg(test)]
#[path = "slice_tests.rs"]
mod tests;
