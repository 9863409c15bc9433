//! Shards and slices of a tensor along its dimensions, as runs of consecutive elements.

use std::ops::Range;

use rayon::prelude::*;

use crate::distribution::diagonal::Steps;
use crate::{ErrorKind, Result, Shape};

/// One process' shard of a dimension, as PyTorch's DTensor and `torch.chunk` divide it: shards of
/// ceil(len / world), the last ones smaller or empty.
///
/// ```
/// use gpu_init::Shard;
///
/// let parts: Vec<_> = (0..4).map(|rank| Shard { dim: 0, rank, world: 4 }.range(10)).collect();
/// assert_eq!(parts, [0..3, 3..6, 6..9, 9..10]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// The dimension that is divided.
    pub dim: usize,
    /// The shard's number, below `world`.
    pub rank: u64,
    /// The number of shards.
    pub world: u64,
}

impl Shard {
    /// The shard of a dimension of length `len`; empty beyond the end.
    pub fn range(&self, len: u64) -> Range<u64> {
        let each = len.div_ceil(self.world.max(1));
        let at = |rank: u64| rank.saturating_mul(each).min(len);
        at(self.rank)..at(self.rank.saturating_add(1))
    }
}

/// A slice or a shard of a dimension.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cut {
    Range { dim: usize, range: Range<u64> },
    Shard(Shard),
}

/// Applies the cuts one after the other; returns the range left of each dimension.
pub(crate) fn cut(shape: &Shape, cuts: &[Cut]) -> Result<Vec<Range<u64>>, ErrorKind> {
    let mut ranges: Vec<Range<u64>> = shape.dims().iter().map(|&dim| 0..dim as u64).collect();
    for cut in cuts {
        let dim = match *cut {
            Cut::Range { dim, .. } | Cut::Shard(Shard { dim, .. }) => dim,
        };
        let rank = ranges.len();
        let no_dim = || ErrorKind::NoDimension { shape: shape.clone(), dim, rank };
        let range = ranges.get_mut(dim).ok_or_else(no_dim)?;
        let len = range.end - range.start;
        let part = match cut {
            Cut::Range { range, .. } => range.clone(),
            Cut::Shard(shard) if shard.rank >= shard.world => {
                let Shard { rank, world, .. } = *shard;
                return Err(ErrorKind::NoRank { rank, world });
            }
            Cut::Shard(shard) => shard.range(len),
        };
        let Range { start, end } = part;
        if start >= end || end > len {
            return Err(ErrorKind::Slice { shape: shape.clone(), dim, start, end, len });
        }
        *range = range.start + start..range.start + end;
    }
    Ok(ranges)
}

/// Elements of a tensor in their order: runs of consecutive ones, at two levels of steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Runs {
    /// Index of the first element of the first run.
    pub(crate) origin: u64,
    /// Elements of a run.
    pub(crate) run: u64,
    pub(crate) inner: Steps,
    pub(crate) outer: Steps,
    /// Elements to skip at the start.
    pub(crate) skip: u64,
}

/// Shaders add two steps in 32 bits.
const MOST: u64 = 1 << 31;

impl Runs {
    /// The elements of a box, and their number; each is `words` words, or less than one.
    pub(crate) fn of_box(
        shape: &Shape,
        ranges: &[Range<u64>],
        words: u64,
    ) -> Result<(Self, u64), ErrorKind> {
        let (mut origin, mut stride) = (0, 1);
        // From the innermost dimension on; a dimension that continues the one before joins it.
        let mut levels = vec![Steps { count: 1, stride: 1 }];
        for (range, &dim) in ranges.iter().zip(shape.dims()).rev() {
            let count = range.end - range.start;
            origin += range.start * stride;
            match levels.last_mut() {
                _ if count == 1 => {}
                Some(last) if last.count * last.stride == stride => last.count *= count,
                _ => levels.push(Steps { count, stride }),
            }
            stride *= dim as u64;
        }
        let scattered = levels.len() > 3;
        levels.resize(3, Steps { count: 1, stride: 0 });
        let (run, inner, outer) = (levels[0].count, levels[1], levels[2]);
        if scattered
            || (inner.count > 1 && run >= MOST / words)
            || inner.count >= MOST
            || outer.count >= MOST
        {
            return Err(ErrorKind::Scattered { shape: shape.clone() });
        }
        let len = run * inner.count * outer.count;
        Ok((Runs { origin, run, inner, outer, skip: 0 }, len))
    }

    /// Index in the whole tensor of element `n`.
    pub(crate) fn index(&self, n: u64) -> u64 {
        let n = n + self.skip;
        let (run, offset) = (n / self.run, n % self.run);
        self.origin
            + run / self.inner.count * self.outer.stride
            + run % self.inner.count * self.inner.stride
            + offset
    }
}

/// Some elements of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Elements {
    /// Index of the first one in the whole tensor.
    pub(crate) first: u64,
    pub(crate) len: u64,
    /// Their indices, if they are not consecutive.
    pub(crate) runs: Option<Runs>,
}

impl Elements {
    /// Index in the whole tensor of element `n`.
    pub(crate) fn index(&self, n: u64) -> u64 {
        self.runs.map_or(self.first.wrapping_add(n), |runs| runs.index(n))
    }

