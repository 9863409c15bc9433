//! Values whose position decides them, written over a background: diagonals, and the zeros of
//! sparse matrices. Mirrored by `shaders/diagonal.wgsl` and `shaders/sparse.wgsl`.

use rayon::prelude::*;

use crate::cpu::vectors::{Vectorize, vectorized};
use crate::distribution::diagonal::Diagonal;
use crate::distribution::sparse::{SELECTION, Sparse};
use crate::memory::zeroed;
use crate::stream::philox::{philox4x32, words};
use crate::{Element, ErrorKind, Fill, Result};

/// Columns side by side.
const LANES: usize = 16;

/// Writes `value` to the elements of the diagonal among `out`, which has the elements from `first`
/// on.
pub(super) fn put_diagonal<T: Element>(diagonal: &Diagonal, first: u64, value: f32, out: &mut [T]) {
    for n in diagonal.before(first)..diagonal.before(first + out.len() as u64) {
        out[(diagonal.place(n) - first) as usize] = T::round(value);
    }
}

/// Zeroes the selected elements among `fill`'s, which `out` has.
pub(super) fn clear_sparse<T: Element>(
    sparse: &Sparse,
    fill: &Fill,
    out: &mut [T],
) -> Result<(), ErrorKind> {
    let columns = u64::from(sparse.columns);
    let (first_row, end_row) = (fill.first / columns, fill.index(fill.len - 1) / columns + 1);
    let rows = (end_row - first_row) as usize;
    let mut masks: Vec<u16> = zeroed(rows as u64 * columns.div_ceil(LANES as u64))?;
    masks.par_chunks_mut(rows).enumerate().for_each(|(group, masks)| {
        let first_column = (group * LANES) as u32;
        vectorized(Selection {
            sparse: *sparse,
            fill,
            first_column,
            first_row: first_row as u32,
            masks,
        });
    });
    fill.elements().for_each_run(out, |first, run| {
        let row_end = (columns - first % columns) as usize;
        let (head, body) = run.split_at_mut(row_end.min(run.len()));
        let clear = |row: u64, column: u64, part: &mut [T]| {
            for (element, column) in part.iter_mut().zip(column as usize..) {
                let mask = masks[column / LANES * rows + (row - first_row) as usize];
                if mask >> (column % LANES) & 1 == 1 {
                    *element = T::round(0.0);
                }
            }
        };
        let row = first / columns;
        clear(row, first % columns, head);
        let parts =
            body.par_chunks_mut(columns as usize).with_min_len((4096 / columns as usize).max(1));
        parts.enumerate().for_each(|(i, part)| clear(row + 1 + i as u64, 0, part));
    });
    Ok(())
}

/// A column's four words for rows 4 `quad` and on.
#[inline(always)]
fn selection_words(sparse: Sparse, fill: &Fill, column: u32, quad: u32) -> [u32; 4] {
    let block = words(u64::from(column) * u64::from(sparse.quads()) + u64::from(quad));
    let stream = words(fill.stream);
    philox4x32([block[0], block[1] | SELECTION, stream[0], stream[1]], words(fill.seed))
}

/// Masks of zeros, a bit for each of LANES columns, for rows from `first_row` on.
struct Selection<'a> {
    sparse: Sparse,
    fill: &'a Fill,
    first_column: u32,
    first_row: u32,
    masks: &'a mut [u16],
}

impl Vectorize for Selection<'_> {
    #[inline(always)]
    fn run(self) {
        let mut zeros = [self.sparse.zeros; LANES];
        let end_row = self.first_row + self.masks.len() as u32;
        for quad in 0..end_row.div_ceil(4) {
            let mut columns = [[0u32; LANES]; 4];
            for lane in 0..LANES {
                let words =
                    selection_words(self.sparse, self.fill, self.first_column + lane as u32, quad);
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
                let diagonal = match groups {
                    0 => Diagonal::eye(&shape).unwrap(),
                    groups => {
                        let found = Diagonal::dirac(&shape, &layout, groups);
                        let output = layout.axes(dims.len()).unwrap().output[0];
                        assert_eq!(
                            found.is_ok(),
                            dims[output].is_multiple_of(groups as usize),
                            "{dims:?} {layout:?}"
                        );
                        let Ok(found) = found else { continue };
                        found
                    }
                };
                let is_one = |index: usize| {
                    let mut rest = index;
                    let mut at: Vec<usize> =
                        dims.iter().rev().map(|dim| (rest % dim, rest /= dim).0).collect();
                    at.reverse();
                    if groups == 0 {
                        return at[0] == at[1];
                    }
                    let axes = layout.axes(dims.len()).unwrap();
                    let (input, output) = (axes.input[0], axes.output[0]);
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
                        assert_eq!(diagonal.places(start as u64, (end - start) as u64), ones);
                    }
                }
            }
        }
    }
}
