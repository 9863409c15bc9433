//! The reflections of `orthogonal.wgsl`, in dispatches of bounded work.
//!
//! Matrices are computed in slabs: several of them, or panels of one, as much as one binding holds.
//! No column needs another, so slabs do not change the bits; each has its reflections computed
//! anew. A dispatch goes over at most `TILE` rows; where a matrix has more, sums go on from one
//! dispatch to the next.

use std::ops::Range;

use crate::distribution::orthogonal::{Indices, Orthogonal};
use crate::gpu::engine::kernel::{Entry, Kernel, WORKGROUP_SIZE};
use crate::gpu::engine::params::OrthogonalParams;
use crate::gpu::engine::plan::dispatch::{Binding, CHEAP, Dispatch, Params, Slot, Step};
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::orthogonal::sizes::{
    BLOCK, COLUMNS, Sizes, Slab, TILE, Units, len, ranges,
};
use crate::gpu::engine::plan::orthogonal::sums::Examination;
use crate::gpu::engine::plan::tiles::{Tile, tiles};
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::stream::philox::{round_keys, words};
use crate::stream::sample::Scaling;
use crate::{DType, Fill};

/// Entries that one dispatch writes to the output.
const FINISH: u64 = 1 << 24;

/// Plans the entries of matrices, times a gain, among the fill's elements, which are zero.
pub(crate) fn plan(
    fill: &Fill,
    (gain, orthogonal): (f32, Orthogonal),
    bindings: Bindings,
    limits: &Limits,
) -> Result<Plan, TooLarge> {
    let wanted = orthogonal.rows_of(fill.first, fill.len);
    if wanted.is_empty() {
        let steps = Box::new(std::iter::once(Step::Complete(fill.len)));
        return Ok(Plan { scratch: Vec::new(), examination: None, steps });
    }
    let sizes = Sizes::new(limits, orthogonal, wanted);
    sizes.check(limits)?;
    let mut scratch = vec![sizes.scratch_bytes(), sizes.slab_bytes(), sizes.carry_bytes()];
    let slot = |number| Slot::scratch(bindings.scratch + number);
    let memory = [0, 1, 2].map(|number| Binding::first(slot(number), scratch[number]));
    let examination = bindings.examines.then(|| Examination::new(slot(3), &sizes)).flatten();
    scratch.extend(examination.as_ref().map(Examination::bytes));
    let work = Work {
        fill: *fill,
        gain,
        orthogonal,
        limits: *limits,
        sizes: sizes.clone(),
        memory,
        tiles: tiles(fill, bindings.target, limits).collect(),
        examination: examination.clone(),
        slab: sizes.wanted.clone(),
        params: OrthogonalParams {
            keys: round_keys(fill.seed),
            stream: words(fill.stream),
            rows: orthogonal.height() as u32,
            columns: orthogonal.width() as u32,
            quads: orthogonal.quads() as u32,
            transposed: orthogonal.transposed().into(),
            scale: Scaling::normal(0.0, 1.0).scale,
            one: 1.0,
            ..Default::default()
        },
    };
    // So far `elements` counts the panels that had a block applied. Their share of the fill's
    // elements is complete.
    let (total, all, mut applied) = (u128::from(sizes.applications()), fill.len, 0);
    let share = move |applied: u64| (u128::from(all) * u128::from(applied) / total) as u64;
    let steps =
        sizes.slabs().flat_map(move |slab| work.of(slab).dispatches()).map(move |dispatch| {
            let before = share(applied);
            applied += dispatch.elements;
            Step::Run(Dispatch { elements: share(applied) - before, ..dispatch })
        });
    Ok(Plan { scratch, examination, steps: Box::new(steps) })
}

/// A fill of matrices, and the slab of them that is computed.
#[derive(Debug, Clone)]
struct Work {
    fill: Fill,
    gain: f32,
    orthogonal: Orthogonal,
    limits: Limits,
    sizes: Sizes,
    /// Reflections, the slab, and the sums that go on from tile to tile.
    memory: [Binding; 3],
    tiles: Vec<Tile>,
    examination: Option<Examination>,
    slab: Slab,
    /// The parameters that all dispatches of the slab share.
    params: OrthogonalParams,
}

impl Work {
    /// The same for another slab.
    fn of(&self, slab: Slab) -> Self {
        let params = OrthogonalParams {
            first_matrix: slab.matrices.start as u32,
            first_panel: slab.panels.start as u32,
            end_panel: slab.panels.end as u32,
            ..self.params
        };
        Work { slab, params, ..self.clone() }
    }

    /// The dispatches of the slab.
    fn dispatches(self) -> impl Iterator<Item = Dispatch> + Send {
        let (work, sums) = (self.clone(), self.sums());
        let reflections = self.sizes.units(&self.slab).flat_map(move |units| {
            let (vectors, work) = (work.vectors(&units), work.clone());
            let blocks = units.blocks.clone().rev();
            vectors.into_iter().chain(blocks.flat_map(move |block| work.block(&units, block)))
        });
        let outputs = self.tiles.clone().into_iter().flat_map(move |tile| self.outputs(&tile));
        reflections.chain(sums).chain(outputs)
    }

