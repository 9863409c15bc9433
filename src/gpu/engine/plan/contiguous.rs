//! Plans for every fill but slices of values that are scattered: a background, values over it, and
//! zeroed rows.

use crate::gpu::engine::plan::dispatch::{Slot, Step};
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::orthogonal::matrices;
use crate::gpu::engine::plan::scatter;
use crate::gpu::engine::plan::tiles::background;
use crate::gpu::engine::plan::types::{Bindings, Plan, Steps};
use crate::{Distribution, Fill};

/// Plans a fill that is no slice, or whose elements are sampled one by one.
pub(super) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    let Bindings { target, table, scratch: first, .. } = bindings;
    let (mut scratch, mut examination) = (Vec::new(), None);
    let mut steps: Steps = Box::new(background(fill, target, table, limits).map(Step::Run));
    match fill.distribution {
        Distribution::Diagonal { value, diagonal } => {
            steps = Box::new(steps.chain(scatter::diagonal(fill, value, diagonal, target, limits)));
        }
        Distribution::Sparse { sparse, .. } => {
            scratch.push(scatter::sparse_scratch(&sparse));
            limits.check(scratch[0])?;
            let zeros_left = Slot::scratch(first);
            steps =
                Box::new(steps.chain(scatter::sparse(fill, sparse, zeros_left, target, limits)));
        }
        Distribution::Orthogonal { gain, orthogonal } => {
            let plan = matrices::plan(fill, (gain, orthogonal), bindings, limits)?;
            (scratch, examination) = (plan.scratch, plan.examination);
            steps = Box::new(steps.chain(plan.steps));
        }
        _ => {}
    }
    if let Some(zeros) = fill.zeros {
        steps = Box::new(steps.chain(scatter::clear(fill, zeros, target, limits)));
    }
    Ok(Plan { scratch, examination, steps })
}
