//! The engine: a device, its compiled kernels, and the limits that dispatches are planned within.
//! It does what it is asked to and guarantees nothing of the results: see `self_test`.

use crate::gpu::engine::context::Context;
use crate::gpu::engine::memory;
use crate::gpu::engine::pipelines::Pipelines;
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::{ErrorKind, Result};

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
