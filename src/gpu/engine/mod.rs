//! The engine: everything that touches wgpu. It plans dispatches, turns them into commands, runs
//! them and reads results back; it does not vouch for what a driver makes of them.

pub(crate) mod adapter;
pub(crate) mod context;
pub(crate) mod encode;
pub(crate) mod fill;
pub(crate) mod kernel;
pub(crate) mod memory;
pub(crate) mod params;
pub(crate) mod pipelines;
pub(crate) mod plan;
pub(crate) mod readback;
pub(crate) mod recorder;
pub(crate) mod reduce;
pub(crate) mod state;
pub(crate) mod tables;
pub(crate) mod view;
pub(crate) mod vulkan;
