//! Planning: the dispatches that fill or reduce tensors, computed from numbers. Nothing here
//! touches a device.

pub(crate) mod batch;
mod contiguous;
pub(crate) mod dispatch;
pub(crate) mod fill;
mod gather;
pub(crate) mod limits;
pub(crate) mod orthogonal;
pub(crate) mod reduce;
mod scatter;
pub(crate) mod tiles;
pub(crate) mod types;