    /// The numbers of the elements with an index in `low..high`.
    #[cfg(feature = "gpu")]
    pub(crate) fn within(&self, low: u64, high: u64) -> Range<u64> {
        // Indices rise with numbers.
        let before = |index: u64| {
            let (mut start, mut end) = (0, self.len);
            while start < end {
                let middle = start + (end - start) / 2;
                if self.index(middle) < index { start = middle + 1 } else { end = middle }
            }
            start
        };
        before(low)..before(high)
    }

    /// `len` elements from number `start` on.
    pub(crate) fn part(&self, start: u64, len: u64) -> Self {
        let part = self.part_as_runs(start, len);
        // One run, or a part of one.
        let runs = part.runs.filter(|runs| runs.skip % runs.run + len > runs.run);
        Elements { runs, ..part }
    }

    /// The same, as runs also where it is a part of one.
    pub(crate) fn part_as_runs(&self, start: u64, len: u64) -> Self {
        let runs = self.runs.map(|runs| Runs { skip: runs.skip + start, ..runs });
        Elements { first: self.index(start), len, runs }
    }

    /// Counts the elements from number `start` to the end of its run.
    pub(crate) fn run_from(&self, start: u64) -> u64 {
        let rest = self.len - start;
        self.runs.map_or(rest, |runs| (runs.run - (runs.skip + start) % runs.run).min(rest))
    }

    /// Calls `work` with the first index of each run and its part of `out`, on all cores.
    pub(crate) fn for_each_run<T: Send>(&self, out: &mut [T], work: impl Fn(u64, &mut [T]) + Sync) {
        let Some(runs) = self.runs else { return work(self.first, out) };
        for_each_row(runs.skip, runs.run, out, |run, offset, part| {
            work(runs.index(run * runs.run + offset - runs.skip), part);
        });
    }
}

/// Calls `work` with the number of each row, an offset in it and its part of `out` from there on,
/// on all cores. Rows have `len` elements; `out` starts with element `first` of all rows.
pub(crate) fn for_each_row<T: Send>(
    first: u64,
    len: u64,
    out: &mut [T],
    work: impl Fn(u64, u64, &mut [T]) + Sync,
) {
    let (row, offset) = (first / len, first % len);
    let lead = if offset == 0 { 0 } else { (len - offset).min(out.len() as u64) };
    let (head, body) = out.split_at_mut(lead as usize);
    if !head.is_empty() {
        work(row, offset, head);
    }
    let (row, len) = (first.div_ceil(len), usize::try_from(len).unwrap_or(usize::MAX));
    let rows = body.par_chunks_mut(len).with_min_len((4096 / len).max(1));
    rows.enumerate().for_each(|(i, part)| work(row + i as u64, 0, part));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::coordinates;
    use crate::{Cpu, DType, Initializer, TensorSpec};

    /// Every slice of two dimensions of a tensor of four against the elements of the whole.
    #[test]
    fn slices_have_the_bits_of_the_whole() {
        let dims = [3usize, 4, 5, 2];
        for initializer in
            [Initializer::xavier_normal(), Initializer::xavier_uniform(), Initializer::zeros()]
        {
            let whole = TensorSpec::new(dims, initializer).name("w").dtype(DType::F16);
            let all = Cpu::new().fill(&whole).unwrap().to_f32();
            for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 3), (1, 1)] {
                for a_range in [0..1, 1..dims[a] as u64, 0..2] {
                    for b_range in [0..1, 0..2, 1..2] {
                        let part =
                            whole.clone().slice(a, a_range.clone()).slice(b, b_range.clone());
                        if a == b && b_range.end > a_range.end - a_range.start {
                            let error = part.resolve(0, 0).unwrap_err();
                            assert!(matches!(error.kind(), ErrorKind::Slice { .. }));
                            continue;
                        }
                        let inside = |i: usize| {
                            let at = coordinates(&dims, i).into_iter().map(|at| at as u64);
                            let at: Vec<_> = at.collect();
                            // A second slice counts from where the first one starts.
                            let skipped = if a == b { a_range.start } else { 0 };
                            a_range.contains(&at[a])
                                && at[b]
                                    .checked_sub(skipped)
                                    .is_some_and(|at| b_range.contains(&at))
                        };
                        let expected: Vec<f32> =
                            (0..all.len()).filter(|&i| inside(i)).map(|i| all[i]).collect();
                        let filled = Cpu::new().fill(&part).unwrap();
                        assert_eq!(filled.to_f32(), expected, "{part:?}");
                        let mut sum = crate::Fingerprint::default();
                        for start in (0..filled.len()).step_by(7) {
                            let end = (start + 7).min(filled.len());
                            let part_of_it =
                                Cpu::new().fill(&part.clone().elements(start..end)).unwrap();
                            assert_eq!(part_of_it.to_f32(), expected[start as usize..end as usize]);
                            assert_eq!(part_of_it, filled.slice(start..end).unwrap());
                            sum += part_of_it.fingerprint();
                        }
                        assert_eq!(sum, filled.fingerprint());
                    }
                }
            }
        }
    }
}
