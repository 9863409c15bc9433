//! Orthogonal matrices on the host. Mirrored by `shaders/orthogonal/`.
//!
//! A panel of [`LANES`] columns is computed side by side in arrays, which the compiler turns into
//! the vector instructions of the machine; a lane never sees another one, so the bits do not
//! depend on them.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::elements::elements;
use crate::cpu::vectors::{Vectorize, Vectors, vectorized};
use crate::distribution::orthogonal::{BLOCK, Indices, Orthogonal, PARTS, RUN};
use crate::memory::{reserved, zeroed};
use crate::progress::Progress;
use crate::reduce::lanes::reduce_lanes;
use crate::spec::slice::{Elements, for_each_row};
use crate::stream::guards::mul_add;
use crate::stream::sample::{SQRT_GUESS, SQRT_Q1, SQRT_Q2, SQRT_Q3, SQRT_Q4};
use crate::{Distribution, Element, ErrorKind, Fill, Result};

/// Columns of a panel: the widest vectors hold 16 floats. Reflections of a block belong to the same
/// columns.
const LANES: usize = BLOCK;
/// Rows times blocks applied between two reports of progress: about 1 GFLOP.
const WAVE: u64 = 1 << 20;
/// Blocks of reflections computed at least between two reports: some for each core.
const FEWEST: usize = 64;
/// Elements of the matrices held at once, if there are several.
const GROUP: usize = 1 << 20;

/// An entry of each column of a panel, or of each reflection of a block.
type Row = [f32; LANES];

/// Reflections of a matrix, as many as a block has; beyond the last one they are the identity.
#[derive(Default)]
pub(crate) struct Block {
    /// Their first row, which has the first one's first entry.
    first: usize,
    /// Rows from `first` on of the vectors side by side.
    vectors: Vec<Row>,
    /// Products of the vectors with each other; on the diagonal the reciprocal of half of it.
    gram: [Row; BLOCK],
    /// The signs of the columns of Q.
    pub(crate) signs: Row,
}

/// Writes the entries of the matrices that are among `fill`'s elements into `out`, on all cores.
/// Elements outside of the matrices stay as they are.
///
/// # Errors
/// [`ErrorKind::HostOutOfMemory`], and [`ErrorKind::Interrupted`] if `progress` broke off; what
/// `out` then holds is not specified.
pub(super) fn put<T: Element>(
    orthogonal: &Orthogonal,
    fill: &Fill,
    gain: f32,
    out: &mut [T],
    progress: &mut Progress,
) -> Result<(), ErrorKind> {
    // Elements between the runs are computed too, and left out.
    let enclosing = fill.index(fill.len - 1) + 1 - fill.first;
    let wanted = orthogonal.rows_of(fill.first, enclosing);
    if wanted.is_empty() {
        return progress.add(fill.len);
    }
    let (height, rows) = (orthogonal.height(), u64::from(orthogonal.rows));
    let (first, end) = (wanted.start / rows, wanted.end.div_ceil(rows));
    // Rows of a transposed matrix are columns of Q, and only their panels are needed.
    let indices = if orthogonal.transposed() && orthogonal.batch == 1 {
        wanted.start as usize / LANES..(wanted.end as usize).div_ceil(LANES)
    } else {
        0..orthogonal.blocks()
    };
    let work = Work { orthogonal: *orthogonal, fill, indices };
    let each = work.indices.len() * height;
    let matrices = (GROUP / (each * LANES)).max(1).min((end - first) as usize);
    let total = (end - first) * (0..work.indices.len()).map(|unit| work.cost(unit)).sum::<u64>();
    let (height, elements) = (height as u64, fill.len);
    let mut share = Share { progress, height, elements, total, done: 0, reported: 0 };
    // Panels of a group of matrices: whole columns first, then their rows go where they belong.
    let mut panels: Vec<Row> = zeroed((matrices * each) as u64)?;
    for group in (first..end).step_by(matrices) {
        let count = matrices.min((end - group) as usize);
        let panels = &mut panels[..count * each];
        work.compute(group, count, panels, &mut share)?;
        let rows = group * rows..(group + count as u64) * rows;
        let entries = Entries { work: &work, gain, rows, panels };
        fill.elements().for_each_run(out, |first, run| entries.write(first, run));
    }
    Ok(())
}

