//! Bounds the work that a small file can cause: recomputing a slice of an orthogonal or sparse
//! tensor takes the whole tensor, of which the file only has to name the shape.

use anyhow::Context;
use gpu_init::{Distribution, PlanEntry};

/// Multiplications, roughly, allowed for any file: two seconds of two cores, and 128 MiB.
const FREE: u128 = 1 << 36;
/// How often a whole tensor may be made for slices of it: a model of this many ranks can be
/// verified rank by rank.
const TIMES: u128 = 64;

/// The work that a run may still do beyond what the elements in its files justify.
#[derive(Debug)]
pub(super) struct Budget {
    left: Option<u128>,
}

impl Budget {
    pub(super) fn new(unlimited: bool) -> Self {
        Budget { left: (!unlimited).then_some(FREE) }
    }

    /// Spends the work for a tensor, or fails if too little is left.
    pub(super) fn take(&mut self, entry: &PlanEntry) -> anyhow::Result<()> {
        let Some(left) = &mut self.left else { return Ok(()) };
        let elements: u128 = entry.spec.shape().dims().iter().map(|&dim| dim as u128).product();
        let all = match entry.fill.distribution {
            // At most as many for each entry as a column has.
            Distribution::Orthogonal { .. } => elements.saturating_mul(elements.isqrt()),
            Distribution::Sparse { .. } => elements.saturating_mul(TIMES),
            _ => return Ok(()),
        };
        let len = u128::from(entry.fill.len);
        let justified = (all / elements.max(1)).saturating_mul(len * TIMES);
        *left = left.checked_sub(all.saturating_sub(justified)).with_context(|| {
            format!(
                "tensor {:?}: the file has {len} elements of {elements}, and recomputing them takes all of the {} \
                 tensor, much more work than the file justifies; pass --allow-costly to do it anyway",
                entry.name, entry.fill.operation
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gpu_init::{Plan, Rules};

    use super::*;

    /// The entry of rank 0's slice of a tensor.
    fn slice(init: &str, shape: [usize; 2], world: u64) -> PlanEntry {
        let rules: Rules = format!("default = '{init}'").parse().unwrap();
        Plan::new([("w", shape, None)], &rules).unwrap().shard(0, world).unwrap().entries()[0]
            .clone()
    }

    #[test]
    fn slices_of_much_are_bounded() {
        for (init, shape, world, passes) in [
            ("orthogonal", [8192, 8192], 1, true),
            ("orthogonal", [8192, 8192], 64, true),
            ("orthogonal", [8192, 8192], 8192, false),
            ("orthogonal", [4096, 4096], 4096, true),
            ("orthogonal", [90_000, 90_000], 1, true),
            ("orthogonal", [1, 1 << 30], 1, true),
            ("orthogonal", [1 << 30, 1], 1 << 30, false),
            ("sparse(sparsity=0.5)", [1 << 30, 1 << 20], 1 << 30, false),
            ("sparse(sparsity=0.5)", [1 << 12, 1 << 12], 1 << 12, true),
            ("normal", [1 << 30, 1 << 20], 1 << 30, true),
        ] {
            let entry = slice(init, shape, world);
            let taken = Budget::new(false).take(&entry);
            assert_eq!(taken.is_ok(), passes, "{init} {shape:?} of {world}: {taken:?}");
            assert!(Budget::new(true).take(&entry).is_ok());
        }
    }

    /// Many tensors with a little work each add up.
    #[test]
    fn it_is_spent_once() {
        let (entry, mut budget) = (slice("orthogonal", [2048, 2048], 2048), Budget::new(false));
        assert_eq!((0..1000).take_while(|_| budget.take(&entry).is_ok()).count(), 8);
    }
}
