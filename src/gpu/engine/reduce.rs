//! Runs the reductions on a device.

use std::sync::Arc;

use bytemuck::Pod;

use crate::gpu::engine::Engine;
use crate::gpu::engine::context::check_usage;
use crate::gpu::engine::kernel::Entry;
use crate::gpu::engine::pipelines::Kernels;
use crate::gpu::engine::plan::reduce::{Tile, plan};
use crate::gpu::engine::readback;
use crate::gpu::engine::recorder::Recorder;
use crate::gpu::engine::view::View;
use crate::reduce::summary::ChunkSummary;
use crate::{ErrorKind, Fingerprint, Result, Summary};

/// Computes the fingerprints of tensors.
pub(crate) async fn fingerprints(
    engine: &Engine,
    kernels: &Kernels,
    views: &[&View],
) -> Result<Vec<Fingerprint>, ErrorKind> {
    let sums: Vec<Vec<u64>> = chunks(engine, kernels, views, Entry::Fingerprint).await?;
    Ok(sums.into_iter().map(|sums| sums.into_iter().map(Fingerprint).sum()).collect())
}

/// Computes the statistics and fingerprints of tensors.
pub(crate) async fn summaries(
    engine: &Engine,
    kernels: &Kernels,
    views: &[&View],
) -> Result<Vec<Summary>, ErrorKind> {
    let of_integers = |view: &&View| view.fill.dtype.is_integer();
    let floats: Vec<_> = views.iter().copied().filter(|view| !of_integers(view)).collect();
    let chunks: Vec<Vec<ChunkSummary>> = chunks(engine, kernels, &floats, Entry::Summary).await?;
    let mut on_device = chunks.iter().map(|chunks| Summary::merge(chunks));
    let mut all = Vec::with_capacity(views.len());
    for view in views {
        // Integers are few, and no kernel has a case for each of their types.
        let read = if of_integers(view) { Some(view.read(&engine.context).await?) } else { None };
        all.extend(read.map(|tensor| tensor.summary()).or_else(|| on_device.next()));
    }
    Ok(all)
}

/// The results of each chunk of each tensor, in their order: many tensors in one submission.
async fn chunks<T: Pod>(
    engine: &Engine,
    kernels: &Kernels,
    views: &[&View],
    entry: Entry,
) -> Result<Vec<Vec<T>>, ErrorKind> {
    let context = &engine.context;
    for view in views {
        check_usage(&view.buffer, wgpu::BufferUsages::STORAGE)?;
    }
    let fills: Vec<_> = views.iter().map(|view| (view.fill, view.offset)).collect();
    let mut results = vec![Vec::new(); views.len()];
    for batch in plan(entry, size_of::<T>() as u64, &fills, &engine.limits) {
        let output = engine.scratch(batch.bytes).await?;
        let mut recorder = Recorder::into_queue(engine, kernels);
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
