//! Runs the plans of fills.

use std::sync::Arc;

use crate::gpu::engine::Engine;
use crate::gpu::engine::plan::batch::{Allocation, batches};
use crate::gpu::engine::plan::dispatch::Slot;
use crate::gpu::engine::plan::limits::ENTRY;
use crate::gpu::engine::plan::plan;
use crate::gpu::engine::plan::tiles::Target;
use crate::gpu::engine::plan::types::Bindings;
use crate::gpu::engine::recorder::{Recorder, Report};
use crate::gpu::engine::tables::Tables;
use crate::gpu::engine::upload;
use crate::gpu::engine::view::View;
use crate::{ErrorKind, Result};

/// Records the fills of tensors, one after the other.
pub(crate) async fn record<P: Report>(
    engine: &Engine,
    views: &[&View],
    recorder: &mut Recorder<'_, P>,
) -> Result<(), ErrorKind> {
    if views.is_empty() {
        return Ok(());
    }
    let tables = Tables::new(engine, views.iter().map(|view| &view.fill)).await?;
    for view in views {
        let View { fill, buffer, offset } = view;
        if fill.distribution.is_uploaded() {
            upload::record(engine, view, recorder).await?;
            continue;
        }
        let bindings = Bindings {
            target: Target { slot: Slot::TENSOR, offset: *offset },
            table: tables.binding(&fill.distribution),
            scratch: 0,
            examines: recorder.reaches_queue(),
        };
        let plan = plan(fill, bindings, &engine.limits).map_err(|error| engine.too_large(error))?;
        recorder.add_plan(plan, buffer, &tables.buffer).await?;
    }
    Ok(())
}

/// Records the fills of tensors in shared buffers: a dispatch for each kind in each buffer.
pub(crate) async fn record_shared<P: Report>(
    engine: &Engine,
    tensors: &[(&View, Allocation)],
    buffers: &[wgpu::Buffer],
    recorder: &mut Recorder<'_, P>,
) -> Result<(), ErrorKind> {
    if tensors.is_empty() {
        return Ok(());
    }
    let (context, limits) = (&engine.context, &engine.limits);
    let tables = Tables::new(engine, tensors.iter().map(|(view, _)| &view.fill)).await?;
    let members = tensors.iter().map(|&(View { fill, .. }, allocation)| {
        (fill, allocation, tables.window(&fill.distribution))
    });
    for batch in batches(members) {
        let buffer = &buffers[batch.buffer];
        let contents = bytemuck::cast_slice(&batch.parts);
        let parts = context.buffer_with(contents, wgpu::BufferUsages::STORAGE).await?;
        let slots = Arc::from([buffer.clone(), tables.buffer.clone(), parts]);
        recorder.add(batch.dispatch(buffer.size(), limits), &slots).await?;
    }
    Ok(())
}

/// Zeroes the bytes of the last entry of each tensor's own buffer beyond the elements.
pub(crate) async fn clear_ends(engine: &Engine, views: &[&View]) -> Result<(), ErrorKind> {
    let ragged: Vec<_> =
        views.iter().filter(|view| view.fill.bytes() < view.buffer.size()).collect();
    if ragged.is_empty() {
        return Ok(());
    }
    let context = &engine.context;
    let clear = || {
        let mut encoder = context.device.create_command_encoder(&Default::default());
        for view in ragged {
            encoder.clear_buffer(&view.buffer, view.buffer.size() - ENTRY, None);
        }
        context.queue.submit([encoder.finish()]);
    };
    context.checked(0, clear).await
}
