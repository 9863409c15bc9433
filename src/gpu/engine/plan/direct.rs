//! Plans for the element types that shaders sample.

use crate::Fill;
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::gpu::engine::plan::{contiguous, gather};

/// Plans a fill of F32, F16 or BF16.
pub(super) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    if fill.runs.is_some() && fill.distribution.base() != fill.distribution {
        gather::plan(fill, bindings, limits)
    } else {
        contiguous::plan(fill, bindings, limits)
    }
}
