//! Haar-distributed orthogonal matrices: Stewart's product of Householder reflections of Gaussian
//! vectors. No QR is computed, and each column is computed by itself. Run by
//! `src/cpu/orthogonal.rs` and `shaders/orthogonal/`.
//!
//! Q is m x n, m >= n, with orthonormal columns: column j is `H_0 H_1 ... H_j e_j` times a sign,
//! where H_k is the reflection that takes a vector x_k of m - k normals, in rows k and below, to a
//! multiple of e_k. The sign is that of the multiple, which makes Q the factor of a Gaussian matrix
//! whose R has a positive diagonal: Haar's distribution (Stewart 1980, Mezzadri 2007).
//!
//! `H_k = I - v_k v_k' / (v_k' v_k / 2)`, v_k being scaled so that the divisor is 1 but for
//! rounding. [`BLOCK`] reflections are applied at once (Joffrain et al. 2006, the UT transform):
//! with V their vectors, s = V' p and G = V' V, the weights w solve the triangular system of the
//! strict upper part of G and half its diagonal, and p becomes p - V w. So the rounded vectors' own
//! G makes the product orthogonal, however they were rounded.
//!
//! A sum over rows, counted from the block's first row, is one of [`PARTS`] sums, added pairwise,
//! the upper half onto the lower. Part r has the runs of [`RUN`] rows with numbers r, r + PARTS...,
//! each a running sum by itself. At 4096 rows no sum has more than 32 terms. Nothing is summed
//! across columns, so it does not matter who computes which of them, or how many side by side.
//!
//! A QR takes 4/3 n^3 operations for R and as many for Q; this takes only those for Q.
//! `docs/benchmarks.md` compares their times.

use std::ops::Range;

use crate::distribution::convolution::{Convolution, layout_error};
use crate::{ErrorKind, Layout, Result, Shape};

/// Reflections applied at once.
pub(crate) const BLOCK: usize = 16;
/// Sums that a sum over rows is made of.
pub(crate) const PARTS: usize = 8;
/// Rows of a running sum.
pub(crate) const RUN: usize = 16;

/// Columns of a panel on a GPU: two for each lane. On a CPU a panel has as many as vectors hold.
#[cfg(feature = "gpu")]
pub(crate) const COLUMNS: usize = 32;
/// The signs' row of a unit of a GPU's scratch memory: after the products of a block's vectors.
#[cfg(all(feature = "gpu", test))]
pub(crate) const SIGNS: usize = BLOCK;
/// The row of the vectors' scales.
#[cfg(all(feature = "gpu", test))]
pub(crate) const SCALES: usize = BLOCK + 1;
/// The row of the vectors' first entries.
#[cfg(all(feature = "gpu", test))]
pub(crate) const HEADS: usize = BLOCK + 2;
/// The vectors' first row of a unit.
#[cfg(feature = "gpu")]
pub(crate) const VECTORS: usize = BLOCK + 3;
/// Most rows of a dispatch on a GPU.
#[cfg(feature = "gpu")]
pub(crate) const TILE: usize = 8192;

/// Haar-distributed matrices and the indices of their entries in a tensor, for
/// [`Initializer::Orthogonal`](crate::Initializer::Orthogonal) and
/// [`Initializer::DeltaOrthogonal`](crate::Initializer::DeltaOrthogonal).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orthogonal {
    /// Of a matrix.
    pub(crate) rows: u32,
    pub(crate) cols: u32,
    pub(crate) batch: u32,
    pub(crate) indices: Indices,
    /// Of the whole tensor.
    pub(crate) elements: u64,
}

/// Indices of the entries: column c of row r, counted through all matrices, is element
/// `(skip + r) stride + offset + c step`. A row's entries are within `stride` elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Indices {
    pub(crate) skip: u64,
    pub(crate) stride: u32,
    pub(crate) offset: u32,
    pub(crate) step: u32,
}

