//! Runs the reflections of `shaders/orthogonal.wgsl`: bounded dispatches, in submissions that are waited for.

use std::ops::ControlFlow;

use bytemuck::{Pod, Zeroable};
use futures_intrusive::channel::shared::{GenericOneshotReceiver, oneshot_channel};

use super::context::Context;
use super::kernels::Kernel;
use super::readback::poll_in_background;
use super::record::{Dispatch, binding, record};
use super::window::WindowLimits;
use super::{Device, Inner};
use crate::orthogonal::{BLOCK, COLUMNS, OPERATION, Orthogonal, VECTORS, report};
use crate::philox::words;
use crate::{DType, Error, Result};

/// Invocations of a workgroup: `LANES` in `orthogonal.wgsl`.
const LANES: u64 = 256;
/// Elements of the matrices that a dispatch may touch, BLOCK multiply-adds twice each: 67 MFLOP, well under
/// 100 ms on a processor of 1 GFLOP/s. Columns of more rows than 2^15 come a panel at a time all the same.
const STEP: u64 = 1 << 20;
/// Elements that the dispatches of a submission may touch.
const SUBMISSION: u64 = 4 * STEP;
/// Elements that one dispatch writes to the output.
const FINISH: u64 = 1 << 24;

/// Entry points of `orthogonal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OrthogonalEntry {
    Reflect,
    Gram,
    Apply,
    /// The output's element type decides only here.
    Finish(DType),
}

/// `Params` in `orthogonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(crate) struct OrthogonalParams {
    pub(crate) key: [u32; 2],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) quads: u32,
    pub(crate) matrix: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
    pub(crate) at: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
    pub(crate) transposed: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
}

/// Dispatches that wait for their submission, and the submission that is waited for.
struct Work<'a> {
    device: &'a Inner,
    dispatches: Vec<Dispatch<'a, OrthogonalParams>>,
    /// Elements that they touch.
    elements: u64,
    limits: WindowLimits,
    /// Panels times blocks applied by what is recorded, what was submitted, and all of them.
    recorded: u64,
    submitted: u64,
    total: u64,
    in_flight: Option<GenericOneshotReceiver<parking::Lock, ()>>,
    progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
}
