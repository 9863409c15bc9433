//! A tensor's elements, piece by piece: what they say, and whether they are those that the rules
//! give.

use std::ops::{ControlFlow, Range};

use anyhow::Context;
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Element, Fill, Fingerprint, HostTensor, PlanEntry, Stats, TensorSpec};
use indicatif::ProgressBar;

use crate::backend::memory::part_costs_whole;
use crate::backend::remedies::Remedies;
use crate::checkpoint::format::dtypes::fillable;
use crate::checkpoint::read::pieces::Pieces;
use crate::checkpoint::read::shard::Stored;
use crate::terminal::progress::{go_on, not_interrupted};

pub(super) const REMEDIES: Remedies = Remedies {
    interrupted: "there is no report of a part; verify again",
    counted: true,
    memory: "verify where there is more",
};

/// What the elements of a tensor say.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) fingerprint: Fingerprint,
    pub(super) stats: Stats,
    /// How they differ from what the rules give; none if there are no rules.
    pub(super) expected: Option<Verdict>,
}

#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) difference: Option<Difference>,
    /// What is wrong with the statistics for the distribution.
    pub(super) disagreement: Option<String>,
}

#[derive(Debug)]
pub(super) struct Difference {
    /// How many elements differ.
    pub(super) count: u64,
    /// Where the first one is in the whole tensor.
    pub(super) place: Vec<u64>,
    /// Its bits and value, and those to be.
    pub(super) is: (String, f32),
    pub(super) expected: (String, f32),
}

impl Compared {
    pub(super) fn not_finite(&self, name: &str) -> Option<String> {
        let Stats { nan, infinite, .. } = self.stats;
        ((nan, infinite) != (0, 0)).then(|| format!("{name}: {nan} NaN, {infinite} infinite"))
    }

    pub(super) fn differences(&self, name: &str) -> Vec<String> {
        let Some(Verdict { difference, disagreement }) = &self.expected else { return Vec::new() };
        let difference = difference.as_ref().map(|Difference { count, place, is, expected }| {
            let total = self.stats.count;
            let ((bits, is), (expected_bits, expected)) = (is, expected);
            format!(
                "{name}: {count} of {total} elements differ from the rules', first {place:?}: {is:e} ({bits}), \
                 expected {expected:e} ({expected_bits})"
            )
        });
        difference
            .into_iter()
            .chain(disagreement.as_ref().map(|reason| format!("{name}: {reason}")))
            .collect()
    }
}

/// Reads a tensor; none if its type is none that can be filled. `places` says where its elements
/// are in the whole one, `expected` what they are to be.
pub(super) fn tensor(
    pieces: &mut Pieces,
    stored: &Stored,
    places: &TensorSpec,
    expected: Option<&PlanEntry>,
    progress: &ProgressBar,
) -> anyhow::Result<Option<Compared>> {
    let Some(dtype) = fillable(stored.dtype) else { return Ok(None) };
    let mut fingerprint = Fingerprint::default();
    let mut stats = Stats::of::<f32>(&[]);
    let mut difference: Option<Difference> = None;
    let mut made = expected.map(Made::new);
    pieces.for_each(stored, |start, bytes| {
        not_interrupted(REMEDIES.interrupted)?;
        let range = start / dtype.size()..(start + bytes.len() as u64) / dtype.size();
        let fill = places.clone().elements(range.clone()).resolve(0, 0)?;
        let (part_fingerprint, part_stats) = measure(&fill, dtype, bytes);
        fingerprint += part_fingerprint;
        stats = stats.join(&part_stats);
        if let Some(made) = &mut made {
            let piece = made.piece(range).with_context(|| format!("tensor {:?}", stored.name))?;
            if let Some(found) = differ(places, &fill, dtype, bytes, piece) {
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
    let verdict = |entry: &PlanEntry| Verdict {
        difference,
        disagreement: stats.disagreement(&entry.fill).filter(|_| finite),
    };
    Ok(Some(Compared { fingerprint, stats, expected: expected.map(verdict) }))
}

fn measure(fill: &Fill, dtype: DType, bytes: &[u8]) -> (Fingerprint, Stats) {
    fn of<T: Element>(fill: &Fill, bytes: &[u8]) -> (Fingerprint, Stats) {
        let elements: &[T] = bytemuck::cast_slice(bytes);
        (Fingerprint::of_fill(fill, elements), Stats::of(elements))
    }
    match dtype {
        DType::F32 => of::<f32>(fill, bytes),
        DType::F16 => of::<f16>(fill, bytes),
        DType::BF16 => of::<bf16>(fill, bytes),
    }
}

/// The elements that the rules give: all of them at once where a part costs as much, else a piece
/// at a time.
struct Made<'a> {
    entry: &'a PlanEntry,
    last: Option<HostTensor>,
}

impl<'a> Made<'a> {
    fn new(entry: &'a PlanEntry) -> Self {
        Made { entry, last: None }
    }

    fn piece(&mut self, Range { start, end }: Range<u64>) -> anyhow::Result<&[u8]> {
        let Made { entry, last } = self;
        let whole = part_costs_whole(&entry.fill);
        let fill = |parameter: TensorSpec| {
            // Every parameter of a plan has its own seed.
            // After the last element there is nothing left to interrupt here.
            let listener =
                &mut |done, total| if done < total { go_on() } else { ControlFlow::Continue(()) };
            let filled = Cpu::new().fill_all_with(&[parameter], listener);
            let filled = filled.map_err(|error| REMEDIES.explain(error))?;
            filled.into_iter().next().context("nothing was filled")
        };
        // A piece goes before the next one is made.
        let kept = last.take().filter(|_| whole);
        let (tensor, first) = match kept {
            Some(tensor) => (tensor, 0),
            None if whole => (fill(entry.parameter.clone())?, 0),
            None => (fill(entry.parameter.clone().elements(start..end))?, start),
        };
        let size = entry.fill.dtype.size();
        let bytes = ((start - first) * size) as usize..((end - first) * size) as usize;
        last.insert(tensor)
            .as_bytes()
            .get(bytes)
            .context("fewer elements than wanted; please report this")
    }
}

/// How elements differ, if they do; `fill` is where they are in the whole tensor.
fn differ(
    places: &TensorSpec,
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
    let mut rest = fill.index(n);
    let mut place = Vec::new();
    for &dim in places.shape().dims().iter().rev() {
        place.push(rest % dim as u64);
        rest /= dim as u64;
    }
    place.reverse();
    let shown = |element: &[u8]| {
        let bits: String = element.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        (bits, value(dtype, element))
    };
    Some(Difference {
        count: 1 + different.count() as u64,
        place,
        is: shown(is),
        expected: shown(expected),
    })
}

/// Of an element's bytes, which are as many as its type has.
fn value(dtype: DType, element: &[u8]) -> f32 {
    match (dtype, element) {
        (DType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (DType::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
        (DType::BF16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
        _ => f32::NAN,
    }
}
