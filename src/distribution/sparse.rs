//! Columns with a given number of zeros, each choice of rows as likely. Written by
//! `src/cpu/scatter.rs` and `shaders/sparse.wgsl`.
//!
//! Selection sampling (Fan, Muller and Rezucha 1962): row after row, an element is zero with the
//! probability of zeros left over rows left, decided by `mulhi(word, rows left) < zeros left`. Each
//! column has its own words, from counters that no element has, so any part of the tensor can be
//! computed by itself, at the cost of the rows before it.

use crate::{ErrorKind, Result, Shape};

/// The upper bit of a block index, which no element's block has.
pub(crate) const SELECTION: u32 = 0x80000000;

/// The number of zeros in each column of [`Initializer::Sparse`](crate::Initializer::Sparse).
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
        // Shaders add indices within a column or a row in 32 bits.
        if rows >= 1 << 31 || columns >= 1 << 31 {
            return Err(ErrorKind::SizeOverflow { shape: shape.clone() });
        }
        // Computed as PyTorch does.
        let zeros = (sparsity * rows as f64).ceil() as u32;
        Ok(Sparse { rows: rows as u32, columns: columns as u32, zeros })
    }

    /// Whether every element is zero.
    pub(crate) fn is_empty(&self) -> bool {
        self.zeros == self.rows
    }

    /// The fraction of elements that is not zero.
    pub(crate) fn density(&self) -> f64 {
        f64::from(self.rows - self.zeros) / f64::from(self.rows)
    }

    /// Philox blocks of a column's selection.
    pub(crate) fn quads(&self) -> u32 {
        self.rows.div_ceil(4)
    }
}
