//! A resolved request: plain data that a backend executes.

use crate::distribution::moments::Moments;
use crate::spec::slice::{Elements, Runs};
use crate::{DType, Distribution};

/// A resolved request: everything that a backend needs, validated.
///
/// Returned by [`TensorSpec::resolve`](crate::TensorSpec::resolve).
///
/// ```
/// use gpu_init::{DType, Initializer, TensorSpec};
///
/// let column = TensorSpec::new([3, 5], Initializer::xavier_normal()).dtype(DType::BF16).slice(1, 2..3).resolve(0, 0)?;
/// assert_eq!(([0, 1, 2].map(|n| column.index(n)), column.bytes()), ([2, 7, 12], 6));
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fill {
    /// The initializer's name, for errors.
    pub operation: &'static str,
    /// The distribution of the elements.
    pub distribution: Distribution,
    /// The element type.
    pub dtype: DType,
    /// Philox's key.
    pub seed: u64,
    /// Philox's counter words 2 and 3.
    pub stream: u64,
    /// Index of the first element in the whole row-major tensor.
    pub first: u64,
    /// Number of elements, at least 1.
    pub len: u64,
    /// Their indices, if they are not consecutive in the whole tensor.
    pub(crate) runs: Option<Runs>,
    /// The range of indices that is zero, if any.
    pub(crate) zeros: Option<[u64; 2]>,
}

impl Fill {
    /// Index in the whole tensor of element `n`.
    pub fn index(&self, n: u64) -> u64 {
        self.elements().index(n)
    }

    /// Bytes of the elements.
    pub fn bytes(&self) -> u64 {
        self.len * self.dtype.size()
    }

    pub(crate) fn elements(&self) -> Elements {
        Elements { first: self.first, len: self.len, runs: self.runs }
    }

    /// The same request for other elements.
    pub(crate) fn of(&self, elements: Elements) -> Fill {
        let Elements { first, len, runs } = elements;
        Fill { first, len, runs, ..*self }
    }

    /// How many elements are computed in F32 before they are converted to another type: all where a
    /// part costs as much as the whole.
    pub(crate) fn converted_at_a_time(&self) -> u64 {
        let scattered = self.distribution.base() != self.distribution;
        let most = match self.distribution {
            Distribution::Orthogonal { .. } => self.len,
            // A slice is gathered from a larger range; of zeros in columns, the rows before count.
            _ if scattered && self.runs.is_some() => self.len,
            Distribution::Sparse { .. } => 1 << 28,
            _ => 1 << 24,
        };
        most.min(self.len)
    }

    /// Counts elements that are not in rows that are zero; `before` counts those of the whole
    /// tensor before an index.
    fn count(&self, before: impl Fn(u64) -> u64) -> u64 {
        let [low, high] = self.zeros.unwrap_or_default();
        let (elements, mut start, mut sum) = (self.elements(), 0, 0);
        while start < self.len {
            let (first, len) = (elements.index(start), elements.run_from(start));
            let [zeros, rest] = [low, high].map(|index| before(index.clamp(first, first + len)));
            sum += before(first + len) - before(first) - (rest - zeros);
            start += len;
        }
        sum
    }

    /// Counts the elements that are neither in rows that are zero nor zero by their index.
    pub(crate) fn nonzero(&self) -> u64 {
        self.count(|index| self.distribution.nonzero_before(index))
    }

    /// The expected moments of the elements.
    pub(crate) fn moments(&self) -> Moments {
        let kept = if self.zeros.is_some() { self.count(|index| index) } else { self.len };
        let part = match self.distribution {
            Distribution::Diagonal { .. } | Distribution::Orthogonal { .. } => {
                self.nonzero() as f64 / kept.max(1) as f64
            }
            _ => 1.0,
        };
        let all = self.distribution.moments(part);
        if self.zeros.is_none() {
            return all;
        }
        // The distribution with probability q, else 0; a distribution of one value has no kurtosis
        // of its own.
        let q = kept as f64 / self.len as f64;
        let Moments { mean, std, kurtosis } = all;
        let (variance, d) = (std * std, mean * (1.0 - q));
        let joint = q * (variance + d * d) + (1.0 - q) * (q * mean).powi(2);
        let fourth = q * (kurtosis * variance * variance + 6.0 * variance * d * d + d.powi(4))
            + (1.0 - q) * (q * mean).powi(4);
        let kurtosis = if joint > 0.0 { (fourth / joint / joint).max(1.0) } else { 3.0 };
        Moments { mean: q * mean, std: joint.sqrt(), kurtosis }
    }
}
