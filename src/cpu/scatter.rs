//! Values whose position decides them, written over a background: diagonals, and the zeros of
//! sparse matrices. Mirrored by `shaders/diagonal.wgsl` and `shaders/sparse.wgsl`.

use rayon::prelude::*;

use crate::cpu::vectors::{Vectorize, Vectors, vectorized};
use crate::distribution::diagonal::Diagonal;
use crate::distribution::sparse::{SELECTION, Sparse};
use crate::memory::zeroed;
use crate::spec::slice::for_each_row;
use crate::stream::philox::Philox4x32;
use crate::{Element, ErrorKind, Fill, Result};

/// Columns side by side.
const LANES: usize = 16;

/// Writes `value` to the elements of the diagonal among `out`, which has the elements from `first`
/// on.
pub(super) fn put_diagonal<T: Element>(diagonal: &Diagonal, first: u64, value: f32, out: &mut [T]) {
    for n in diagonal.before(first)..diagonal.before(first + out.len() as u64) {
        out[(diagonal.index(n) - first) as usize] = T::round(value);
    }
}

/// Zeroes the selected elements among `fill`'s, which `out` has.
pub(super) fn clear_sparse<T: Element>(
    sparse: &Sparse,
    fill: &Fill,
    out: &mut [T],
) -> Result<(), ErrorKind> {
    let (columns, generator) =
        (u64::from(sparse.columns), &Philox4x32::new(fill.seed, fill.stream));
    let (first_row, end_row) = (fill.first / columns, fill.index(fill.len - 1) / columns + 1);
    let rows = (end_row - first_row) as usize;
    let mut masks: Vec<u16> = zeroed(rows as u64 * columns.div_ceil(LANES as u64))?;
    masks.par_chunks_mut(rows).enumerate().for_each(|(group, masks)| {
        let (first_column, first_row) = ((group * LANES) as u32, first_row as u32);
        vectorized(Selection { sparse, generator, first_column, first_row, masks });
    });
    fill.elements().for_each_run(out, |first, run| {
        for_each_row(first, columns, run, |row, column, part| {
            for (element, column) in part.iter_mut().zip(column as usize..) {
                let mask = masks[column / LANES * rows + (row - first_row) as usize];
                if mask >> (column % LANES) & 1 == 1 {
                    *element = T::round(0.0);
                }
            }
        });
    });
    Ok(())
}

/// Masks of zeros, a bit for each of LANES columns, for rows from `first_row` on.
struct Selection<'a> {
    sparse: &'a Sparse,
    generator: &'a Philox4x32,
    first_column: u32,
    first_row: u32,
    masks: &'a mut [u16],
}

impl Vectorize for Selection<'_> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        let mut zeros = [self.sparse.zeros; LANES];
        let end_row = self.first_row + self.masks.len() as u32;
        for quad in 0..end_row.div_ceil(4) {
            let mut columns = [[0u32; LANES]; 4];
            for lane in 0..LANES {
                let column = u64::from(self.first_column + lane as u32);
                let index = column * u64::from(self.sparse.quads()) + u64::from(quad);
                let words = self.generator.block(index | u64::from(SELECTION) << 32);
                for (column, word) in columns.iter_mut().zip(words) {
                    column[lane] = word;
                }
            }
            for (row, words) in (4 * quad..end_row).zip(columns) {
                let left = self.sparse.rows - row;
                let mut mask = 0u16;
                for lane in 0..LANES {
                    let zero =
                        ((u64::from(words[lane]) * u64::from(left)) >> 32) < u64::from(zeros[lane]);
                    zeros[lane] -= u32::from(zero);
                    mask |= u16::from(zero) << lane;
                }
                if let Some(slot) = row.checked_sub(self.first_row) {
                    self.masks[slot as usize] = mask;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::coordinates;
    use crate::{Layout, Shape};

    /// Every range of some shapes against the definition, element by element.
    #[test]
    fn diagonals_follow_the_definition() {
        let axes = Layout::Axes { input: vec![0], output: vec![-1], batch: vec![] };
        for (dims, groups) in [
            (&[5, 3][..], 0),
            (&[3, 5], 0),
            (&[1, 1], 0),
            (&[6, 4, 3], 2),
            (&[6, 2, 4], 3),
            (&[4, 1, 1], 4),
            (&[2, 3, 3, 2], 1),
            (&[2, 4, 3, 1, 5], 1),
            (&[3, 2, 6], 3),
            (&[1, 1, 4], 4),
        ] {
            let shape = Shape::from(dims);
            for layout in
                [Layout::OutInKernel, Layout::KernelInOut, Layout::InOutKernel, axes.clone()]
            {
                let axes = layout.axes(dims.len()).unwrap();
                let (input, output) = (axes.input[0], axes.output[0]);
                let diagonal = if groups == 0 {
                    Diagonal::eye(&shape)
                } else {
                    Diagonal::dirac(&shape, &layout, groups)
                };
                let divided = groups == 0 || dims[output].is_multiple_of(groups as usize);
                assert_eq!(diagonal.is_ok(), divided, "{dims:?} {layout:?}");
                let Ok(diagonal) = diagonal else { continue };
                let is_one = |index: usize| {
                    let at = coordinates(dims, index);
                    if groups == 0 {
                        return at[0] == at[1];
                    }
                    let each = dims[output] / groups as usize;
                    at[output] % each == at[input]
                        && (0..dims.len())
                            .all(|a| a == input || a == output || at[a] == dims[a] / 2)
                };
                let len: usize = dims.iter().product();
                for start in 0..len {
                    let mut out = vec![0f32; len - start];
                    put_diagonal(&diagonal, start as u64, 2.0, &mut out);
                    let expected: Vec<f32> =
                        (start..len).map(|i| if is_one(i) { 2.0 } else { 0.0 }).collect();
                    assert_eq!(out, expected, "{dims:?} {layout:?} from {start}");
                    for end in start..len {
                        let ones = (start..end).filter(|&i| is_one(i)).count() as u64;
                        let [before, after] = [start, end].map(|i| diagonal.before(i as u64));
                        assert_eq!(after - before, ones);
                    }
                }
            }
        }
    }
}
