//! Runs the reflections of `shaders/orthogonal.wgsl`, in dispatches of bounded work.
//!
//! Matrices are made in slabs: some of them, or panels of one, as much as one binding has. A column
//! needs nothing of another, so slabs make no difference to the bits; each has its reflections
//! computed anew. A dispatch goes over at most `TILE` rows; where a matrix has more, sums go on
//! from one dispatch to the next.

mod examination;
mod sizes;

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::distribution::orthogonal::{Orthogonal, Place};
use crate::gpu::context::Context;
use crate::gpu::kernels::Kernel;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::window::{Piece, WindowLimits, pieces};
use crate::stream::philox::{round_keys, words};
use crate::stream::sample::Scaling;
use crate::{DType, Fill, Result};
pub(super) use examination::Examination;
use sizes::{BLOCK, COLUMNS, Sizes, Slab, TILE, Units, len, ranges};

/// Invocations of a workgroup: `LANES` in `orthogonal.wgsl`.
const LANES: u64 = 256;
/// Entries that one dispatch writes to the output.
const FINISH: u64 = 1 << 24;

/// Entry points of `orthogonal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OrthogonalEntry {
    Reflect,
    Scale,
    Gram,
    Apply,
    Project,
    Update,
    Examine,
    /// The output's element type decides only here.
    Finish(DType),
}

/// `Params` in `orthogonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct OrthogonalParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) quads: u32,
    pub(crate) first_matrix: u32,
    pub(crate) first_panel: u32,
    pub(crate) end_panel: u32,
    pub(crate) matrix: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
    pub(crate) at: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) transposed: u32,
    pub(crate) tile: u32,
    pub(crate) width: u32,
    pub(crate) origin: u32,
    pub(crate) stride: u32,
    pub(crate) step: u32,
    pub(crate) here: u32,
    pub(crate) begin: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
    /// The uniform address space rounds a struct up to its alignment of 16.
    pub(crate) padding: [u32; 2],
}

impl OrthogonalEntry {
    /// Most iterations of one invocation's loops.
    fn iterations(self) -> u32 {
        let (tile, runs) = (TILE as u32, TILE as u32 / 16);
        match self {
            // An invocation draws four rows at a time and scales each by itself; then all add up
            // their sums.
            OrthogonalEntry::Reflect | OrthogonalEntry::Scale => 2 * tile / 256 + 8,
            OrthogonalEntry::Gram => tile + runs + 32,
            // Of each eighth of the rows, twice; the solution of a triangular system between.
            OrthogonalEntry::Apply | OrthogonalEntry::Project | OrthogonalEntry::Update => {
                (tile + runs) / 4 + 256
            }
            OrthogonalEntry::Examine => tile / 8 + 16,
            OrthogonalEntry::Finish(_) => 0,
        }
    }
}

/// Adds the dispatches that write the entries among `fill`'s elements, which are zero, at byte
/// `offset` of `buffer`.
pub(super) fn put(
    context: &Context,
    limits: WindowLimits,
    fill: &Fill,
    gain: f32,
    plan: Orthogonal,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let wanted = plan.rows_of(fill.first, fill.len);
    if wanted.is_empty() {
        recorder.done(fill.len);
        return Ok(());
    }
    let sizes = Sizes::new(limits, plan, wanted, context.step());
    sizes.check(limits, context, fill.operation)?;
    let memory = Memory::new(context, fill.operation, &sizes)?;
    let examination = Examination::new(context, fill.operation, &sizes, recorder)?;
    let pieces = pieces(fill, offset, limits);
    let (total, mut applied) = (u128::from(sizes.applications()), 0);
    // Elements completed when so many panels more have had a block applied, in proportion.
    let mut completed = |panels: u64| {
        let share = |applied: u64| (u128::from(fill.len) * u128::from(applied) / total) as u64;
        applied += panels;
        share(applied) - share(applied - panels)
    };
    for slab in sizes.slabs() {
        let work = SlabWork {
            limits,
            plan,
            sizes: &sizes,
            params: params(fill, plan, &slab),
            memory: &memory,
            slab,
        };
        for units in sizes.units(&work.slab) {
            work.add_vectors(&units, recorder)?;
            for block in units.blocks.clone().rev() {
                work.add_block(&units, block, &mut completed, recorder)?;
            }
        }
        if let Some(examination) = &examination {
            work.add_examination(examination, recorder)?;
        }
        for piece in &pieces {
            work.add_output(fill, gain, piece, buffer, recorder)?;
        }
    }
    examination.into_iter().for_each(|examination| recorder.examine_at_end(examination));
    Ok(())
}

