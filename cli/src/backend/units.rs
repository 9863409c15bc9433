//! Elements made and measured unit by unit on all cores, while a unit is in a core's cache.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

use gpu_init::{Cpu, Element, Fill, Fingerprint, Stats, Summary, TensorSpec, by_dtype};
use rayon::prelude::*;

/// Elements of a unit: twice its bytes fit in a core's cache. Whoever starts with a tensor's first
/// element and joins its units in order has the same statistics to the bit.
pub(crate) const UNIT: u64 = 1 << 16;

/// The fingerprint of a request's elements, and their statistics if `stats` asks for them.
pub(crate) fn measure(fill: &Fill, bytes: &[u8], stats: bool) -> (Fingerprint, Option<Stats>) {
    fn of<T: Element>(fill: &Fill, elements: &[T], stats: bool) -> (Fingerprint, Option<Stats>) {
        if !stats {
            return (Fingerprint::of_fill(fill, elements), None);
        }
        let Summary { stats, fingerprint } = Summary::of_fill(fill, elements);
        (fingerprint, Some(stats))
    }
    by_dtype!(fill.dtype, T => of::<T>(fill, bytemuck::cast_slice(bytes), stats))
}

/// Joins the statistics of two parts, as far as they were taken.
pub(crate) fn joined(all: Option<Stats>, part: Option<Stats>) -> Option<Stats> {
    [all, part].into_iter().flatten().reduce(|all, part| all.join(&part))
}

/// Makes a range of a tensor's elements in `out` and measures them.
pub(crate) fn make(
    spec: &TensorSpec,
    range: Range<u64>,
    out: &mut [u8],
    stats: bool,
) -> gpu_init::Result<(Fingerprint, Option<Stats>)> {
    let bytes = out.len() / (range.end - range.start).max(1) as usize;
    let units = out.par_chunks_mut(UNIT as usize * bytes.max(1)).enumerate();
    let made = units.map(|(i, out)| {
        let start = range.start + i as u64 * UNIT;
        let unit = spec.clone().elements(start..range.end.min(start + UNIT));
        fill(&unit, out)?;
        Ok(measure(&unit.resolve(0, 0)?, out, stats))
    });
    let mut sum = (Fingerprint::default(), None);
    for (fingerprint, stats) in made.collect::<gpu_init::Result<Vec<_>>>()? {
        sum = (sum.0 + fingerprint, joined(sum.1, stats));
    }
    Ok(sum)
}

/// Calls `work` with the bytes of a request's elements, in memory that this thread uses again.
pub(crate) fn with_made<R>(
    spec: &TensorSpec,
    bytes: usize,
    work: impl FnOnce(&[u8]) -> R,
) -> gpu_init::Result<R> {
    thread_local!(static SCRATCH: Cell<Vec<u64>> = const { Cell::new(Vec::new()) });
    // Taken: while a fill waits for other threads, this one may begin another unit.
    let mut scratch = SCRATCH.take();
    if scratch.len() * 8 < bytes {
        scratch.resize(bytes.div_ceil(8), 0);
    }
    let made = &mut bytemuck::cast_slice_mut(&mut scratch)[..bytes];
    let done = fill(spec, made).map(|()| work(made));
    SCRATCH.set(scratch);
    done
}

fn fill(spec: &TensorSpec, out: &mut [u8]) -> gpu_init::Result<()> {
    Cpu::new().fill_bytes(spec, out, &mut |_, _| ControlFlow::Continue(()))
}
