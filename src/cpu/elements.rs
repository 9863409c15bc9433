//! Elements that depend on nothing but their index. Mirrored by `shaders/fill.wgsl`.
//!
//! Lanes of blocks are computed side by side in arrays, which the compiler turns into the vector
//! instructions of the machine; the set found at run time decides the speed, never the bits.

use rayon::prelude::*;

use crate::cpu::blocks::{BLOCKS, PAIRS};
use crate::cpu::transform::{Lanes, Normal, Transform, Truncated, Uniform};
use crate::cpu::vectors::{Vectorize, Vectors};
use crate::distribution::cache::table;
use crate::progress::Progress;
use crate::spec::slice::Elements;
use crate::stream::philox::{Philox4x32, words};
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

/// Elements between two reports of progress.
const REPORT: usize = 1 << 24;

/// Writes elements that depend on nothing but their index.
pub(super) fn elements<T: Element>(
    distribution: Distribution,
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    let generator = Philox4x32::new(fill.seed, fill.stream);
    let scaling = distribution.scaling();
    let most = if progress.is_silent() { usize::MAX } else { REPORT };
    for (part, start) in out.chunks_mut(most).zip((0..).step_by(most)) {
        let len = part.len() as u64;
        let indices = fill.elements().part(start, len);
        match distribution {
            Distribution::Normal { mean: 0.0, .. } => {
                runs(Normal::<false>(scaling), &generator, &indices, part);
            }
            Distribution::Normal { .. } => {
                runs(Normal::<true>(scaling), &generator, &indices, part);
            }
            Distribution::Uniform { .. } => runs(Uniform(scaling), &generator, &indices, part),
            Distribution::Truncated { mean, std, low, high, least, largest } => {
                let table = &table(Unrounded { mean, std, low, high });
                let transform = Truncated { table, low: least, high: largest };
                runs(transform, &generator, &indices, part);
            }
            _ => {
                let value = T::round(scaling.shift);
                part.par_chunks_mut(TASK).for_each(|part| part.fill(value));
            }
        }
        progress.add(len)?;
    }
    Ok(())
}

fn runs<T: Element, S: Transform>(
    transform: S,
    generator: &Philox4x32,
    indices: &Elements,
    out: &mut [T],
) {
    indices.for_each_run(out, |first, run| ranges(transform, generator, first, run));
}

/// Splits the range at block boundaries into one unit of work after another.
fn ranges<T: Element, S: Transform>(
    transform: S,
    generator: &Philox4x32,
    first: u64,
    out: &mut [T],
) {
    let block = ((4 - first % 4) % 4) as usize;
    // Of much, then to a line of the cache: a store to two lines takes twice as long, and large
    // vectors begin inside one.
    let line = if out.len() > TASK { out[block..].as_ptr().align_offset(LINE) } else { 0 };
    let lead = block + if line % 4 == 0 && line < LINE { line } else { 0 };
    let (head, body) = out.split_at_mut(lead.min(out.len()));
    range(transform, generator, first, head);
    let first = first + lead as u64;
    if body.len() <= TASK {
        return range(transform, generator, first, body);
    }
    let parts = body.par_chunks_mut(TASK).enumerate();
    parts.for_each(|(i, part)| range(transform, generator, first + (i * TASK) as u64, part));
}

/// Any range: whole chunks from a block's start, the rest as a part of one, or block by block.
fn range<T: Element, S: Transform>(
    transform: S,
    generator: &Philox4x32,
    first: u64,
    out: &mut [T],
) {
    let mut index = first;
    let mut rest = out;
    if first.is_multiple_of(4) {
        let (whole, tail) = rest.split_at_mut(rest.len() / CHUNK * CHUNK);
        index += whole.len() as u64;
        if !whole.is_empty() {
            let out = whole.as_chunks_mut().0.as_chunks_mut().0;
            Vectors::best().run(Chunks { transform, generator, block: first / 4, out });
        }
        if tail.len() > SHORT {
            let mut chunk = [[[T::round(0.0); 2]; PAIRS]];
            Vectors::best().run(Chunks { transform, generator, block: index / 4, out: &mut chunk });
            return tail.copy_from_slice(&chunk.as_flattened().as_flattened()[..tail.len()]);
        }
        rest = tail;
    }
    while !rest.is_empty() {
        let values = &transform.values(generator.block(index / 4))[(index % 4) as usize..];
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
    generator: &'a Philox4x32,
    block: u64,
    out: &'a mut [[[T; 2]; PAIRS]],
}

impl<T: Element, S: Transform> Vectorize for Chunks<'_, T, S> {
    #[inline(always)]
    fn run(self, vectors: Vectors) {
        // Values, not references: what they give is then computed once, before the loop.
        let (stream, key) = (words(self.generator.stream), words(self.generator.seed));
        let mut lanes = Lanes::new();
        for (chunk, block) in self.out.iter_mut().zip((self.block..).step_by(BLOCKS)) {
            lanes.blocks.compute(block, stream, key);
            self.transform.pairs(vectors, &mut lanes, chunk);
        }
    }
}

#[cfg(test)]
#[path = "elements_tests.rs"]
mod tests;