/// What all dispatches of a slab have in common.
fn params(fill: &Fill, plan: Orthogonal, slab: &Slab) -> OrthogonalParams {
    OrthogonalParams {
        keys: round_keys(fill.seed),
        stream: words(fill.stream),
        rows: plan.height() as u32,
        columns: plan.width() as u32,
        quads: plan.quads() as u32,
        first_matrix: slab.matrices.start as u32,
        first_panel: slab.panels.start as u32,
        end_panel: slab.panels.end as u32,
        transposed: plan.transposed().into(),
        scale: Scaling::normal(0.0, 1.0).scale,
        one: 1.0,
        ..Default::default()
    }
}

/// Device memory that the slabs of a fill use one after the other.
struct Memory {
    scratch: wgpu::Buffer,
    slab: wgpu::Buffer,
    carry: wgpu::Buffer,
}

impl Memory {
    fn new(context: &Context, operation: &'static str, sizes: &Sizes) -> Result<Self> {
        let buffer = |bytes| context.buffer(operation, bytes, wgpu::BufferUsages::STORAGE);
        Ok(Memory {
            scratch: buffer(sizes.scratch_bytes())?,
            slab: buffer(sizes.slab_bytes())?,
            carry: buffer(sizes.carry_bytes())?,
        })
    }
}

/// The dispatches of one slab.
struct SlabWork<'a> {
    limits: WindowLimits,
    plan: Orthogonal,
    sizes: &'a Sizes,
    slab: Slab,
    params: OrthogonalParams,
    memory: &'a Memory,
}

