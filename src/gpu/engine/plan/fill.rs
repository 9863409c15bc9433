//! The plan of any fill.

use crate::Fill;
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::gpu::engine::plan::{contiguous, gather};

/// Plans the dispatches that write a fill's elements.
///
/// # Errors
/// [`TooLarge`] if something that is bound as a whole is more than a binding may have.
pub(crate) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    if fill.runs.is_some() && fill.distribution.base() != fill.distribution {
        gather::plan(fill, bindings, limits)
    } else {
        contiguous::plan(fill, bindings, limits)
    }
}
