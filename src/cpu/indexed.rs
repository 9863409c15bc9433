//! Values that are computed one by one from their index.

use rayon::prelude::*;

use crate::cpu::elements::TASK;
use crate::progress::Progress;
use crate::{Element, ErrorKind, Fill, Result};

/// Elements between two reports of progress.
const REPORT: usize = 1 << 24;

/// Writes what `element` gives for the index of each of `fill`'s elements.
pub(super) fn put<T: Element>(
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
    element: impl Fn(u64) -> T + Sync,
) -> Result<(), ErrorKind> {
    for (part, start) in out.chunks_mut(REPORT).zip((0..).step_by(REPORT)) {
        let len = part.len() as u64;
        fill.elements().part(start, len).for_each_run(part, |first, run| {
            run.par_chunks_mut(TASK).enumerate().for_each(|(i, task)| {
                for (value, index) in task.iter_mut().zip(first + (i * TASK) as u64..) {
                    *value = element(index);
                }
            });
        });
        progress.add(len)?;
    }
    Ok(())
}