/// Reports elements as done in proportion to the blocks applied.
struct Share<'a, 'b> {
    progress: &'a mut Progress<'b>,
    height: u64,
    elements: u64,
    /// Blocks to apply in all, applied, and applied at the last report.
    total: u64,
    done: u64,
    reported: u64,
}

impl Share<'_, '_> {
    fn add(&mut self, applied: u64) -> Result<(), ErrorKind> {
        self.done += applied;
        if (self.done - self.reported) * self.height < WAVE && self.done != self.total {
            return Ok(());
        }
        let share = |part: u64| {
            (u128::from(self.elements) * u128::from(part) / u128::from(self.total)) as u64
        };
        let elements = share(self.done) - share(self.reported);
        self.reported = self.done;
        self.progress.add(elements)
    }
}

/// The panels of each matrix that are needed.
struct Work<'a> {
    orthogonal: Orthogonal,
    fill: &'a Fill,
    indices: Range<usize>,
}

impl Work<'_> {
    /// Blocks of reflections that a panel takes.
    fn cost(&self, unit: usize) -> u64 {
        (self.indices.start + unit % self.indices.len() + 1) as u64
    }

    /// Computes the panels of `count` matrices from `first` on.
    fn compute(
        &self,
        first: u64,
        count: usize,
        panels: &mut [Row],
        share: &mut Share,
    ) -> Result<(), ErrorKind> {
        let (height, blocks) = (self.orthogonal.height(), self.indices.end);
        let mut reflections: Vec<Block> = reserved(count * blocks)?;
        reflections.resize_with(count * blocks, Block::default);
        let each = (WAVE as usize / height).max(FEWEST);
        for (start, wave) in (0..).step_by(each).zip(reflections.chunks_mut(each)) {
            let wave = wave.par_iter_mut().enumerate();
            let wave = wave.with_max_len(1.max(WAVE as usize / (64 * height * BLOCK)));
            wave.try_for_each(|(unit, reflections)| {
                let unit = start + unit;
                let matrix = first + (unit / blocks) as u64;
                *reflections = block(&self.orthogonal, self.fill, matrix, unit % blocks)?;
                Ok(())
            })?;
            // No element is done, but the caller may cancel.
            share.progress.add(0)?;
        }
        // The costliest panels first.
        let mut work: Vec<_> = panels.chunks_exact_mut(height).enumerate().collect();
        work.sort_by_key(|&(unit, _)| std::cmp::Reverse(self.cost(unit)));
        let mut work = &mut work[..];
        while !work.is_empty() {
            let (mut wave, mut applied) = (0, 0);
            while wave < work.len() && (wave == 0 || applied * (height as u64) < WAVE) {
                applied += self.cost(work[wave].0);
                wave += 1;
            }
            let (now, later) = work.split_at_mut(wave);
            let most = (GROUP / 16 / height / LANES).max(1);
            now.par_iter_mut().with_max_len(most).for_each(|(unit, rows)| {
                let matrix = *unit / self.indices.len() * blocks;
                let blocks = &reflections[matrix..][..self.cost(*unit) as usize];
                vectorized(Panel { blocks, rows });
            });
            work = later;
            share.add(applied)?;
        }
        Ok(())
    }
}

/// The reflections `index` BLOCK and on of a matrix.
pub(crate) fn block(
    orthogonal: &Orthogonal,
    fill: &Fill,
    matrix: u64,
    index: usize,
) -> Result<Block, ErrorKind> {
    let (height, width, first) = (orthogonal.height(), orthogonal.width(), index * BLOCK);
    let rows = height - first;
    let mut block = Block {
        first,
        vectors: zeroed(rows as u64)?,
        gram: [[0.0; LANES]; BLOCK],
        signs: [1.0; LANES],
    };
    let mut normals: Vec<f32> = zeroed(rows as u64)?;
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    for q in 0..BLOCK.min(width - first) {
        let number = matrix * width as u64 + (first + q) as u64;
        let start = 4 * number * orthogonal.quads() as u64 + first as u64;
        let vector = fill.of(Elements { first: start, len: rows as u64, runs: None });
        elements(normal, &vector, &mut normals, &mut Progress::silent())?;
        normals[..q].fill(0.0);
        let (sign, scale, head) = reflection(&normals, q);
        block.signs[q] = sign;
        for (row, x) in block.vectors.iter_mut().zip(&normals) {
            row[q] = x * scale;
        }
        block.vectors[q][q] = head;
    }
    vectorized(Gram(&mut block));
    Ok(block)
}

