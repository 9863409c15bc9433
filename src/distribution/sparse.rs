//! Which elements of a column are zero: as many as asked for, each choice of them as likely. Twin:
//! `shaders/sparse.wgsl`.
//!
//! Selection sampling (Fan, Muller and Rezucha 1962): row after row, an element is zero with the
//! probability of zeros left over rows left, decided by `mulhi(word, rows left) < zeros left`. The
//! words are a column's own, from counters that no element has, so any part of the tensor can be
//! made by itself; it costs the rows before it too.

use rayon::prelude::*;

use crate::cpu::vectors::{Vectorize, vectorized};
use crate::cpu::zeroed;
use crate::stream::philox::{philox4x32, words};
use crate::{Element, ErrorKind, Fill, Result, Shape};

/// Columns side by side.
const LANES: usize = 16;
/// The upper bit of a block index, which no element's block has.
pub(crate) const SELECTION: u32 = 0x80000000;

/// Zeros of a matrix: those of [`Initializer::Sparse`](crate::Initializer::Sparse).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse {
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    /// Zeros in a column.
    pub(crate) zeros: u32,
}

impl Sparse {
    pub(crate) fn new(shape: &Shape, sparsity: f64) -> Result<Self, ErrorKind> {
        shape.count()?;
        let &[rows, columns] = shape.dims() else {
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected: "two dimensions" });
        };
        // Places within a column or a row are added in 32 bits.
        if rows >= 1 << 31 || columns >= 1 << 31 {
            return Err(ErrorKind::SizeOverflow { shape: shape.clone() });
        }
        // Computed as PyTorch does.
        let zeros = (sparsity * rows as f64).ceil() as u32;
        Ok(Sparse { rows: rows as u32, columns: columns as u32, zeros })
    }

    /// Whether all is zero.
    pub(crate) fn is_empty(&self) -> bool {
        self.zeros == self.rows
    }

    /// The part that is not zero.
    pub(crate) fn density(&self) -> f64 {
        f64::from(self.rows - self.zeros) / f64::from(self.rows)
    }

    /// Philox blocks of a column's selection.
    pub(crate) fn quads(&self) -> u32 {
        self.rows.div_ceil(4)
    }

    /// Zeros those of `fill`'s elements, which `out` has, that are to be.
    pub(crate) fn clear<T: Element>(&self, fill: &Fill, out: &mut [T]) -> Result<(), ErrorKind> {
        let columns = u64::from(self.columns);
        let (first_row, end_row) = (fill.first / columns, fill.index(fill.len - 1) / columns + 1);
        let rows = (end_row - first_row) as usize;
        let mut masks: Vec<u16> = zeroed(rows as u64 * columns.div_ceil(LANES as u64))?;
        masks.par_chunks_mut(rows).enumerate().for_each(|(group, masks)| {
            let first_column = (group * LANES) as u32;
            vectorized(Selection {
                sparse: *self,
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
            let parts = body
                .par_chunks_mut(columns as usize)
                .with_min_len((4096 / columns as usize).max(1));
            parts.enumerate().for_each(|(i, part)| clear(row + 1 + i as u64, 0, part));
        });
        Ok(())
    }
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
