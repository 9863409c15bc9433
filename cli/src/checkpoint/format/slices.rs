//! What rank 0's list says of a tensor: how it is divided among the ranks' files.

use anyhow::ensure;
use gpu_init::{PlanEntry, Shard};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};

/// A tensor of the whole model, divided along `dim`: rank r has indices from `r * slice_len` to
/// `(r + 1) * slice_len`, as far as there are any, and no slice where there are none. A scalar has
/// one index. Where `slice_len` is 0, rank 0 has the tensor, which is empty.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sliced {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    dim: usize,
    slice_len: u64,
}

impl Sliced {
    /// A tensor that is divided as its plan says.
    pub(crate) fn divided(entry: &PlanEntry, world: u64) -> Self {
        let (shape, dim) = (entry.spec.shape().dims(), entry.shard_dim.unwrap_or(0));
        let slice_len = Shard { dim, rank: 0, world }.range(indices(shape, dim)).end.max(1);
        Sliced { dtype: entry.fill.dtype.to_string(), shape: shape.to_vec(), dim, slice_len }
    }

    /// A tensor that rank 0 has as a whole.
    pub(crate) fn whole(dtype: Dtype, shape: &[usize]) -> Self {
        let slice_len = indices(shape, 0);
        Sliced { dtype: dtype.to_string(), shape: shape.to_vec(), dim: 0, slice_len }
    }

    /// Checks what a list says.
    pub(crate) fn check(&self, world: u64) -> anyhow::Result<()> {
        let Sliced { shape, dim, slice_len, .. } = self;
        let remedy = "write the model again";
        ensure!(
            *dim < shape.len() || (shape.is_empty() && *dim == 0),
            "shape {shape:?} has no dimension {dim}; {remedy}"
        );
        let len = self.len();
        ensure!(
            len <= slice_len.saturating_mul(world),
            "{world} ranks with {slice_len} indices each do not cover the {len} of dimension {dim}; {remedy}"
        );
        Ok(())
    }

    /// The shape of a rank's slice, if it has one.
    pub(crate) fn slice(&self, rank: u64) -> Option<Vec<usize>> {
        let len = self.len();
        let start = rank.checked_mul(self.slice_len)?;
        let is_empty_whole = self.slice_len == 0 && rank == 0;
        if start >= len && !is_empty_whole {
            return None;
        }
        let mut shape = self.shape.clone();
        if let Some(dim) = shape.get_mut(self.dim) {
            *dim = self.slice_len.min(len - start) as usize;
        }
        Some(shape)
    }

    fn len(&self) -> u64 {
        indices(&self.shape, self.dim)
    }
}

/// The number of indices of a dimension; a scalar has one.
fn indices(shape: &[usize], dim: usize) -> u64 {
    shape.get(dim).map_or(1, |&len| len as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliced(shape: &[usize], dim: usize, slice_len: u64) -> Sliced {
        Sliced { dtype: "F32".into(), shape: shape.to_vec(), dim, slice_len }
    }

    #[test]
    fn ranks_have_slices_while_there_are_indices() {
        for (tensor, expected) in [
            (sliced(&[10, 3], 0, 4), [Some(vec![4, 3]), Some(vec![4, 3]), Some(vec![2, 3]), None]),
            (sliced(&[3, 2], 1, 1), [Some(vec![3, 1]), Some(vec![3, 1]), None, None]),
            (sliced(&[], 0, 1), [Some(vec![]), None, None, None]),
            (sliced(&[7], 0, 7), [Some(vec![7]), None, None, None]),
            (sliced(&[0, 3], 0, 0), [Some(vec![0, 3]), None, None, None]),
            (sliced(&[0, 3], 0, 1), [None, None, None, None]),
        ] {
            tensor.check(4).unwrap();
            assert_eq!([0, 1, 2, 3].map(|rank| tensor.slice(rank)), expected, "{tensor:?}");
        }
    }

    #[test]
    fn slices_that_do_not_cover_a_tensor_are_errors() {
        for (tensor, world, part) in [
            (sliced(&[10], 0, 4), 2, "2 ranks with 4 indices each do not cover the 10"),
            (sliced(&[10], 0, 0), 3, "3 ranks with 0 indices each"),
            (sliced(&[10], 0, 10), 0, "0 ranks"),
            (sliced(&[10], 1, 10), 1, "has no dimension 1"),
            (sliced(&[], 1, 1), 1, "has no dimension 1"),
        ] {
            let error = tensor.check(world).unwrap_err().to_string();
            assert!(error.contains(part) && error.ends_with("write the model again"), "{error}");
        }
    }

    #[test]
    fn huge_numbers_do_not_overflow() {
        let tensor = sliced(&[usize::MAX, 2], 0, u64::MAX);
        tensor.check(u64::MAX).unwrap();
        assert_eq!(tensor.slice(0), Some(vec![usize::MAX, 2]));
        assert_eq!((tensor.slice(1), tensor.slice(u64::MAX)), (None, None));
    }
}
