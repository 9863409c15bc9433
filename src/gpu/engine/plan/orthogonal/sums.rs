//! The self-test at the end of long work: are the matrices that the device made orthogonal?
//!
//! A driver may fail in large matrices alone, as by ending a long loop, and no small self-test sees
//! it. So while a slab is in memory the device sums up, for each column and each tile of rows, its
//! squares and its products with the next column of its panel. The host adds the tiles up and must
//! get 1 and 0. That costs two multiply-adds for each entry, where its reflections cost twice the
//! number of columns.

use crate::gpu::engine::plan::dispatch::{Binding, Slot};
use crate::gpu::engine::plan::orthogonal::sizes::{COLUMNS, Sizes, Slab, TILE, len};

/// Matrices of fewer entries in one tile of rows are no long work.
const LONG: u64 = 1 << 16;
/// Largest error of a sum. Rounding makes it about 1e-5; a device's own sums of squares are not
/// guarded.
const TOLERANCE: f64 = 1e-3;
/// Sums of a tile of a panel.
const SUMS: u64 = 2 * COLUMNS;

/// Sums over the columns of a fill's matrices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Examination {
    pub(crate) slot: Slot,
    wanted: Slab,
    rows: u64,
    columns: u64,
}

/// The first sum that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defect {
    pub(crate) what: String,
    pub(crate) expected: f64,
    pub(crate) actual: f64,
}

impl Examination {
    /// Where matrices are large enough.
    pub(super) fn new(slot: Slot, sizes: &Sizes) -> Option<Self> {
        let Sizes { rows, columns, .. } = *sizes;
        let is_long = rows > TILE || rows * columns >= LONG;
        is_long.then(|| Examination { slot, wanted: sizes.wanted.clone(), rows, columns })
    }

    /// Bytes of all sums.
    pub(super) fn bytes(&self) -> u64 {
        bytes(self.rows, &self.wanted)
    }

    /// Where the sums of a slab go, and how many tiles of panels they are of.
    pub(super) fn sums_of(&self, slab: &Slab) -> (Binding, u64) {
        // Slabs are of whole matrices, or of panels of one.
        let before = Slab {
            matrices: self.wanted.matrices.start..slab.matrices.start,
            ..self.wanted.clone()
        };
        let panels = Slab { panels: self.wanted.panels.start..slab.panels.start, ..slab.clone() };
        let size = bytes(self.rows, slab);
        let offset = bytes(self.rows, &before) + bytes(self.rows, &panels);
        (Binding { slot: self.slot, offset, size }, size / (SUMS * 4))
    }

    /// Finds the first column that is not of length 1, or not orthogonal to the next one.
    pub(crate) fn defect(&self, sums: &[f32]) -> Option<Defect> {
        let tiles = self.rows.div_ceil(TILE);
        let panels = self
            .wanted
            .matrices
            .clone()
            .flat_map(|matrix| self.wanted.panels.clone().map(move |panel| (matrix, panel)));
        panels
            .zip(sums.chunks_exact((tiles * SUMS) as usize))
            .find_map(|((matrix, panel), sums)| self.defect_of(matrix, panel, sums))
    }

    fn defect_of(&self, matrix: u64, panel: u64, sums: &[f32]) -> Option<Defect> {
        let width = COLUMNS.min(self.columns - panel * COLUMNS);
        let sum = |number: u64| -> f64 {
            sums.chunks_exact(SUMS as usize).map(|tile| f64::from(tile[number as usize])).sum()
        };
        let check = |column: u64, what: &str, expected: f64, actual: f64| {
            // Written so that NaN is a defect, too.
            if (actual - expected).abs() <= TOLERANCE {
                return None;
            }
            let column = panel * COLUMNS + column;
            let what = format!("orthogonal, matrix {matrix}, column {column}, {what}");
            Some(Defect { what, expected, actual })
        };
        (0..width).find_map(|column| {
            check(column, "its length squared", 1.0, sum(column)).or_else(|| {
                let product = (width > 1).then(|| sum(COLUMNS + column))?;
                check(column, "its product with another one", 0.0, product)
            })
        })
    }
}

/// Bytes of the sums of a slab.
fn bytes(rows: u64, slab: &Slab) -> u64 {
    len(&slab.matrices) * len(&slab.panels) * rows.div_ceil(TILE) * SUMS * 4
}
