//! Elements that depend on nothing but their index. Mirrored by `shaders/fill.wgsl`.
//!
//! Lanes of blocks are computed side by side in arrays, which the compiler turns into the vector
//! instructions of the machine; the set found at run time decides the speed, never the bits.

use rayon::prelude::*;

use crate::cpu::blocks::{BLOCKS, Blocks, PAIRS};
use crate::cpu::transform::{Normal, Transform, Truncated, Uniform};
use crate::cpu::vectors::{Vectorize, Vectors};
use crate::distribution::cache::table;
use crate::progress::Progress;
use crate::stream::philox::{philox4x32, words};
use crate::stream::quantile::Truncated as Unrounded;
use crate::{Distribution, Element, ErrorKind, Fill, Result};

/// Elements of a unit of work for one core: 256 KiB of f32, inside a core's cache.
pub(crate) const TASK: usize = 1 << 16;

/// Elements of a chunk: `BLOCKS` blocks.
const CHUNK: usize = 2 * PAIRS;
/// Up to this many elements are faster block by block than as a whole chunk.
const SHORT: usize = 60;
/// Bytes of a line of the cache, and of the widest vectors.
const LINE: usize = 64;

/// The seed and the stream as the shader's parameters hold them.
#[derive(Clone, Copy)]
struct Params {
    key: [u32; 2],
    stream: [u32; 2],
}

/// Elements between two reports of progress.
const REPORT: usize = 1 << 24;

/// Writes elements that depend on nothing but their index.
pub(super) fn elements<T: Element>(
    distribution: Distribution,
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    let params = Params { key: words(fill.seed), stream: words(fill.stream) };
    let table = match distribution {
        Distribution::Truncated { mean, std, low, high, .. } => {
            Some(table(Unrounded { mean, std, low, high }))
        }
        _ => None,
    };
    let most = if progress.is_silent() { usize::MAX } else { REPORT };
    for (part, start) in out.chunks_mut(most).zip((0..).step_by(most)) {
        let len = part.len() as u64;
        let part_elements = fill.elements().part(start, len);
        match (distribution, &table) {
            (Distribution::Normal { mean: 0.0, .. }, _) => {
                part_elements.for_each_run(part, |first, run| {
                    ranges(Normal::<false>(distribution.scaling()), params, first, run)
                });
            }
            (Distribution::Normal { .. }, _) => {
                part_elements.for_each_run(part, |first, run| {
                    ranges(Normal::<true>(distribution.scaling()), params, first, run)
                });
            }
            (Distribution::Uniform { .. }, _) => {
                part_elements.for_each_run(part, |first, run| {
                    ranges(Uniform(distribution.scaling()), params, first, run)
                });
            }
            (Distribution::Truncated { least, largest, .. }, Some(table)) => {
                let transform = Truncated { table, low: least, high: largest };
                part_elements
                    .for_each_run(part, |first, run| ranges(transform, params, first, run));
            }
            _ => {
                let value = T::round(distribution.scaling().shift);
                part.par_chunks_mut(TASK).for_each(|part| part.fill(value));
            }
        }
        progress.add(len)?;
    }
    Ok(())
}

/// Splits the range at block boundaries into one unit of work after another.
fn ranges<T: Element, S: Transform>(transform: S, params: Params, first: u64, out: &mut [T]) {
    let block = ((4 - first % 4) % 4) as usize;
    // Of much, then to a line of the cache: a store to two lines takes twice as long, and large
    // vectors begin inside one.
    let line = if out.len() > TASK { out[block..].as_ptr().align_offset(LINE) } else { 0 };
    let lead = block + if line % 4 == 0 && line < LINE { line } else { 0 };
    let (head, body) = out.split_at_mut(lead.min(out.len()));
    range(transform, params, first, head);
    let first = first + lead as u64;
    if body.len() <= TASK {
        return range(transform, params, first, body);
    }
    let parts = body.par_chunks_mut(TASK).enumerate();
    parts.for_each(|(i, part)| range(transform, params, first + (i * TASK) as u64, part));
}

/// Any range: whole chunks from a block's start, the rest as a part of one, or block by block.
fn range<T: Element, S: Transform>(transform: S, params: Params, first: u64, out: &mut [T]) {
    let mut index = first;
    let mut rest = out;
    if first.is_multiple_of(4) {
        let (whole, tail) = rest.split_at_mut(rest.len() / CHUNK * CHUNK);
        index += whole.len() as u64;
        if !whole.is_empty() {
            let out = whole.as_chunks_mut().0.as_chunks_mut().0;
            Vectors::best().run(Chunks { transform, params, block: first / 4, out });
        }
        if tail.len() > SHORT {
            let mut chunk = [[[T::round(0.0); 2]; PAIRS]];
            Vectors::best().run(Chunks { transform, params, block: index / 4, out: &mut chunk });
            return tail.copy_from_slice(&chunk.as_flattened().as_flattened()[..tail.len()]);
        }
        rest = tail;
    }
    while !rest.is_empty() {
        let ([low, high], [stream_low, stream_high]) = (words(index / 4), params.stream);
        let block = philox4x32([low, high, stream_low, stream_high], params.key);
        let values = &transform.values(block)[(index % 4) as usize..];
        let (elements, later) = rest.split_at_mut(values.len().min(rest.len()));
        for (element, &value) in elements.iter_mut().zip(values) {
            *element = T::round(value);
        }
        index += elements.len() as u64;
        rest = later;
    }
}

/// Whole chunks from block `block` on.
struct Chunks<'a, T, S> {
    transform: S,
    params: Params,
    block: u64,
    out: &'a mut [[[T; 2]; PAIRS]],
}

impl<T: Element, S: Transform> Vectorize for Chunks<'_, T, S> {
    #[inline(always)]
    fn run(self) {
        let Params { key, stream } = self.params;
        let mut blocks = Blocks::zeroed();
        for (chunk, block) in self.out.iter_mut().zip((self.block..).step_by(BLOCKS)) {
            blocks.compute(block, stream, key);
            self.transform.pairs(&blocks, chunk);
        }
    }
}

#[cfg(test)]
#[path = "elements_tests.rs"]
mod tests;
