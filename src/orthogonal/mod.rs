//! Haar-distributed orthogonal matrices: Stewart's product of Householder reflections of Gaussian vectors.
//! No QR is computed and every column is made by itself. Twin: `shaders/orthogonal.wgsl`.
//!
//! Q is m x n, m >= n, with orthonormal columns: column j is `H_0 H_1 ... H_j e_j` times a sign, where H_k is
//! the reflection that takes a vector x_k of m - k normals, in rows k and below, to a multiple of e_k. The sign
//! is that of the multiple, which makes Q the factor of a Gaussian matrix whose R has a positive diagonal:
//! Haar's law (Stewart 1980, Mezzadri 2007).
//!
//! `H_k = I - v_k v_k' / (v_k' v_k / 2)`, v_k being scaled so that the divisor is 1 but for rounding. [`BLOCK`]
//! reflections are applied at once (Joffrain et al. 2006, the UT transform): with V their vectors, s = V' p and
//! G = V' V, the weights w solve the triangular system of the strict upper part of G and half its diagonal, and
//! p becomes p - V w. So the rounded vectors' own G makes the product orthogonal, whatever rounding did to them.
//!
//! A sum over rows, counted from the block's first row, is one of [`PARTS`] sums, added pairwise, the upper half
//! onto the lower. Part r has the runs of [`RUN`] rows with numbers r, r + PARTS..., each a running sum by itself. At
//! 4096 rows no sum has more than 32 terms. Nothing is summed across columns, so it does not matter who computes
//! which of them, or how many side by side.

//!
//! Milliseconds for an n x n matrix with its normals, the least of several runs, on two cores of an AMD EPYC with
//! AVX-512 that others used too: here, on llvmpipe 15.0.6 with its 256-bit vectors on the same cores, and by LAPACK
//! (OpenBLAS, two threads), as geqrf and orgqr in f32, which is what torch.nn.init.orthogonal_ calls, and as
//! numpy.linalg.qr, which computes in f64. `benches/orthogonal_qr.py` measures the last two and torch if it is there.
//!
//! |    n |   CPU | llvmpipe | LAPACK f32 | numpy f64 |
//! |-----:|------:|---------:|-----------:|----------:|
//! |   64 |  0.08 |      1.8 |       0.13 |      0.14 |
//! |  128 |  0.15 |      4.2 |       0.72 |       1.1 |
//! |  256 |  0.47 |       13 |        2.2 |       4.7 |
//! |  512 |   2.0 |       59 |         12 |        28 |
//! | 1024 |    12 |      338 |         80 |       123 |
//! | 2048 |    83 |     2298 |        442 |       723 |
//!
//! A QR takes 4/3 n^3 operations for R and as many for Q; here are only the latter.

mod cpu;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use crate::{Error, Result, Shape};

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
/// The vectors' first row of a unit.
#[cfg(feature = "gpu")]
pub(crate) const VECTORS: usize = BLOCK + 1;

/// What errors call it.
pub(crate) const OPERATION: &str = "orthogonal";

/// A request for Haar-distributed matrices: orthonormal columns, or rows if those are fewer, times a gain
/// (Saxe et al. 2013, `torch.nn.init.orthogonal_`).
///
/// ```
/// use std::ops::ControlFlow;
///
/// use gpu_init::Orthogonal;
///
/// let mut q = vec![0f32; 64 * 32];
/// Orthogonal::new([64, 32], 1.0)?.fill(42, gpu_init::stream_of("w"), &mut q, &mut |_, _| ControlFlow::Continue(()))?;
/// let norm: f32 = q.iter().step_by(32).map(|entry| entry * entry).sum();
/// assert!((norm - 1.0).abs() < 1e-5);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orthogonal {
    /// Dimension 0 of the peer's tensor.
    pub(crate) rows: u32,
    /// The product of its other dimensions.
    pub(crate) cols: u32,
    pub(crate) batch: u32,
    pub(crate) gain: f32,
}

impl Orthogonal {
    /// A matrix of `shape`'s dimension 0 by the product of the others, as PyTorch flattens it.
    ///
    /// # Errors
    /// [`Error::TooFewDims`], [`Error::ZeroSized`], [`Error::SizeOverflow`] if a side does not fit in 32 bits,
    /// [`Error::InvalidOption`] for a gain outside 1e-20 to 1e30.
    pub fn new(shape: impl Into<Shape>, gain: f64) -> Result<Self> {
        let (shape, operation) = (shape.into(), OPERATION);
        let elements = shape.elements(operation)?;
        let &[rows, _, ..] = shape.dims() else { return Err(Error::TooFewDims { operation, shape }) };
        if !(1e-20..=1e30).contains(&gain) {
            let expected = "from 1e-20 to 1e30";
            return Err(Error::InvalidOption { operation, option: "gain", value: gain, expected });
        }
        match (rows.try_into(), (elements / rows as u64).try_into()) {
            (Ok(rows), Ok(cols)) => Ok(Orthogonal { rows, cols, batch: 1, gain: gain as f32 }),
            _ => Err(Error::SizeOverflow { operation, shape }),
        }
    }

    /// So many independent matrices, one after the other.
    ///
    /// ```
    /// use gpu_init::Orthogonal;
    ///
    /// let heads = Orthogonal::new([64, 64], 1.0)?.batch(12);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn batch(self, batch: u32) -> Self {
        Orthogonal { batch, ..self }
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

    /// Elements of all matrices, 0 if a dimension is.
    pub(crate) fn elements(&self) -> u128 {
        u128::from(self.rows) * u128::from(self.cols) * u128::from(self.batch)
    }
}

/// Goes on, or says that the caller broke off.
pub(crate) fn report(progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>, done: u64, total: u64) -> Result<()> {
    match progress(done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Interrupted { operation: OPERATION, done, total }),
    }
}
