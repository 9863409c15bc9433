//! F64 and 8-bit types: the F32 values are computed in scratch memory, part by part, and converted.
//! `src/cpu/convert.rs` does the same.

use crate::gpu::engine::kernel::{Entry, Kernel, WORKGROUP_SIZE};
use crate::gpu::engine::params::ConvertParams;
use crate::gpu::engine::plan::direct;
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot, Step};
use crate::gpu::engine::plan::limits::{ENTRY, Limits, TooLarge};
use crate::gpu::engine::plan::tiles::Target;
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::{DType, Fill};

/// Plans a fill of a type that is converted from F32.
pub(super) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    let (fill, limits, each) = (*fill, *limits, fill.converted_at_a_time());
    let part = move |start: u64| {
        let elements = fill.elements().part_as_runs(start, each.min(fill.len - start));
        Fill { dtype: DType::F32, ..fill.of(elements) }
    };
    let memory = Slot::scratch(bindings.scratch);
    let inner = Bindings {
        target: Target { slot: memory, offset: 0 },
        scratch: bindings.scratch + 1,
        ..bindings
    };
    // The parts need the same scratch memory: there are several of plain fills only.
    let Plan { scratch, examination, .. } = direct::plan(&part(0), inner, &limits)?;
    let steps = (0..fill.len).step_by(each as usize).flat_map(move |start| {
        let part = part(start);
        let Target { slot, offset } = bindings.target;
        let target = Target { slot, offset: offset + start * fill.dtype.size() };
        // The first part was planned before, so no other one is too large.
        let computed = direct::plan(&part, inner, &limits).ok().map(|plan| plan.steps);
        let converted = conversions(fill.dtype, part.len, target, memory, &limits);
        computed
            .into_iter()
            .flatten()
            .chain(converted.map(|dispatch| Step::Run(dispatch).without_progress()))
    });
    let bytes = (each * DType::F32.size()).next_multiple_of(ENTRY);
    let scratch = [vec![bytes], scratch].concat();
    Ok(Plan { scratch, examination, steps: Box::new(steps) })
}

/// The type that a buffer's values have before they are converted to another one, or copied.
pub(crate) fn source_type(dtype: DType) -> DType {
    if dtype.is_converted() { DType::F32 } else { dtype }
}

/// The constant of the kernel that converts to a type: others than converted ones are copied.
pub(crate) fn kernel_type(dtype: DType) -> DType {
    if dtype.is_converted() { dtype } else { DType::F32 }
}

/// Plans the dispatches that write `len` elements of a type, whose values are at the start of
/// `source`: a buffer of whole entries of 16 bytes.
pub(crate) fn conversions(
    dtype: DType,
    len: u64,
    target: Target,
    source: Slot,
    limits: &Limits,
) -> impl Iterator<Item = Dispatch> + Send + use<> {
    /// Pieces start at multiples of it: of words, and of what devices ask of offsets.
    const UNIT: u64 = 256;
    let (size, source_size, limits) = (dtype.size(), source_type(dtype).size(), *limits);
    let most = (limits.binding - limits.alignment) / size.max(source_size) / UNIT * UNIT;
    (0..len).step_by(most as usize).map(move |start| {
        let here = (len - start).min(most);
        let bytes = here * size;
        let at = target.offset + start * size;
        let base = at & !(limits.alignment - 1);
        let words = bytes.div_ceil(4);
        let params = ConvertParams {
            words: words as u32,
            last: u32::MAX >> (8 * (words * 4 - bytes)),
            begin: ((at - base) / 4) as u32,
        };
        let bindings = vec![
            Binding { slot: target.slot, offset: base, size: at - base + 4 * words },
            Binding {
                slot: source,
                offset: start * source_size,
                size: (here * source_size).next_multiple_of(ENTRY),
            },
        ];
        Dispatch {
            kernel: Kernel::new(Entry::Convert, kernel_type(dtype)),
            params: Params::new(&params),
            bindings,
            grid: limits.grid(words.div_ceil(WORKGROUP_SIZE.into())),
            cost: here / CHEAP,
            elements: here,
        }
    })
}
