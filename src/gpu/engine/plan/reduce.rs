//! Plans for reductions: tiles of whole chunks, one small result for each chunk.

use crate::gpu::engine::kernel::{Entry, Kernel};
use crate::gpu::engine::params::{ReduceParams, SliceParams};
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot};
use crate::gpu::engine::plan::limits::Limits;
use crate::reduce::lanes::CHUNK;
use crate::stream::philox::words;
use crate::{DType, Fill};

/// Bytes of results that are read back at a time.
const RESULTS: u64 = 16 << 20;

/// The type whose kernel reads elements of a type: for integers one as wide, of which the
/// fingerprint is the same.
pub(crate) fn kernel_type(dtype: DType) -> DType {
    match dtype.size() {
        _ if !dtype.is_integer() => dtype,
        1 => DType::F8E4M3,
        2 => DType::F16,
        4 => DType::F32,
        _ => DType::F64,
    }
}

/// Reductions that write to one buffer of results, scratch buffer 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Batch {
    /// Bytes of the results.
    pub(crate) bytes: u64,
    pub(crate) tiles: Vec<Tile>,
}

/// The chunks of a tensor that one dispatch reduces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    /// Number of the tensor.
    pub(crate) tensor: usize,
    pub(crate) dispatch: Dispatch,
    /// Where its results are.
    pub(crate) results: Binding,
}

/// Plans the reductions of tensors, each at a byte offset of its buffer, by a kernel whose result
/// has `result` bytes. Tiles are of whole chunks, so that chunks do not depend on the device.
pub(crate) fn plan(
    entry: Entry,
    result: u64,
    tensors: &[(Fill, u64)],
    limits: &Limits,
) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (tensor, (fill, offset)) in tensors.iter().enumerate() {
        let most = (limits.binding - limits.alignment) / fill.dtype.size() / CHUNK as u64;
        for start in (0..fill.len).step_by(most as usize * CHUNK) {
            let count = (most * CHUNK as u64).min(fill.len - start);
            let size = count.div_ceil(CHUNK as u64) * result;
            if batches.last().is_none_or(|batch| batch.bytes + size > RESULTS) {
                batches.push(Batch::default());
            }
            let Some(batch) = batches.last_mut() else { continue };
            let results = Binding { slot: Slot::scratch(0), offset: batch.bytes, size };
            let dispatch = dispatch(entry, fill, *offset, start..start + count, results, limits);
            batch.tiles.push(Tile { tensor, dispatch, results });
            batch.bytes = (batch.bytes + size).next_multiple_of(limits.alignment);
        }
    }
    batches
}

fn dispatch(
    entry: Entry,
    fill: &Fill,
    offset: u64,
    numbers: std::ops::Range<u64>,
    results: Binding,
    limits: &Limits,
) -> Dispatch {
    let (size, count) = (fill.dtype.size(), numbers.end - numbers.start);
    let at = offset + numbers.start * size;
    let base = at & !(limits.alignment - 1);
    let bytes = (at + count * size).next_multiple_of(4) - base;
    let params = ReduceParams {
        first: words(fill.first.wrapping_add(numbers.start)),
        begin: ((at - base) / 4) as u32,
        count: count as u32,
        one: 1.0,
        zero: 0,
        slice: SliceParams::new(&fill.elements(), numbers.start),
    };
    Dispatch {
        kernel: Kernel::new(entry, kernel_type(fill.dtype)),
        params: Params::new(&params),
        bindings: vec![Binding { slot: Slot::TENSOR, offset: base, size: bytes }, results],
        grid: limits.grid(count.div_ceil(CHUNK as u64)),
        cost: count / CHEAP,
        elements: 0,
    }
}
