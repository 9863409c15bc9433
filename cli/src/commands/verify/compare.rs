//! Compares the elements of stored tensors with what the rules give: a unit of them is made,
//! compared, measured and fingerprinted by one core while it is in its cache.

use std::collections::HashMap;
use std::ops::ControlFlow;

use anyhow::Context;
use gpu_init::{
    Cpu, DType, Element, Fill, Fingerprint, HostTensor, PlanEntry, Stats, TensorSpec, by_dtype,
};
use rayon::prelude::*;

use crate::backend::memory::part_costs_whole;
use crate::backend::remedies::Remedies;
use crate::backend::units::{joined, measure, with_made};
use crate::checkpoint::format::dtypes::fillable;
use crate::checkpoint::read::blocks::Block;
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

/// The examination of one stored tensor, unit by unit.
pub(super) struct Pass<'a> {
    pub(super) stored: &'a Stored,
    /// None of a type that cannot be filled, whose bytes are the elements.
    dtype: Option<DType>,
    /// Locates its elements in the whole tensor.
    slice: TensorSpec,
    /// Gives their values.
    expected: Option<&'a PlanEntry>,
    found: Found,
}

/// The findings about some elements.
#[derive(Debug, Default)]
struct Found {
    fingerprint: Fingerprint,
    stats: Option<Stats>,
    difference: Option<Difference>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        stored: &'a Stored,
        slice: TensorSpec,
        expected: Option<&'a PlanEntry>,
    ) -> Self {
        let dtype = fillable(stored.dtype);
        let slice = dtype.into_iter().fold(slice, TensorSpec::dtype);
        let stats = dtype.map(|_| Stats::of::<f32>(&[]));
        let found = Found { stats, ..Found::default() };
        Pass { stored, dtype, slice, expected, found }
    }

    /// The expected elements all at once, where a slice costs as much.
    fn whole(&self) -> anyhow::Result<Option<HostTensor>> {
        let whole = self.expected.filter(|entry| part_costs_whole(&entry.fill));
        let made = whole.map(|entry| fill(entry.spec.clone())).transpose();
        made.with_context(|| format!("tensor {:?}", self.stored.name))
    }

    /// Examines the bytes of a unit of elements, of which the first is at byte `start`. `whole` has
    /// the expected ones of a tensor that is made all at once.
    fn examine(
        &self,
        start: u64,
        bytes: &[u8],
        whole: Option<&HostTensor>,
    ) -> anyhow::Result<Found> {
        let Some(dtype) = self.dtype else {
            let fingerprint = Fingerprint::of(start, bytes);
            return Ok(Found { fingerprint, ..Found::default() });
        };
        let range = start / dtype.size()..(start + bytes.len() as u64) / dtype.size();
        let fill = self.slice.clone().elements(range.clone()).resolve(0, 0)?;
        let differ = |expected: &[u8]| differ(&self.slice, &fill, bytes, expected);
        let difference = match (self.expected, whole) {
            (None, _) => None,
            (Some(_), Some(whole)) => {
                let expected = whole.as_bytes().get(start as usize..start as usize + bytes.len());
                differ(expected.context("fewer elements than wanted; please report this")?)
            }
            (Some(entry), None) => {
                let made = with_made(&entry.spec.clone().elements(range), bytes.len(), differ);
                made.map_err(|error| REMEDIES.explain(error))
                    .with_context(|| format!("tensor {:?}", self.stored.name))?
            }
        };
        let (fingerprint, stats) = measure(&fill, bytes, true);
        Ok(Found { fingerprint, stats, difference })
    }

    /// Adds the findings about the next elements.
    fn add(&mut self, part: Found) {
        let found = &mut self.found;
        found.fingerprint += part.fingerprint;
        found.stats = joined(found.stats, part.stats);
        match (&mut found.difference, part.difference) {
            (Some(first), Some(more)) => first.count += more.count,
            (first @ None, part) => *first = part,
            (Some(_), None) => {}
        }
    }

    fn finish(self) -> Compared {
        let Found { fingerprint, stats, difference } = self.found;
        let finite = stats.is_none_or(|stats| (stats.nan, stats.infinite) == (0, 0));
        let disagreement = stats.zip(self.expected).filter(|_| finite);
        let disagreement = disagreement.and_then(|(stats, entry)| stats.disagreement(&entry.fill));
        Compared { fingerprint, stats, difference, disagreement }
    }
}

/// The examination of a file's tensors, block by block.
pub(super) struct Passes<'a> {
    passes: Vec<Pass<'a>>,
    /// The expected elements of the tensors in a block that are made as a whole.
    whole: HashMap<usize, HostTensor>,
}

impl<'a> Passes<'a> {
    pub(super) fn new(passes: Vec<Pass<'a>>) -> Self {
        Passes { passes, whole: HashMap::new() }
    }

    /// Examines the elements of a block, on all cores.
    pub(super) fn examine(&mut self, block: &Block) -> anyhow::Result<()> {
        not_interrupted(REMEDIES.interrupted)?;
        let Passes { passes, whole } = self;
        let tensors: Vec<_> = block.tensors().collect();
        // Frees those of the block before.
        whole.retain(|tensor, _| tensors.contains(tensor));
        for tensor in tensors {
            if !whole.contains_key(&tensor) {
                whole.extend(passes[tensor].whole()?.map(|made| (tensor, made)));
            }
        }
        let units: Vec<_> = block.units().collect();
        let examined = units.par_iter().map(|&(tensor, start, unit)| {
            passes[tensor].examine(start, unit, whole.get(&tensor)).map(|found| (tensor, found))
        });
        let found = examined.collect::<anyhow::Result<Vec<_>>>()?;
        found.into_iter().for_each(|(tensor, found)| passes[tensor].add(found));
        Ok(())
    }

    /// The findings about each tensor, in order.
    pub(super) fn finish(self) -> impl Iterator<Item = Compared> {
        self.passes.into_iter().map(Pass::finish)
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
fn differ(slice: &TensorSpec, fill: &Fill, bytes: &[u8], expected: &[u8]) -> Option<Difference> {
    if bytes == expected {
        return None;
    }
    let dtype = fill.dtype;
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