/// Entries of some rows of all matrices.
struct Entries<'a> {
    work: &'a Work<'a>,
    gain: f32,
    rows: Range<u64>,
    panels: &'a [Row],
}

impl Entries<'_> {
    /// Writes the entries of row `row` that are among the elements of `out`, the first of which is
    /// element `from` of the row.
    fn write_row<T: Element>(&self, row: u64, from: u64, out: &mut [T]) {
        let Orthogonal { rows, cols, indices, .. } = self.work.orthogonal;
        let [offset, step] = [indices.offset, indices.step].map(u64::from);
        let columns = from.saturating_sub(offset).div_ceil(step)
            ..(from + out.len() as u64).saturating_sub(offset).div_ceil(step).min(cols.into());
        let (rows, height) = (u64::from(rows), self.work.orthogonal.height());
        let (matrix, row) = ((row - self.rows.start) / rows, (row % rows) as usize);
        let panels = &self.panels[matrix as usize * self.work.indices.len() * height..];
        let mut set = |column: usize, entry: f32| {
            out[(offset + column as u64 * step - from) as usize] = T::round(entry * self.gain);
        };
        let columns = columns.start as usize..columns.end as usize;
        if self.work.orthogonal.transposed() {
            let panel = &panels[(row / LANES - self.work.indices.start) * height..][..height];
            columns.for_each(|column| set(column, panel[column][row % LANES]));
        } else {
            columns.for_each(|column| {
                set(column, panels[column / LANES * height + row][column % LANES]);
            });
        }
    }

    /// Writes the entries that `out`, elements from `first` on, has.
    fn write<T: Element>(&self, first: u64, out: &mut [T]) {
        let Indices { skip, stride, .. } = self.work.orthogonal.indices;
        let stride = u64::from(stride);
        let begin = first.max((skip + self.rows.start) * stride);
        let end = (first + out.len() as u64).min((skip + self.rows.end) * stride);
        if begin >= end {
            return;
        }
        let out = &mut out[(begin - first) as usize..(end - first) as usize];
        for_each_row(begin, stride, out, |row, from, out| self.write_row(row - skip, from, out));
    }
}

/// 1/sqrt(s) of a positive normal number.
#[inline(always)]
fn inverse_sqrt(s: f32) -> f32 {
    let guess = f32::from_bits(SQRT_GUESS.wrapping_sub(s.to_bits() >> 1));
    let h = mul_add(-(s * guess), guess, 1.0);
    let mut q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    q = mul_add(q, h, 1.0);
    guess * q
}

/// Of the reflection of the vector with entries `q` and on of `normals`, zeros before: the sign of
/// its column, what its vector's entries are multiplied by, and what the first one becomes.
fn reflection(normals: &[f32], q: usize) -> (f32, f32, f32) {
    let mut sums = [0f32; crate::reduce::lanes::LANES];
    for chunk in normals.chunks(4 * sums.len()) {
        for (sum, quad) in sums.iter_mut().zip(chunk.chunks(4)) {
            for &x in quad {
                *sum = mul_add(x, x, *sum);
            }
        }
    }
    let square = reduce_lanes(sums, |a, b| a + b);
    let x = normals[q];
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    // A vector of one entry, or of none that is not 0, needs no reflection.
    if q + 1 == normals.len() || square == 0.0 {
        return (sign, 0.0, 0.0);
    }
    let norm = square * inverse_sqrt(square);
    let sum = norm + x.abs();
    let scale = inverse_sqrt(norm * sum);
    (-sign, scale, sum * scale * sign)
}

