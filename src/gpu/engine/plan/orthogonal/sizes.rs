//! How matrices are divided: slabs of the output, units of reflections in scratch memory, tiles of
//! rows. Pure: numbers in, ranges out.

use std::ops::Range;

use crate::distribution::orthogonal;
use crate::distribution::orthogonal::Orthogonal;
use crate::gpu::engine::plan::limits::{Limits, TooLarge};

pub(crate) const BLOCK: u64 = orthogonal::BLOCK as u64;
pub(crate) const COLUMNS: u64 = orthogonal::COLUMNS as u64;
pub(crate) const TILE: u64 = orthogonal::TILE as u64;
const VECTORS: u64 = orthogonal::VECTORS as u64;

/// Elements of the scratch memory for reflections, unless those of one block are more.
const SCRATCH: u64 = 1 << 20;
/// Largest slab, in elements: shaders count in 32 bits.
const SLAB: u64 = 1 << 30;
/// Sums that a panel carries from tile to tile: 32 for each of 128 invocations.
const PRODUCTS: u64 = 32 * 128;
/// Sums that a reflection carries, one for each invocation.
const SQUARES: u64 = 256;

/// Panels of matrices that are in memory together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slab {
    pub(crate) matrices: Range<u64>,
    pub(crate) panels: Range<u64>,
}

/// Blocks of reflections of matrices that are in scratch memory together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Units {
    pub(crate) matrices: Range<u64>,
    pub(crate) blocks: Range<u64>,
}

/// How a fill's matrices are divided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sizes {
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    blocks: u64,
    /// The matrices and the panels of each that the fill needs.
    pub(crate) wanted: Slab,
    slab_matrices: u64,
    slab_panels: u64,
    unit_matrices: u64,
    unit_blocks: u64,
    /// Most cost of one dispatch.
    step: u64,
}

impl Sizes {
    /// Divides the rows `wanted`, counted through all matrices.
    pub(crate) fn new(limits: &Limits, plan: Orthogonal, wanted: Range<u64>) -> Self {
        let (rows, columns, blocks) =
            (plan.height() as u64, plan.width() as u64, plan.blocks() as u64);
        let own_rows = u64::from(plan.rows);
        let matrices = wanted.start / own_rows..wanted.end.div_ceil(own_rows);
        // Rows of a transposed matrix are columns of Q, and only their panels are needed.
        let panels = if plan.transposed() && plan.batch == 1 {
            wanted.start / COLUMNS..wanted.end.div_ceil(COLUMNS)
        } else {
            0..columns.div_ceil(COLUMNS)
        };
        let most = limits.binding.min(SLAB * 4) / 4;
        let wanted = Slab { matrices, panels };
        let slab_matrices =
            (most / (rows * width(columns, &wanted.panels))).clamp(1, len(&wanted.matrices));
        let slab_panels = (most / (rows * COLUMNS.min(columns))).clamp(1, len(&wanted.panels));
        // The blocks of several matrices, or several of one, or a single one.
        let units = (SCRATCH.min(most) / unit(rows)).max(1);
        let unit_blocks = units.min(blocks);
        let unit_matrices = (units / unit_blocks).min(slab_matrices);
        Sizes {
            rows,
            columns,
            blocks,
            wanted,
            slab_matrices,
            slab_panels,
            unit_matrices,
            unit_blocks,
            step: limits.step,
        }
    }

    /// # Errors
    /// [`TooLarge`] if a panel or a block of reflections is more than a binding may have.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), TooLarge> {
        let bytes = self.scratch_bytes().max(self.slab_bytes());
        limits.check(bytes).map_err(|error| TooLarge { rows: Some(self.rows), ..error })
    }

    pub(crate) fn scratch_bytes(&self) -> u64 {
        self.unit_matrices * self.unit_blocks * unit(self.rows) * 4
    }

    pub(crate) fn slab_bytes(&self) -> u64 {
        let panels = self.wanted.panels.start..self.wanted.panels.start + self.slab_panels;
        self.slab_matrices * self.rows * width(self.columns, &panels) * 4
    }

    /// Bytes of the sums that go on from tile to tile; where there is one tile, a few, since no
    /// binding is empty.
    pub(crate) fn carry_bytes(&self) -> u64 {
        if self.rows <= TILE {
            return 16;
        }
        let units = self.unit_matrices * self.unit_blocks * BLOCK * SQUARES;
        units.max(self.panels_together(self.rows) * PRODUCTS) * 4
    }

    /// The slabs, one after the other.
    pub(crate) fn slabs(&self) -> impl Iterator<Item = Slab> + use<> {
        let (wanted, matrices, panels) =
            (self.wanted.clone(), self.slab_matrices, self.slab_panels);
        ranges(wanted.matrices, matrices).flat_map(move |matrices| {
            let slab = move |panels| Slab { matrices: matrices.clone(), panels };
            ranges(wanted.panels.clone(), panels).map(slab)
        })
    }

    /// The reflections that change a slab, in the order in which they are applied: later blocks
    /// first.
    pub(crate) fn units(&self, slab: &Slab) -> impl Iterator<Item = Units> + use<> {
        let (most, top) = (self.unit_blocks, self.blocks.min(slab.panels.end * COLUMNS / BLOCK));
        ranges(slab.matrices.clone(), self.unit_matrices).flat_map(move |matrices| {
            let tops = (0..top.div_ceil(most)).map(move |i| top - i * most);
            tops.map(move |top| Units {
                matrices: matrices.clone(),
                blocks: top.saturating_sub(most)..top,
            })
        })
    }

    /// Counts how many times a block is applied to a panel, in all.
    pub(crate) fn applications(&self) -> u64 {
        let of_panel = |panel: u64| self.blocks.min((panel + 1) * COLUMNS / BLOCK);
        len(&self.wanted.matrices) * self.wanted.panels.clone().map(of_panel).sum::<u64>()
    }

    /// Rows from the first one of a block on.
    pub(crate) fn rows_from(&self, block: u64) -> u64 {
        self.rows - block * BLOCK
    }

    /// Panels to which one dispatch applies a block of `rows` rows.
    pub(crate) fn panels_together(&self, rows: u64) -> u64 {
        (self.step / (COLUMNS * rows.min(TILE))).max(1)
    }
}

/// Floats of a unit of scratch memory: a block of reflections.
fn unit(rows: u64) -> u64 {
    BLOCK * (VECTORS + rows)
}

/// Columns of some panels.
fn width(columns: u64, panels: &Range<u64>) -> u64 {
    (panels.end * COLUMNS).min(columns) - panels.start * COLUMNS
}

pub(crate) fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Divides a range into ranges of `most`.
pub(crate) fn ranges(all: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> + Clone {
    let end = all.end;
    all.step_by(most as usize).map(move |start| start..(start + most).min(end))
}
