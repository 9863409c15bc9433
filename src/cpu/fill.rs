//! Fills a range of a tensor on the host. Twin: `shaders/fill.wgsl`.
//!
//! Lanes of blocks are computed side by side in arrays, which the compiler turns into the vector
//! instructions of the machine; what it finds at run time decides which, and never what comes out.

use rayon::prelude::*;

use super::vectors::{Vectorize, vectorized};
use crate::law_cache::table;
use crate::philox::{philox4x32, words};
use crate::progress::Progress;
use crate::quantile::Truncated as Law;
use crate::sample::{Scaling, normal4, uniform4};
use crate::truncated::{Table, cubic, entry, segment, truncated4};
use crate::{Distribution, Element, Fill, Result};

/// Blocks computed side by side: the widest vectors hold 16 words.
const LANES: usize = 16;
/// Elements of a unit of work for one core: 256 KiB of f32, inside a core's cache.
pub(crate) const TASK: usize = 1 << 16;

/// What the shader's `params` hold of a fill.
#[derive(Clone, Copy)]
struct Params {
    key: [u32; 2],
    stream: [u32; 2],
    scaling: Scaling,
}

/// How a block becomes values: the shader's `DISTRIBUTION`.
trait Transform: Copy + Send + Sync {
    fn values(self, params: Params, block: [u32; 2]) -> [f32; 4];

    /// Those of blocks side by side: columns of the first, second, third and fourth values.
    #[inline(always)]
    fn lanes(self, params: Params, block: [u32; 2]) -> [[f32; LANES]; 4] {
        let mut values = [[0f32; LANES]; 4];
        for lane in 0..LANES {
            let block = block_index(block, lane as u32);
            for (column, value) in values.iter_mut().zip(self.values(params, block)) {
                column[lane] = value;
            }
        }
        values
    }
}

#[derive(Clone, Copy)]
struct Normal;
#[derive(Clone, Copy)]
struct Uniform;
#[derive(Clone, Copy)]
struct Truncated<'a> {
    table: &'a Table,
    low: f32,
    high: f32,
}

impl Transform for Normal {
    #[inline(always)]
    fn values(self, params: Params, block: [u32; 2]) -> [f32; 4] {
        normal4(params.scaling, block_words(params, block))
    }
}

impl Transform for Uniform {
    #[inline(always)]
    fn values(self, params: Params, block: [u32; 2]) -> [f32; 4] {
        uniform4(params.scaling, block_words(params, block))
    }
}

impl Transform for Truncated<'_> {
    #[inline(always)]
    fn values(self, params: Params, block: [u32; 2]) -> [f32; 4] {
        truncated4(self.table, self.low, self.high, block_words(params, block))
    }

    /// Step by step, so that all but the look-up becomes vector instructions.
    #[inline(always)]
    fn lanes(self, params: Params, block: [u32; 2]) -> [[f32; LANES]; 4] {
        let mut words = [[0u32; LANES]; 4];
        for lane in 0..LANES {
            for (column, word) in words.iter_mut().zip(block_words(params, block_index(block, lane as u32))) {
                column[lane] = word;
            }
        }
        let mut values = [[0f32; LANES]; 4];
        for (words, values) in words.iter().zip(&mut values) {
            let (mut indices, mut places) = ([0u32; LANES], [0f32; LANES]);
            for lane in 0..LANES {
                (indices[lane], places[lane]) = segment(words[lane]);
            }
            let mut entries = [[0f32; LANES]; 4];
            for lane in 0..LANES {
                let [c0, c1, c2, c3] = entry(self.table, indices[lane]);
                entries[0][lane] = c0;
                entries[1][lane] = c1;
                entries[2][lane] = c2;
                entries[3][lane] = c3;
            }
            for lane in 0..LANES {
                let entry = [entries[0][lane], entries[1][lane], entries[2][lane], entries[3][lane]];
                values[lane] = cubic(self.low, self.high, entry, places[lane]);
            }
        }
        values
    }
}

#[inline(always)]
fn block_words(params: Params, block: [u32; 2]) -> [u32; 4] {
    philox4x32([block[0], block[1], params.stream[0], params.stream[1]], params.key)
}

/// Index of a block plus `n`.
#[inline(always)]
fn block_index(block: [u32; 2], n: u32) -> [u32; 2] {
    let low = block[0].wrapping_add(n);
    [low, block[1].wrapping_add(u32::from(low < n))]
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
    let params = Params { key: words(fill.seed), stream: words(fill.stream), scaling: law.scaling() };
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
                places.for_each_run(part, |first, run| ranges(Normal, params, first, run))
            }
            (Distribution::Uniform { .. }, _) => {
                places.for_each_run(part, |first, run| ranges(Uniform, params, first, run));
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

/// Any range: whole lanes from a block's start, the rest block by block.
fn range<T: Element, S: Transform>(transform: S, params: Params, first: u64, out: &mut [T]) {
    let mut done = 0;
    if first.is_multiple_of(4) {
        let (lanes, _) = out.as_chunks_mut();
        done = 4 * LANES * lanes.len();
        vectorized(Blocks { transform, params, first: first / 4, out: lanes });
    }
    let mut index = first + done as u64;
    let mut rest = &mut out[done..];
    while !rest.is_empty() {
        let values = &transform.values(params, words(index / 4))[(index % 4) as usize..];
        let (elements, later) = rest.split_at_mut(values.len().min(rest.len()));
        for (element, &value) in elements.iter_mut().zip(values) {
            *element = T::round(value);
        }
        index += elements.len() as u64;
        rest = later;
    }
}

/// Whole lanes of blocks from block `first` on.
struct Blocks<'a, T, S> {
    transform: S,
    params: Params,
    first: u64,
    out: &'a mut [[T; 4 * LANES]],
}

impl<T: Element, S: Transform> Vectorize for Blocks<'_, T, S> {
    #[inline(always)]
    fn run(self) {
        for (part, block) in self.out.iter_mut().zip((self.first..).step_by(LANES)) {
            let values = self.transform.lanes(self.params, words(block));
            for (i, element) in part.iter_mut().enumerate() {
                *element = T::round(values[i % 4][i / 4]);
            }
        }
    }
}