/// Adds the products of a run of rows to `sums`, row q being those of reflection q.
#[inline(always)]
fn run_products(vectors: &[Row], panel: &[Row], sums: &mut [Row; BLOCK]) {
    for (q, sum) in sums.iter_mut().enumerate() {
        let mut s = [0f32; LANES];
        for (v, p) in vectors.iter().zip(panel) {
            for lane in 0..LANES {
                s[lane] = mul_add(v[q], p[lane], s[lane]);
            }
        }
        for lane in 0..LANES {
            sum[lane] += s[lane];
        }
    }
}

/// V' P, row q being the products of reflection q.
#[inline(always)]
fn products(vectors: &[Row], panel: &[Row]) -> [Row; BLOCK] {
    let mut parts = [[[0f32; LANES]; BLOCK]; PARTS];
    let ((v_runs, v_rest), (p_runs, p_rest)) =
        (vectors.as_chunks::<RUN>(), panel.as_chunks::<RUN>());
    for (i, (v, p)) in v_runs.iter().zip(p_runs).enumerate() {
        run_products(v, p, &mut parts[i % PARTS]);
    }
    run_products(v_rest, p_rest, &mut parts[v_runs.len() % PARTS]);
    let mut half = PARTS / 2;
    while half > 0 {
        let (lower, upper) = parts.split_at_mut(half);
        for (a, b) in lower.iter_mut().flatten().flatten().zip(upper.iter().flatten().flatten()) {
            *a += b;
        }
        half /= 2;
    }
    parts[0]
}

/// P - V w.
#[inline(always)]
fn update(vectors: &[Row], weights: &[Row; BLOCK], panel: &mut [Row]) {
    for (v, p) in vectors.iter().zip(panel) {
        let mut u = [[0f32; LANES]; 4];
        for c in 0..4 {
            for lane in 0..LANES {
                u[c][lane] = v[c] * weights[c][lane];
            }
        }
        for q in 4..BLOCK {
            for lane in 0..LANES {
                u[q % 4][lane] = mul_add(v[q], weights[q][lane], u[q % 4][lane]);
            }
        }
        for lane in 0..LANES {
            p[lane] -= (u[0][lane] + u[1][lane]) + (u[2][lane] + u[3][lane]);
        }
    }
}

/// Applies a block's reflections, the last one first, to the rows of a panel from `block.first` on.
#[inline(always)]
fn apply(block: &Block, panel: &mut [Row]) {
    let mut weights = products(&block.vectors, panel);
    for q in (0..BLOCK).rev() {
        let (unsolved, solved) = weights.split_at_mut(q + 1);
        let (w, gram) = (&mut unsolved[q], &block.gram[q]);
        for (solved, g) in solved.iter().zip(&gram[q + 1..]) {
            for lane in 0..LANES {
                w[lane] = mul_add(-g, solved[lane], w[lane]);
            }
        }
        w.iter_mut().for_each(|w| *w *= gram[q]);
    }
    update(&block.vectors, &weights, panel);
}

/// Computes a panel: applies a matrix' blocks of reflections to columns of the identity.
struct Panel<'a> {
    blocks: &'a [Block],
    rows: &'a mut [Row],
}

impl Vectorize for Panel<'_> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        self.rows.fill([0.0; LANES]);
        if let Some(own) = self.blocks.last() {
            // Lanes beyond the last column stay what they are and are never read.
            for (lane, row) in self.rows[own.first..].iter_mut().take(LANES).enumerate() {
                row[lane] = own.signs[lane];
            }
        }
        for block in self.blocks.iter().rev() {
            apply(block, &mut self.rows[block.first..]);
        }
    }
}

/// Computes the products of a block's vectors.
struct Gram<'a>(&'a mut Block);

impl Vectorize for Gram<'_> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        let Block { vectors, gram, .. } = self.0;
        *gram = products(vectors, vectors);
        for (q, row) in gram.iter_mut().enumerate() {
            // 1 / (g / 2), where g / 2 is 1 but for rounding.
            row[q] = mul_add(-0.5, row[q], 2.0);
        }
    }
}

#[cfg(test)]
#[path = "orthogonal_tests.rs"]
pub(crate) mod tests;
