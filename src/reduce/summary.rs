//! Statistics and fingerprint together, while a chunk's elements are in the cache. Mirrored by
//! `shaders/reduce/summary.wgsl`.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::reduce::lanes::{CHUNK, TOGETHER};
use crate::reduce::stats::Chunk;
use crate::spec::slice::Elements;
use crate::stream::philox::words;
use crate::{Element, Fill, Fingerprint, Stats};

/// The statistics and the fingerprint of a tensor's elements, at the cost of reading them once.
///
/// ```
/// use gpu_init::{Cpu, Initializer, TensorSpec};
///
/// let weights = Cpu::new().fill(&TensorSpec::new([512, 512], Initializer::xavier_normal()))?;
/// let summary = weights.summary();
/// assert_eq!((summary.stats, summary.fingerprint), (weights.stats(), weights.fingerprint()));
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Count, range, mean and standard deviation.
    pub stats: Stats,
    /// 64 bits over every element's bits and index.
    pub fingerprint: Fingerprint,
}

impl Summary {
    /// Computes that of a request's elements, on all cores.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, Summary, TensorSpec};
    ///
    /// let rows = TensorSpec::new([40, 60], Initializer::xavier_normal()).name("w").slice(0, 2..4);
    /// let weights = Cpu::new().fill(&rows)?.into_vec::<f32>()?;
    /// let fill = rows.resolve(0, 0)?;
    /// assert_eq!(Summary::of_fill(&fill, &weights).stats.disagreement(&fill), None);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// Elements beyond the request's are left out.
    pub fn of_fill<T: Element>(fill: &Fill, elements: &[T]) -> Self {
        let len = usize::try_from(fill.len).unwrap_or(usize::MAX).min(elements.len());
        let indices = fill.elements();
        let chunks = elements[..len]
            .par_chunks(CHUNK)
            .with_min_len(TOGETHER)
            .enumerate()
            .map(|(i, chunk)| ChunkSummary::of(&indices, (i * CHUNK) as u64, chunk));
        Self::merge(&chunks.collect::<Vec<_>>())
    }

    pub(crate) fn merge(chunks: &[ChunkSummary]) -> Self {
        Summary {
            stats: Stats::merge(chunks.iter().map(|chunk| &chunk.stats)),
            fingerprint: chunks.iter().map(ChunkSummary::fingerprint).sum(),
        }
    }

    /// Joins those of two parts of a tensor.
    pub fn join(&self, other: &Summary) -> Self {
        Summary {
            stats: self.stats.join(&other.stats),
            fingerprint: self.fingerprint + other.fingerprint,
        }
    }
}

/// The summary of one chunk, as the shader writes it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct ChunkSummary {
    pub(crate) stats: Chunk,
    pub(crate) hash_low: u32,
    pub(crate) hash_high: u32,
}

impl ChunkSummary {
    /// That of at most `CHUNK` elements, from number `start` on of those that `indices` has.
    fn of<T: Element>(indices: &Elements, start: u64, chunk: &[T]) -> Self {
        let [hash_low, hash_high] = words(Fingerprint::of_chunk(indices, start, chunk).0);
        ChunkSummary { stats: Chunk::of(chunk), hash_low, hash_high }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(u64::from(self.hash_high) << 32 | u64::from(self.hash_low))
    }
}
