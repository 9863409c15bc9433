//! Fills a range of a tensor on the host. Twin: `shaders/fill.wgsl`.
//!
//! Lanes of blocks are computed side by side in arrays, which the compiler turns into the vector
//! instructions of the machine; what it finds at run time decides which, and never what comes out.

use rayon::prelude::*;

use super::blocks::{BLOCKS, Blocks, PAIRS, word};
use super::vectors::{Vectorize, Vectors};
use crate::law_cache::table;
use crate::philox::{philox4x32, words};
use crate::progress::Progress;
use crate::quantile::Truncated as Law;
use crate::sample::{Scaling, normal4, on_circle, radius_squared, root, uniform1, uniform4};
use crate::truncated::{Table, cubic, entry, segment, truncated4};
use crate::{Distribution, Element, Fill, Result};

/// Elements of a unit of work for one core: 256 KiB of f32, inside a core's cache.
pub(crate) const TASK: usize = 1 << 16;

/// What the shader's `params` hold of a fill.
#[derive(Clone, Copy)]
struct Params {
    key: [u32; 2],
    stream: [u32; 2],
}

/// How words become values: the shader's `DISTRIBUTION`.
trait Transform: Copy + Send + Sync {
    /// The values of a block.
    fn values(self, words: [u32; 4]) -> [f32; 4];

    /// The values of pairs of words, side by side. Loops are short, each of them over all pairs, so that what a loop needs
    /// stays in registers.
    fn pairs<T: Element>(self, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]);
}

#[derive(Clone, Copy)]
struct Normal(Scaling);
#[derive(Clone, Copy)]
struct Uniform(Scaling);
#[derive(Clone, Copy)]
struct Truncated<'a> {
    table: &'a Table,
    low: f32,
    high: f32,
}

impl Transform for Normal {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        normal4(self.0, words)
    }

    #[inline(always)]
    fn pairs<T: Element>(self, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
        let mut squares = [0f32; PAIRS];
        for (square, &first) in squares.iter_mut().zip(blocks.first()) {
            *square = radius_squared(word(first));
        }
        for ((pair, &square), &second) in out.iter_mut().zip(&squares).zip(blocks.second()) {
            let [x, y] = on_circle(self.0, root(square), word(second));
            *pair = [T::round(x), T::round(y)];
        }
    }
}

impl Transform for Uniform {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        uniform4(self.0, words)
    }

    #[inline(always)]
    fn pairs<T: Element>(self, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
        for ((pair, &first), &second) in out.iter_mut().zip(blocks.first()).zip(blocks.second()) {
            *pair = [T::round(uniform1(self.0, word(first))), T::round(uniform1(self.0, word(second)))];
        }
    }
}

impl Transform for Truncated<'_> {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        truncated4(self.table, self.low, self.high, words)
    }

    #[inline(always)]
    fn pairs<T: Element>(self, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
        let mut values = [[0f32; PAIRS]; 2];
        for (values, words) in values.iter_mut().zip([blocks.first(), blocks.second()]) {
            let (mut indices, mut places) = ([0u32; PAIRS], [0f32; PAIRS]);
            for ((index, place), &kept) in indices.iter_mut().zip(&mut places).zip(words) {
                (*index, *place) = segment(word(kept));
            }
            let mut entries = [[0f32; PAIRS]; 4];
            for (i, &index) in indices.iter().enumerate() {
                let [c0, c1, c2, c3] = entry(self.table, index);
                entries[0][i] = c0;
                entries[1][i] = c1;
                entries[2][i] = c2;
                entries[3][i] = c3;
            }
            for (i, value) in values.iter_mut().enumerate() {
                let entry = [entries[0][i], entries[1][i], entries[2][i], entries[3][i]];
                *value = cubic(self.low, self.high, entry, places[i]);
            }
        }
        for ((pair, &x), &y) in out.iter_mut().zip(&values[0]).zip(&values[1]) {
            *pair = [T::round(x), T::round(y)];
        }
    }
}

/// Elements between two reports of progress.
const REPORT: usize = 1 << 24;