    fn dispatch(&self, entry: Entry, groups: u64, params: OrthogonalParams, cost: u64) -> Dispatch {
        Dispatch {
            kernel: Kernel::new(entry, DType::F32),
            params: Params::new(&params),
            bindings: self.memory.to_vec(),
            grid: self.limits.grid(groups),
            cost,
            elements: 0,
        }
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
    fn vectors(&self, units: &Units) -> Vec<Dispatch> {
        let count = len(&units.matrices) * len(&units.blocks);
        let rows = self.sizes.rows_from(units.blocks.start);
        let (tiles, cost) = (rows.div_ceil(TILE) as u32, count * BLOCK * rows.min(TILE));
        let scale = (tiles > 1).then_some((Entry::Scale, count * BLOCK));
        let kernels = [(Entry::Reflect, count * BLOCK)]
            .into_iter()
            .chain(scale)
            .chain([(Entry::Gram, count)]);
        let of_tile = |tile| OrthogonalParams { count: count as u32, tile, ..self.of_units(units) };
        kernels
            .flat_map(|(entry, groups)| {
                (0..tiles).map(move |tile| self.dispatch(entry, groups, of_tile(tile), cost))
            })
            .collect()
    }

    /// Applies a block of reflections to the panels that it changes.
    fn block(&self, units: &Units, block: u64) -> Vec<Dispatch> {
        let sizes = &self.sizes;
        let rows = sizes.rows_from(block);
        let tiles = rows.div_ceil(TILE) as u32;
        let touched = self.slab.panels.end - self.slab.panels.start.max(block * BLOCK / COLUMNS);
        let entries = match tiles {
            1 => &[Entry::Apply][..],
            _ => &[Entry::Project, Entry::Update],
        };
        let mut dispatches = Vec::new();
        for group in ranges(0..len(&units.matrices) * touched, sizes.panels_together(rows)) {
            let count = len(&group);
            for (&entry, tile) in entries.iter().flat_map(|e| (0..tiles).map(move |t| (e, t))) {
                let params = OrthogonalParams {
                    at: block as u32,
                    first: group.start as u32,
                    count: count as u32,
                    tile,
                    ..self.of_units(units)
                };
                let cost = count * COLUMNS * rows.min(TILE);
                dispatches.push(self.dispatch(entry, count, params, cost));
            }
            if let Some(last) = dispatches.last_mut() {
                last.elements = count;
            }
        }
        dispatches
    }

    /// Sums up the squares and products by which the slab is examined.
    fn sums(&self) -> Vec<Dispatch> {
        let Some(examination) = &self.examination else { return Vec::new() };
        let (sums, all) = examination.sums_of(&self.slab);
        let rows = self.sizes.rows.min(TILE);
        let groups = ranges(0..all, self.sizes.panels_together(rows) * CHEAP);
        let dispatch = |group: Range<u64>| {
            let (first, count) = (group.start as u32, len(&group));
            let params = OrthogonalParams { first, count: count as u32, ..self.params };
            let cost = count * COLUMNS * rows / CHEAP;
            let mut dispatch = self.dispatch(Entry::Examine, count, params, cost);
            dispatch.bindings[2] = sums;
            dispatch
        };
        groups.map(dispatch).collect()
    }

    /// Writes the entries of the slab that a tile of the output has.
    fn outputs(&self, tile: &Tile) -> Vec<Dispatch> {
        let orthogonal = self.orthogonal;
        let Indices { skip, stride, offset, step } = orthogonal.indices;
        let (rows, columns) = self.output();
        let here = orthogonal.rows_of(tile.first, tile.count.into());
        let (start, end) = (rows.start.max(here.start), rows.end.min(here.end));
        let width = len(&columns);
        let dispatch = |rows: Range<u64>| {
            let count = len(&rows) * width;
            let origin = (skip + rows.start) * u64::from(stride)
                + u64::from(offset)
                + columns.start * u64::from(step);
            let params = OrthogonalParams {
                first: rows.start as u32,
                at: columns.start as u32,
                count: count as u32,
                width: width as u32,
                origin: origin.wrapping_sub(tile.first) as u32,
                stride,
                step,
                here: tile.count,
                begin: tile.begin,
                scale: self.gain,
                ..self.params
            };
            let groups = count.div_ceil(WORKGROUP_SIZE.into());
            let mut dispatch = self.dispatch(Entry::Finish, groups, params, count);
            dispatch.kernel.dtype = self.fill.dtype;
            dispatch.bindings[0] = tile.binding;
            dispatch
        };
        ranges(start..end.max(start), (FINISH / width).max(1)).map(dispatch).collect()
    }

    /// Rows, counted through all matrices, and columns of the output that have entries of the slab.
    fn output(&self) -> (Range<u64>, Range<u64>) {
        let Work { orthogonal, sizes, .. } = self;
        let Slab { matrices, panels } = &self.slab;
        let columns = panels.start * COLUMNS..(panels.end * COLUMNS).min(sizes.columns);
        let (own_rows, last) = (u64::from(orthogonal.rows), matrices.end - 1);
        let first_row = matrices.start * own_rows;
        if orthogonal.transposed() {
            (first_row + columns.start..last * own_rows + columns.end, 0..sizes.rows)
        } else {
            (first_row..(last + 1) * own_rows, columns)
        }
    }
}
