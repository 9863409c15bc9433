//! Runs the reductions on a device.

use std::sync::Arc;

use bytemuck::Pod;

use crate::gpu::engine::Engine;
use crate::gpu::engine::context::check_usage;
use crate::gpu::engine::kernel::Entry;
use crate::gpu::engine::plan::reduce::{Tile, plan};
use crate::gpu::engine::readback;
use crate::gpu::engine::recorder::Recorder;
use crate::gpu::engine::view::View;
use crate::reduce::stats::Chunk;
use crate::{ErrorKind, Fingerprint, Result, Stats};

/// Computes the fingerprints of tensors.
pub(crate) async fn fingerprints(
    engine: &Engine,
    views: &[&View],
) -> Result<Vec<Fingerprint>, ErrorKind> {
    let sums: Vec<Vec<u64>> = chunks(engine, views, Entry::Fingerprint).await?;
    Ok(sums.into_iter().map(|sums| sums.into_iter().map(Fingerprint).sum()).collect())
}

/// Computes the statistics of tensors.
pub(crate) async fn stats(engine: &Engine, views: &[&View]) -> Result<Vec<Stats>, ErrorKind> {
    let chunks: Vec<Vec<Chunk>> = chunks(engine, views, Entry::Stats).await?;
    Ok(chunks.iter().map(|chunks| Stats::merge(chunks)).collect())
}

/// The results of each chunk of each tensor, in their order: many tensors in one submission.
async fn chunks<T: Pod>(
    engine: &Engine,
    views: &[&View],
    entry: Entry,
) -> Result<Vec<Vec<T>>, ErrorKind> {
    let context = &engine.context;
    for view in views {
        check_usage(&view.buffer, wgpu::BufferUsages::STORAGE)?;
    }
    let tensors: Vec<_> = views.iter().map(|view| (view.fill, view.offset)).collect();
    let mut results = vec![Vec::new(); views.len()];
    for batch in plan(entry, size_of::<T>() as u64, &tensors, &engine.limits) {
        let output = engine.scratch(batch.bytes).await?;
        let mut recorder = Recorder::into_queue(engine);
        let mut places = Vec::with_capacity(batch.tiles.len());
        for Tile { tensor, dispatch, results } in batch.tiles {
            let table = engine.pipelines.no_table.clone();
            let buffers = [views[tensor].buffer.clone(), table, output.clone()];
            recorder.add(dispatch, &Arc::from(buffers)).await?;
            places.push((tensor, results));
        }
        recorder.finish().await?;
        let bytes = readback::read_all(context, &output).await?;
        for (tensor, range) in places {
            let own = &bytes[range.offset as usize..(range.offset + range.size) as usize];
            let values = own.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>);
            results[tensor].extend(values);
        }
    }
    Ok(results)
}
