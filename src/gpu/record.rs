//! Puts dispatches into a command encoder: params in one buffer, one compute pass for all of them.

use bytemuck::Pod;

use super::context::Context;
use super::kernels::{Kernel, Kernels};
use crate::Result;

/// One dispatch of a kernel: its params, the buffers bound after them, its workgroups.
#[derive(Debug)]
pub(crate) struct Dispatch<'a, P> {
    pub(crate) kernel: Kernel,
    pub(crate) params: P,
    pub(crate) buffers: Vec<wgpu::BufferBinding<'a>>,
    pub(crate) grid: [u32; 2],
}

/// A range of a buffer as a binding.
pub(crate) fn binding(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) }
}

/// Records `dispatches` in their order. Nothing is recorded if there is an error.
pub(crate) fn record<P: Pod>(
    context: &Context,
    kernels: &Kernels,
    operation: &'static str,
    encoder: &mut wgpu::CommandEncoder,
    dispatches: &[Dispatch<P>],
) -> Result<()> {
    let stride = size_of::<P>().next_multiple_of(context.device.limits().min_uniform_buffer_offset_alignment as usize);
    let mut contents = vec![0; stride * dispatches.len()];
    for (slot, dispatch) in contents.chunks_exact_mut(stride).zip(dispatches) {
        slot[..size_of::<P>()].copy_from_slice(bytemuck::bytes_of(&dispatch.params));
    }
    let params = context.buffer_with(operation, &contents, wgpu::BufferUsages::UNIFORM)?;
    let commands = dispatches
        .iter()
        .map(|dispatch| {
            let pipeline = kernels.pipeline(context, dispatch.kernel)?;
            let params = std::iter::once(binding(&params, 0, size_of::<P>() as u64));
            let entries: Vec<_> = params
                .chain(dispatch.buffers.iter().cloned())
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let descriptor = wgpu::BindGroupDescriptor {
                label: Some(operation),
                layout: kernels.bindings(dispatch.kernel),
                entries: &entries,
            };
            let group = context.checked(operation, 0, || context.device.create_bind_group(&descriptor))?;
            Ok((pipeline, group, dispatch.grid))
        })
        .collect::<Result<Vec<_>>>()?;
    context.checked(operation, 0, || {
        let mut pass =
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(operation), timestamp_writes: None });
        for (i, (pipeline, group, grid)) in commands.iter().enumerate() {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, group, &[(i * stride) as u32]);
            pass.dispatch_workgroups(grid[0], grid[1], 1);
        }
    })
}
