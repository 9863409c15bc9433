//! Values that depend on their index alone.

use rayon::prelude::*;

use crate::cpu::elements::TASK;
use crate::distribution::indexed::Indexed;
use crate::progress::Progress;
use crate::{Element, ErrorKind, Fill, Result};

/// Elements between two reports of progress.
const REPORT: usize = 1 << 24;

/// Writes the values of `fill`'s elements.
pub(super) fn put<T: Element>(
    indexed: &Indexed,
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    for (part, start) in out.chunks_mut(REPORT).zip((0..).step_by(REPORT)) {
        let len = part.len() as u64;
        fill.elements().part(start, len).for_each_run(part, |first, run| {
            run.par_chunks_mut(TASK).enumerate().for_each(|(i, task)| {
                for (element, index) in task.iter_mut().zip(first + (i * TASK) as u64..) {
                    *element = indexed.element(index);
                }
            });
        });
        progress.add(len)?;
    }
    Ok(())
}