impl Orthogonal {
    /// Matrices as the layout's peer flattens a shape: dimension 0 by all others in PyTorch's order
    /// of axes, all others by the last one in Keras' and JAX's. Leading batch axes count the
    /// matrices.
    pub(crate) fn matrices(shape: &Shape, layout: &Layout) -> Result<Self, ErrorKind> {
        let axes = layout.axes(shape.dims().len());
        let batch = axes.as_ref().map_or(0, |axes| axes.batch.len());
        let (batch, dims) = shape.dims().split_at(batch);
        let &[first, .., last] = dims else {
            let expected = "two or more dimensions";
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        };
        let product = |dims: &[usize]| dims.iter().map(|&dim| dim as u64).product::<u64>();
        let (first_matrix, last_matrix) =
            ([first as u64, product(&dims[1..])], [product(&dims[..dims.len() - 1]), last as u64]);
        let sides = match axes {
            Some(axes) if axes.batch.iter().any(|&axis| axis >= batch.len()) => None,
            Some(axes) if axes.output == [batch.len()] => Some(first_matrix),
            Some(_) if *layout == Layout::InOutKernel => Some(first_matrix),
            Some(axes) if axes.output == [shape.dims().len() - 1] => Some(last_matrix),
            _ => None,
        };
        let Some([rows, cols]) = sides else {
            let remedy = "name axes that it has, each once: leading ones as batch, and as output the next one or the last";
            return Err(layout_error(shape, layout, remedy));
        };
        Self::placed(shape, [product(batch), rows, cols], 0, [cols, 1])
    }

    /// One matrix at the middle of a convolution's kernel.
    pub(crate) fn delta(shape: &Shape, layout: &Layout) -> Result<Self, ErrorKind> {
        let kernel = Convolution::new(shape, layout)?;
        let (input, output) = (kernel.input, kernel.output);
        if kernel.len(input) > kernel.len(output) {
            let expected = "no more inputs than outputs";
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        let axes = [input.min(output), input.max(output)];
        let [rows, cols] = axes.map(|axis| kernel.len(axis));
        let first = kernel.first(|len| (len - 1) / 2);
        let strides = axes.map(|axis| kernel.stride(axis));
        Self::placed(shape, [1, rows, cols], first, strides)
    }

    /// `sides` are matrices, rows and columns, `strides` those of a row and a column.
    fn placed(
        shape: &Shape,
        sides: [u64; 3],
        first: u64,
        strides: [u64; 2],
    ) -> Result<Self, ErrorKind> {
        // Shaders add two of them in 32 bits.
        let narrow = |n: u64| {
            u32::try_from(n)
                .ok()
                .filter(|&n| n < 1 << 31)
                .ok_or_else(|| ErrorKind::SizeOverflow { shape: shape.clone() })
        };
        let [stride, step] = strides;
        let indices = Indices {
            skip: first / stride,
            stride: narrow(stride)?,
            offset: narrow(first % stride)?,
            step: narrow(step)?,
        };
        let [batch, rows, cols] = sides;
        if u128::from(batch) * u128::from(rows) * u128::from(cols) >= 1 << 33 {
            // Their Philox blocks are counted in 32 bits.
            let expected = "fewer than 2^33 entries";
            return Err(ErrorKind::Dimensions { shape: shape.clone(), expected });
        }
        Ok(Orthogonal {
            rows: narrow(rows)?,
            cols: narrow(cols)?,
            batch: narrow(batch)?,
            indices,
            elements: shape.count()?,
        })
    }

    /// Entries of a column of Q: m.
    pub(crate) fn height(&self) -> usize {
        self.rows.max(self.cols) as usize
    }

    /// Columns of Q: n, at most m.
    pub(crate) fn width(&self) -> usize {
        self.rows.min(self.cols) as usize
    }

    /// Whether the matrices are Q's transpose.
    pub(crate) fn transposed(&self) -> bool {
        self.rows < self.cols
    }

    /// Blocks of reflections of a matrix.
    pub(crate) fn blocks(&self) -> usize {
        self.width().div_ceil(BLOCK)
    }

    /// Philox blocks of a reflection's vector, which starts at one.
    pub(crate) fn quads(&self) -> usize {
        self.height().div_ceil(4)
    }

    /// Rows of all matrices.
    fn all_rows(&self) -> u64 {
        u64::from(self.batch) * u64::from(self.rows)
    }

    /// Counts the entries before element `index`.
    pub(crate) fn before(&self, index: u64) -> u64 {
        let (Indices { skip, stride, offset, step }, cols) = (self.indices, u64::from(self.cols));
        let Some(row) = (index / u64::from(stride)).checked_sub(skip) else { return 0 };
        if row >= self.all_rows() {
            return self.all_rows() * cols;
        }
        let within =
            (index % u64::from(stride)).saturating_sub(offset.into()).div_ceil(step.into());
        row * cols + within.min(cols)
    }

    /// A range of the rows of all matrices with every row that has entries among `len` elements
    /// from `first` on.
    pub(crate) fn rows_of(&self, first: u64, len: u64) -> Range<u64> {
        let (stride, last) = (u64::from(self.indices.stride), self.all_rows());
        let row = |row: u64| row.saturating_sub(self.indices.skip).min(last);
        row(first / stride)..row((first + len).div_ceil(stride))
    }
}
