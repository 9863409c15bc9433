//! Fills a tensor on the host: the background element by element, then what is scattered over it.

use bytemuck::cast_slice_mut;
use half::{bf16, f16};

use crate::cpu::elements::elements;
use crate::cpu::{convert, indexed, orthogonal, scatter};
use crate::distribution::indexed::rounded;
use crate::host_tensor::{HostTensor, with_values};
use crate::progress::Progress;
use crate::stream::philox::Philox4x32;
use crate::{DType, Distribution, Element, ErrorKind, Fill, Result};

/// A tensor of host memory with `fill`'s elements.
pub(crate) fn fill_tensor(fill: &Fill, progress: &mut Progress) -> Result<HostTensor, ErrorKind> {
    let mut tensor = HostTensor::zeroed(fill)?;
    with_values!(&mut tensor.data, values => self::fill(fill, values, progress))?;
    Ok(tensor)
}

/// Writes `fill`'s elements, as many as `out` has, on all cores.
///
/// # Errors
/// [`ErrorKind::HostOutOfMemory`] for what a matrix is made in, and
/// [`ErrorKind::Interrupted`] if `progress` broke off.
pub(crate) fn fill<T: Element>(
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    debug_assert_eq!(fill.len, out.len() as u64);
    match (fill.distribution, T::DTYPE) {
        (Distribution::Indexed { indexed }, _) => {
            indexed::put(fill, out, progress, |index| indexed.element(index))?
        }
        (Distribution::LogUniform { log_uniform }, _) => {
            let words = Philox4x32::new(fill.seed, fill.stream);
            let word = |index: u64| words.block(index / 4)[(index % 4) as usize];
            indexed::put(fill, out, progress, |index| {
                T::round(rounded(log_uniform.of_word(word(index))))
            })?
        }
        // Only these types are worth loops of their own; the casts are from `T` to itself.
        (_, DType::F32) => values::<f32>(fill, cast_slice_mut(out), progress)?,
        (_, DType::F16) => values::<f16>(fill, cast_slice_mut(out), progress)?,
        (_, DType::BF16) => values::<bf16>(fill, cast_slice_mut(out), progress)?,
        _ => convert::put(fill, out, progress, values)?,
    }
    if let Some([low, high]) = fill.zeros {
        fill.elements().for_each_run(out, |first, run| {
            let at = |index: u64| index.saturating_sub(first).min(run.len() as u64) as usize;
            let range = at(low)..at(high);
            run[range].fill(T::round(0.0));
        });
    }
    Ok(())
}

/// Writes the values, also of rows that are zero in the end.
fn values<T: Element>(
    fill: &Fill,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    let base = fill.distribution.base();
    // A background that is written over does not count as done.
    let mut silent = Progress::silent();
    elements(base, fill, out, if base == fill.distribution { progress } else { &mut silent })?;
    match fill.distribution {
        Distribution::Diagonal { value, diagonal } => {
            fill.elements().for_each_run(out, |first, part| {
                scatter::put_diagonal(&diagonal, first, value, part);
            });
        }
        Distribution::Sparse { sparse, .. } => scatter::clear_sparse(&sparse, fill, out)?,
        Distribution::Orthogonal { gain, orthogonal } => {
            return orthogonal::put(&orthogonal, fill, gain, out, progress);
        }
        _ => return Ok(()),
    }
    progress.add(fill.len)
}
