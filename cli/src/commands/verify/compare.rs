//! Reads a tensor's elements chunk by chunk, and compares them with what the rules give.

use std::ops::{ControlFlow, Range};

use anyhow::Context;
use gpu_init::{
    Cpu, DType, Element, Fill, Fingerprint, HostTensor, PlanEntry, Stats, TensorSpec, by_dtype,
};
use indicatif::ProgressBar;

use crate::backend::memory::part_costs_whole;
use crate::backend::remedies::Remedies;
use crate::checkpoint::format::dtypes::fillable;
use crate::checkpoint::read::chunks::Chunks;
use crate::checkpoint::read::shard::Stored;
use crate::terminal::progress::{go_on, not_interrupted};

pub(super) const REMEDIES: Remedies = Remedies {
    interrupted: "there is no report of a part; verify again",
    counted: true,
    memory: "verify where there is more",
};

/// The findings about a tensor's elements.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) fingerprint: Fingerprint,
    /// None of a type that cannot be filled, whose bytes count.
    pub(super) stats: Option<Stats>,
    /// From what the rules give, if there are any.
    pub(super) difference: Option<Difference>,
    /// How the statistics disagree with the distribution.
    pub(super) disagreement: Option<String>,
}

#[derive(Debug)]
pub(super) struct Difference {
    /// The number of elements that differ.
    pub(super) count: u64,
    /// The index of the first one in the whole tensor.
    pub(super) index: Vec<u64>,
    /// Its bits and value, and the expected ones.
    pub(super) is: (String, f32),
    pub(super) expected: (String, f32),
}

impl Compared {
    pub(super) fn not_finite(&self, name: &str) -> Option<String> {
        let Stats { nan, infinite, .. } = self.stats?;
        ((nan, infinite) != (0, 0)).then(|| format!("{name}: {nan} NaN, {infinite} infinite"))
    }

    pub(super) fn differences(&self, name: &str) -> Vec<String> {
        let difference = self.difference.as_ref().map(|Difference { count, index, is, expected }| {
            let total = self.stats.map_or(0, |stats| stats.count);
            let ((bits, is), (expected_bits, expected)) = (is, expected);
            format!(
                "{name}: {count} of {total} elements differ from the rules', first {index:?}: {is:e} ({bits}), \
                 expected {expected:e} ({expected_bits})"
            )
        });
        let disagreement = self.disagreement.as_ref().map(|reason| format!("{name}: {reason}"));
        difference.into_iter().chain(disagreement).collect()
    }
}

/// Reads a tensor; none if its type cannot be filled. `slice` locates its elements in the whole
/// tensor, `expected` gives their values.
pub(super) fn tensor(
    chunks: &mut Chunks,
    stored: &Stored,
    slice: &TensorSpec,
    expected: Option<&PlanEntry>,
    progress: &ProgressBar,
) -> anyhow::Result<Option<Compared>> {
    let Some(dtype) = fillable(stored.dtype) else { return Ok(None) };
    let mut fingerprint = Fingerprint::default();
    let mut stats = Stats::of::<f32>(&[]);
    let mut difference: Option<Difference> = None;
    let mut made = expected.map(|entry| Made { entry, last: None });
    chunks.for_each(stored, |start, bytes| {
        not_interrupted(REMEDIES.interrupted)?;
        let range = start / dtype.size()..(start + bytes.len() as u64) / dtype.size();
        let fill = slice.clone().elements(range.clone()).resolve(0, 0)?;
        let (part_fingerprint, part_stats) = measure(&fill, dtype, bytes);
        fingerprint += part_fingerprint;
        stats = stats.join(&part_stats);
        if let Some(made) = &mut made {
            let chunk = made.chunk(range).with_context(|| format!("tensor {:?}", stored.name))?;
            if let Some(found) = differ(slice, &fill, dtype, bytes, chunk) {
                match &mut difference {
                    Some(first) => first.count += found.count,
                    None => difference = Some(found),
                }
            }
        }
        progress.inc(bytes.len() as u64);
        Ok(())
    })?;
    let finite = (stats.nan, stats.infinite) == (0, 0);
    let disagreement = expected.and_then(|entry| stats.disagreement(&entry.fill));
    let disagreement = disagreement.filter(|_| finite);
    Ok(Some(Compared { fingerprint, stats: Some(stats), difference, disagreement }))
}

