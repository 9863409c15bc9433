//! F64 and 8-bit types: the F32 values are computed in scratch memory, part by part, and converted.
//! `src/gpu/engine/plan/convert.rs` does the same.

use rayon::prelude::*;

use crate::cpu::elements::TASK;
use crate::memory::zeroed;
use crate::progress::Progress;
use crate::{DType, Element, ErrorKind, Fill, Result};

/// Writes `fill`'s elements by way of `values`, which computes F32 ones.
///
/// # Errors
/// Those of `values`, and [`ErrorKind::HostOutOfMemory`] for the scratch memory.
pub(super) fn put<T: Element>(
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
    values: impl Fn(&Fill, &mut [f32], &mut Progress) -> Result<(), ErrorKind>,
) -> Result<(), ErrorKind> {
    let each = fill.converted_at_a_time();
    let mut scratch: Vec<f32> = zeroed(each)?;
    for (part, start) in out.chunks_mut(each as usize).zip((0..).step_by(each as usize)) {
        let elements = fill.elements().part(start, part.len() as u64);
        let scratch = &mut scratch[..part.len()];
        values(&Fill { dtype: DType::F32, ..fill.of(elements) }, scratch, progress)?;
        let tasks = part.par_chunks_mut(TASK).zip(scratch.par_chunks(TASK));
        tasks.for_each(|(part, values)| {
            for (element, &value) in part.iter_mut().zip(values) {
                *element = T::round(value);
            }
        });
    }
    Ok(())
}
