//! Plain dispatches to commands: one compute pass, with one buffer of parameters.

use std::sync::Arc;

use crate::gpu::engine::context::Context;
use crate::gpu::engine::pipelines::{Kernels, Pipeline};
use crate::gpu::engine::plan::dispatch::{Binding, Dispatch, Slot};
use crate::{ErrorKind, Result};

/// A dispatch, and the buffers of its plan by slot.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) dispatch: Dispatch,
    pub(crate) buffers: Arc<[wgpu::Buffer]>,
}

/// A dispatch with all that the device needs for it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    params: u32,
    grid: [u32; 2],
}

/// A range of a buffer as wgpu binds it.
pub(crate) fn binding(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) }
}

/// Makes the bind groups of commands, and compiles their kernels where that was not done.
pub(crate) async fn prepare(
    context: &Context,
    kernels: &Kernels,
    commands: &[Command],
) -> Result<Vec<Prepared>, ErrorKind> {
    let mut compiled = Vec::with_capacity(commands.len());
    for command in commands {
        compiled.push(kernels.get(context, command.dispatch.kernel).await?);
    }
    let alignment = context.device.limits().min_uniform_buffer_offset_alignment as usize;
    let (mut contents, mut offsets) = (Vec::new(), Vec::with_capacity(commands.len()));
    for command in commands {
        offsets.push(contents.len() as u32);
        contents.extend_from_slice(command.dispatch.params.as_bytes());
        contents.resize(contents.len().next_multiple_of(alignment), 0);
    }
    context.check_host(contents.len() as u64)?;
    // Error scopes cost more than a bind group does: one is enough.
    let make = || {
        let params = context.mapped_buffer(&contents, wgpu::BufferUsages::UNIFORM)?;
        let all = commands.iter().zip(compiled).zip(offsets);
        let prepare = |((command, compiled), params_offset): ((&Command, Pipeline), u32)| {
            let Command { dispatch, buffers } = command;
            let uniform = binding(&params, 0, dispatch.kernel.entry.row().params as u64);
            let storage =
                dispatch.bindings.iter().map(|&Binding { slot: Slot(slot), offset, size }| {
                    binding(&buffers[slot], offset, size)
                });
            let entries: Vec<_> = std::iter::once(uniform)
                .chain(storage)
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let descriptor = wgpu::BindGroupDescriptor {
                label: None,
                layout: &compiled.bindings,
                entries: &entries,
            };
            Prepared {
                pipeline: compiled.pipeline,
                group: context.device.create_bind_group(&descriptor),
                params: params_offset,
                grid: dispatch.grid,
            }
        };
        Some(all.map(prepare).collect())
    };
    context.checked(contents.len() as u64, make).await?.ok_or_else(|| context.lost())
}

/// Records the commands in their order.
pub(crate) fn encode(encoder: &mut wgpu::CommandEncoder, commands: &[Prepared]) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: Some("gpu-init"),
        timestamp_writes: None,
    });
    for Prepared { pipeline, group, params, grid } in commands {
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[*params]);
        pass.dispatch_workgroups(grid[0], grid[1], 1);
    }
}