impl SlabWork<'_> {
    fn dispatch(
        &self,
        entry: OrthogonalEntry,
        groups: u64,
        params: OrthogonalParams,
        carry: Bound,
    ) -> Dispatch {
        let Memory { scratch, slab, .. } = self.memory;
        Dispatch {
            kernel: Kernel::Orthogonal(entry),
            params: Params::new(&params),
            buffers: vec![Bound::whole(scratch), Bound::whole(slab), carry],
            grid: self.limits.grid(groups as u32),
            iterations: entry.iterations(),
        }
    }

    fn carry(&self) -> Bound {
        Bound::whole(&self.memory.carry)
    }

    fn of_units(&self, units: &Units) -> OrthogonalParams {
        OrthogonalParams {
            matrix: units.matrices.start as u32,
            block: units.blocks.start as u32,
            blocks: len(&units.blocks) as u32,
            ..self.params
        }
    }

    /// Draws and scales the vectors of reflections, and multiplies them with each other.
    fn add_vectors(&self, units: &Units, recorder: &mut Recorder) -> Result<()> {
        let count = len(&units.matrices) * len(&units.blocks);
        let rows = self.sizes.rows_from(units.blocks.start);
        let tiles = rows.div_ceil(TILE);
        let cost = count * BLOCK * rows.min(TILE);
        let mut add = |entry, groups| {
            (0..tiles).try_for_each(|tile| {
                let params = OrthogonalParams {
                    count: count as u32,
                    tile: tile as u32,
                    ..self.of_units(units)
                };
                recorder.add(self.dispatch(entry, groups, params, self.carry()), cost, 0)
            })
        };
        add(OrthogonalEntry::Reflect, count * BLOCK)?;
        if tiles > 1 {
            add(OrthogonalEntry::Scale, count * BLOCK)?;
        }
        add(OrthogonalEntry::Gram, count)
    }

    /// Applies a block of reflections to the panels that it changes.
    fn add_block(
        &self,
        units: &Units,
        block: u64,
        completed: &mut impl FnMut(u64) -> u64,
        recorder: &mut Recorder,
    ) -> Result<()> {
        let rows = self.sizes.rows_from(block);
        let touched = self.slab.panels.end - self.slab.panels.start.max(block * BLOCK / COLUMNS);
        let groups = 0..len(&units.matrices) * touched;
        for group in ranges(groups, self.sizes.panels_together(rows)) {
            let (count, mut elements) = (len(&group), completed(len(&group)));
            let of_tile = |tile| OrthogonalParams {
                at: block as u32,
                first: group.start as u32,
                count: count as u32,
                tile,
                ..self.of_units(units)
            };
            let cost = count * COLUMNS * rows.min(TILE);
            let tiles = rows.div_ceil(TILE) as u32;
            let entries = match tiles {
                1 => &[OrthogonalEntry::Apply][..],
                _ => &[OrthogonalEntry::Project, OrthogonalEntry::Update],
            };
            for &entry in entries {
                for tile in 0..tiles {
                    let is_last = entry != OrthogonalEntry::Project && tile + 1 == tiles;
                    let done = if is_last { std::mem::take(&mut elements) } else { 0 };
                    recorder.add(
                        self.dispatch(entry, count, of_tile(tile), self.carry()),
                        cost,
                        done,
                    )?;
                }
            }
        }
        Ok(())
    }

    /// Sums up the squares and products by which `examination` judges the slab.
    fn add_examination(&self, examination: &Examination, recorder: &mut Recorder) -> Result<()> {
        let (sums, all) = examination.sums_of(&self.slab);
        let rows = self.sizes.rows.min(TILE);
        for group in ranges(0..all, self.sizes.panels_together(rows) * CHEAP) {
            let count = len(&group);
            let params =
                OrthogonalParams { first: group.start as u32, count: count as u32, ..self.params };
            let dispatch = self.dispatch(OrthogonalEntry::Examine, count, params, sums.clone());
            recorder.add(dispatch, count * COLUMNS * rows / CHEAP, 0)?;
        }
        Ok(())
    }

    /// Writes the entries of the slab that `piece` of the output has.
    fn add_output(
        &self,
        fill: &Fill,
        gain: f32,
        piece: &Piece,
        buffer: &wgpu::Buffer,
        recorder: &mut Recorder,
    ) -> Result<()> {
        let Place { skip, stride, offset, step } = self.plan.place;
        let (rows, columns) = self.output();
        let here = self.plan.rows_of(piece.first, piece.count.into());
        let (start, end) = (rows.start.max(here.start), rows.end.min(here.end));
        let width = len(&columns);
        for rows in ranges(start..end.max(start), (FINISH / width).max(1)) {
            let count = len(&rows) * width;
            let origin = (skip + rows.start) * u64::from(stride)
                + u64::from(offset)
                + columns.start * u64::from(step);
            let params = OrthogonalParams {
                first: rows.start as u32,
                at: columns.start as u32,
                count: count as u32,
                width: width as u32,
                origin: origin.wrapping_sub(piece.first) as u32,
                stride,
                step,
                here: piece.count,
                begin: piece.begin,
                scale: gain,
                ..self.params
            };
            let entry = OrthogonalEntry::Finish(fill.dtype);
            let mut dispatch = self.dispatch(entry, count.div_ceil(LANES), params, self.carry());
            dispatch.buffers[0] = Bound::new(buffer, piece.offset, piece.size);
            recorder.add(dispatch, count, 0)?;
        }
        Ok(())
    }

    /// Rows, counted through all matrices, and columns of the output that have entries of the slab.
    fn output(&self) -> (Range<u64>, Range<u64>) {
        let (plan, Slab { matrices, panels }) = (self.plan, &self.slab);
        let columns = panels.start * COLUMNS..(panels.end * COLUMNS).min(self.sizes.columns);
        let (own_rows, last) = (u64::from(plan.rows), matrices.end - 1);
        let first_row = matrices.start * own_rows;
        if plan.transposed() {
            (first_row + columns.start..last * own_rows + columns.end, 0..self.sizes.rows)
        } else {
            (first_row..(last + 1) * own_rows, columns)
        }
    }
}

#[cfg(test)]
mod tests;
