//! Planning: the dispatches that fill or reduce tensors, computed from numbers. Nothing here
//! touches a device.

pub(crate) mod batch;
mod contiguous;
pub(crate) mod convert;
mod direct;
pub(crate) mod dispatch;
mod gather;
pub(crate) mod limits;
pub(crate) mod orthogonal;
pub(crate) mod reduce;
mod scatter;
pub(crate) mod tiles;
pub(crate) mod types;

use crate::Fill;
use limits::{Limits, TooLarge};
use types::{Bindings, Plan};

/// Plans the dispatches that write a fill's elements.
///
/// # Errors
/// [`TooLarge`] if something that is bound as a whole is more than a binding may have.
pub(crate) fn plan(fill: &Fill, bindings: Bindings, limits: &Limits) -> Result<Plan, TooLarge> {
    if fill.dtype.is_converted() {
        convert::plan(fill, bindings, limits)
    } else {
        direct::plan(fill, bindings, limits)
    }
}