/// Reads a tensor whose type cannot be filled, byte by byte.
pub(super) fn bytes(
    chunks: &mut Chunks,
    stored: &Stored,
    progress: &ProgressBar,
) -> anyhow::Result<Compared> {
    let mut fingerprint = Fingerprint::default();
    chunks.for_each(stored, |start, bytes| {
        not_interrupted(REMEDIES.interrupted)?;
        fingerprint += Fingerprint::of(start, bytes);
        progress.inc(bytes.len() as u64);
        Ok(())
    })?;
    Ok(Compared { fingerprint, stats: None, difference: None, disagreement: None })
}

fn measure(fill: &Fill, dtype: DType, bytes: &[u8]) -> (Fingerprint, Stats) {
    fn of<T: Element>(fill: &Fill, bytes: &[u8]) -> (Fingerprint, Stats) {
        let elements: &[T] = bytemuck::cast_slice(bytes);
        (Fingerprint::of_fill(fill, elements), Stats::of(elements))
    }
    by_dtype!(dtype, T => of::<T>(fill, bytes))
}

/// The elements that the rules give: all at once where a slice costs as much, else chunk by chunk.
struct Made<'a> {
    entry: &'a PlanEntry,
    last: Option<HostTensor>,
}

impl Made<'_> {
    fn chunk(&mut self, Range { start, end }: Range<u64>) -> anyhow::Result<&[u8]> {
        let Made { entry, last } = self;
        let whole = part_costs_whole(&entry.fill);
        let (spec, first) = match whole {
            true => (entry.spec.clone(), 0),
            false => (entry.spec.clone().elements(start..end), start),
        };
        // Frees a chunk before the next one is made.
        let kept = last.take().filter(|_| whole);
        let tensor = kept.map_or_else(|| fill(spec), Ok)?;
        let size = entry.fill.dtype.size();
        let bytes = ((start - first) * size) as usize..((end - first) * size) as usize;
        let bytes = last.insert(tensor).as_bytes().get(bytes);
        bytes.context("fewer elements than wanted; please report this")
    }
}

fn fill(spec: TensorSpec) -> anyhow::Result<HostTensor> {
    // After the last element there is nothing left to interrupt here.
    let listener =
        &mut |done, total| if done < total { go_on() } else { ControlFlow::Continue(()) };
    let filled = Cpu::new().fill_all_with(&[spec], listener);
    let filled = filled.map_err(|error| REMEDIES.explain(error))?;
    filled.into_iter().next().context("nothing was filled")
}

/// The difference of elements, if they differ; `fill` locates them in the whole tensor.
fn differ(
    slice: &TensorSpec,
    fill: &Fill,
    dtype: DType,
    bytes: &[u8],
    expected: &[u8],
) -> Option<Difference> {
    if bytes == expected {
        return None;
    }
    let size = dtype.size() as usize;
    let pairs = bytes.chunks_exact(size).zip(expected.chunks_exact(size)).zip(0u64..);
    let mut different = pairs.filter(|((is, expected), _)| is != expected);
    let ((is, expected), n) = different.next()?;
    let (mut rest, mut index) = (fill.index(n), Vec::new());
    for &dim in slice.shape().dims().iter().rev() {
        index.insert(0, rest % dim as u64);
        rest /= dim as u64;
    }
    let shown = |element: &[u8]| {
        let bits: String = element.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        (bits, value(dtype, element))
    };
    Some(Difference {
        count: 1 + different.count() as u64,
        index,
        is: shown(is),
        expected: shown(expected),
    })
}

fn value(dtype: DType, element: &[u8]) -> f32 {
    by_dtype!(dtype, T => bytemuck::pod_read_unaligned::<T>(element).widen())
}