/// Writes `fill`'s elements, as many as `out` has, on all cores.
///
/// # Errors
/// [`Error::HostOutOfMemory`](crate::Error::HostOutOfMemory) for what a matrix is made in, and
/// [`Error::Interrupted`](crate::Error::Interrupted) if `progress` broke off.
pub(crate) fn fill<T: Element>(fill: &Fill, out: &mut [T], progress: &mut Progress) -> Result<()> {
    debug_assert_eq!(fill.len, out.len() as u64);
    values(fill, out, progress)?;
    if let Some([low, high]) = fill.zeros {
        fill.elements().for_each_run(out, |first, run| {
            let at = |index: u64| index.saturating_sub(first).min(run.len() as u64) as usize;
            let range = at(low)..at(high);
            run[range].fill(T::round(0.0));
        });
    }
    Ok(())
}

/// All but for the rows that are zero.
fn values<T: Element>(fill: &Fill, out: &mut [T], progress: &mut Progress) -> Result<()> {
    let base = fill.distribution.base();
    // Elements that are not yet what they will be are not done.
    let mut silent = Progress::silent();
    elements(base, fill, out, if base == fill.distribution { progress } else { &mut silent })?;
    match fill.distribution {
        Distribution::Diagonal { value, diagonal } => {
            fill.elements().for_each_run(out, |first, part| diagonal.put(first, value, part));
        }
        Distribution::Sparse { sparse, .. } => sparse.clear(fill, out)?,
        Distribution::Orthogonal { gain, orthogonal } => return orthogonal.put(fill, gain, out, progress),
        _ => return Ok(()),
    }
    progress.add(fill.len)
}

/// Writes elements that depend on nothing but their index.
fn elements<T: Element>(law: Distribution, fill: &Fill, out: &mut [T], progress: &mut Progress) -> Result<()> {
    let params = Params { key: words(fill.seed), stream: words(fill.stream) };
    let table = match law {
        Distribution::Truncated { mean, std, low, high, .. } => Some(table(Law { mean, std, low, high })),
        _ => None,
    };
    let most = if progress.is_silent() { usize::MAX } else { REPORT };
    for (part, start) in out.chunks_mut(most).zip((0..).step_by(most)) {
        let len = part.len() as u64;
        let places = fill.elements().part(start, len);
        match (law, &table) {
            (Distribution::Normal { .. }, _) => {
                places.for_each_run(part, |first, run| ranges(Normal(law.scaling()), params, first, run))
            }
            (Distribution::Uniform { .. }, _) => {
                places.for_each_run(part, |first, run| ranges(Uniform(law.scaling()), params, first, run));
            }
            (Distribution::Truncated { least, largest, .. }, Some(table)) => {
                let transform = Truncated { table, low: least, high: largest };
                places.for_each_run(part, |first, run| ranges(transform, params, first, run));
            }
            _ => {
                let value = T::round(law.scaling().shift);
                part.par_chunks_mut(TASK).for_each(|part| part.fill(value));
            }
        }
        progress.add(len)?;
    }
    Ok(())
}

/// Splits the range at block boundaries into one unit of work after another.
fn ranges<T: Element, S: Transform>(transform: S, params: Params, first: u64, out: &mut [T]) {
    let lead = ((4 - first % 4) % 4).min(out.len() as u64);
    let (head, body) = out.split_at_mut(lead as usize);
    range(transform, params, first, head);
    let first = first + lead;
    if body.len() <= TASK {
        return range(transform, params, first, body);
    }
    let parts = body.par_chunks_mut(TASK).enumerate();
    parts.for_each(|(i, part)| range(transform, params, first + (i * TASK) as u64, part));
}

/// Any range: whole chunks from a block's start, the rest block by block.
fn range<T: Element, S: Transform>(transform: S, params: Params, first: u64, out: &mut [T]) {
    let mut done = 0;
    if first.is_multiple_of(4) {
        let (chunks, _) = out.as_chunks_mut().0.as_chunks_mut();
        done = 2 * PAIRS * chunks.len();
        Vectors::best().run(Chunks { transform, params, block: first / 4, out: chunks });
    }
    let mut index = first + done as u64;
    let mut rest = &mut out[done..];
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
#[path = "fill_tests.rs"]
mod tests;
