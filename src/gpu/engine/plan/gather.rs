//! Slices of distributions that cannot be sampled per element: generate the enclosing range in
//! scratch memory, then gather.

use crate::gpu::engine::kernel::{Entry, Kernel, WORKGROUP_SIZE};
use crate::gpu::engine::params::{GatherParams, SliceParams};
use crate::gpu::engine::plan::contiguous;
use crate::gpu::engine::plan::dispatch::{CHEAP, Dispatch, Params, Slot, Step};
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::tiles::{Target, Tile, tiles};
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::spec::slice::Elements;
use crate::stream::philox::words;
use crate::{Distribution, Fill};

/// Bytes generated at a time, where a part costs no more than its share of the whole.
const PART: u64 = 64 << 20;
/// The same where a part costs everything before it too.
const LARGE_PART: u64 = 1 << 30;

/// Plans a slice of values that are scattered over a background.
pub(super) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    let (fill, limits) = (*fill, *limits);
    let zeros = Fill {
        distribution: Distribution::Constant { value: 0.0 },
        ..fill.of(Elements { runs: None, ..fill.elements() })
    };
    let background = contiguous::plan(&zeros, bindings, &limits)?;
    let end = fill.index(fill.len - 1) + 1;
    let each = elements_at_a_time(&fill, end);
    let part = move |first| fill.of(Elements { first, len: each.min(end - first), runs: None });
    let memory = Slot::scratch(bindings.scratch);
    let inner = Bindings {
        target: Target { slot: memory, offset: 0 },
        scratch: bindings.scratch + 1,
        ..bindings
    };
    // The parts need the same scratch memory.
    let Plan { scratch, examination, .. } = contiguous::plan(&part(fill.first), inner, &limits)?;
    let bytes = (each * fill.dtype.size()).next_multiple_of(16);
    let total = end - fill.first;
    let mut done = 0;
    let parts = (fill.first..end).step_by(each as usize).map(part).flat_map(move |part| {
        let wanted = fill.elements().within(part.first, part.first + part.len);
        // Elements complete, in proportion.
        let share = (u128::from(fill.len) * u128::from(part.first + part.len - fill.first)
            / u128::from(total)) as u64;
        let complete = Step::Complete(share - std::mem::replace(&mut done, share));
        let steps = (!wanted.is_empty()).then(|| {
            // The first part was planned before, so no other one is too large.
            let generated = contiguous::plan(&part, inner, &limits).ok().map(|plan| plan.steps);
            let generated = generated.into_iter().flatten().map(Step::without_progress);
            generated.chain(gathers(&fill, &part, memory, bindings.target, &limits))
        });
        steps.into_iter().flatten().chain([complete])
    });
    let steps = Box::new(background.steps.map(Step::without_progress).chain(parts));
    Ok(Plan { scratch: [vec![bytes], scratch].concat(), examination, steps })
}

/// How many elements of the enclosing range are generated at a time. A matrix is generated whole,
/// for a part would cost as much; one with zeros goes down all rows before each part.
fn elements_at_a_time(fill: &Fill, end: u64) -> u64 {
    let most = match fill.distribution {
        Distribution::Orthogonal { .. } => u64::MAX,
        Distribution::Sparse { .. } => LARGE_PART / fill.dtype.size(),
        _ => PART / fill.dtype.size(),
    };
    most.min(end - fill.first)
}

/// The dispatches that copy the elements of `fill` among those of `part`, which is in `memory`.
fn gathers(
    fill: &Fill,
    part: &Fill,
    memory: Slot,
    target: Target,
    limits: &Limits,
) -> impl Iterator<Item = Step> + Send + use<> {
    let (fill, limits) = (*fill, *limits);
    let outputs = tiles(&fill, target, &limits);
    tiles(part, Target { slot: memory, offset: 0 }, &limits).flat_map(move |source| {
        let wanted = fill.elements().within(source.first, source.first + u64::from(source.count));
        outputs.clone().filter_map(move |output| {
            let start = wanted.start.max(output.number);
            let end = wanted.end.min(output.number + u64::from(output.count));
            (start < end).then(|| {
                Step::Run(gather(&fill, (start, (end - start) as u32), &source, &output, &limits))
            })
        })
    })
}

/// Copies `count` elements of the slice from number `start` on.
fn gather(
    fill: &Fill,
    (start, count): (u64, u32),
    source: &Tile,
    output: &Tile,
    limits: &Limits,
) -> Dispatch {
    let params = GatherParams {
        slice: SliceParams::new(&fill.elements(), start),
        first: words(source.first),
        available: source.count,
        source_begin: source.begin,
        count,
        begin: output.begin + (start - output.number) as u32,
    };
    Dispatch {
        kernel: Kernel::new(Entry::Gather, fill.dtype),
        params: Params::new(&params),
        bindings: vec![output.binding, source.binding],
        grid: limits.grid(count.div_ceil(WORKGROUP_SIZE).into()),
        cost: u64::from(count) / CHEAP,
        elements: 0,
    }
}
