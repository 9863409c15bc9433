//! The engine: everything that touches wgpu. It plans dispatches, turns them into commands, runs
//! them and reads results back; it does not vouch for what a driver makes of them: see `self_test`.

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
pub(crate) mod tables;
pub(crate) mod upload;
pub(crate) mod view;
pub(crate) mod vulkan;

use crate::gpu::engine::context::Context;
use crate::gpu::engine::pipelines::Pipelines;
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::{ErrorKind, Result};

/// A device, its compiled kernels, and the limits that dispatches are planned within.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) context: Context,
    pub(crate) pipelines: Pipelines,
    pub(crate) limits: Limits,
}

impl Engine {
    /// Creates a buffer for work of the engine's own, which has memory and can be read back.
    pub(crate) async fn scratch(&self, bytes: u64) -> Result<wgpu::Buffer, ErrorKind> {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        memory::buffer(&self.context, bytes, usage).await
    }

    /// The error of a kernel that computes something else than the CPU.
    pub(crate) fn wrong_bits(&self, what: String, expected: String, actual: String) -> ErrorKind {
        ErrorKind::WrongBits { adapter: self.context.adapter.clone(), what, expected, actual }
    }

    /// The error of a plan that does not fit this device.
    pub(crate) fn too_large(&self, TooLarge { bytes, rows }: TooLarge) -> ErrorKind {
        let (limit, adapter) = (self.limits.binding, self.context.adapter.clone());
        match rows {
            Some(rows) => ErrorKind::MatrixTooLarge { rows, bytes, limit, adapter },
            None => ErrorKind::BufferTooLarge { bytes, limit, adapter },
        }
    }
}
