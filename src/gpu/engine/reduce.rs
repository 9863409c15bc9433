//! Runs the reductions on a device.

use std::sync::Arc;

use bytemuck::Pod;

use crate::gpu::engine::Engine;
use crate::gpu::engine::context::check_usage;
use crate::gpu::engine::kernel::Entry;
use crate::gpu::engine::plan::reduce::{Tile, as_words, plan};
use crate::gpu::engine::readback;
use crate::gpu::engine::recorder::Recorder;
use crate::gpu::engine::view::View;
use crate::reduce::stats::Chunk;
use crate::{ErrorKind, Fill, Fingerprint, Result, Stats};

/// Computes the fingerprints of tensors.
pub(crate) async fn fingerprints(
    engine: &Engine,
    views: &[&View],
) -> Result<Vec<Fingerprint>, ErrorKind> {
    let tensors: Vec<_> = views.iter().map(|view| (as_words(&view.fill), *view)).collect();
    let sums: Vec<Vec<u64>> = chunks(engine, &tensors, Entry::Fingerprint).await?;
    Ok(sums.into_iter().map(|sums| sums.into_iter().map(Fingerprint).sum()).collect())
}

/// Computes the statistics of tensors.
pub(crate) async fn stats(engine: &Engine, views: &[&View]) -> Result<Vec<Stats>, ErrorKind> {
    let of_integers = |view: &View| view.fill.dtype.is_integer();
    let floats = views.iter().filter(|view| !of_integers(view));
    let tensors: Vec<_> = floats.map(|view| (view.fill, *view)).collect();
    let chunks: Vec<Vec<Chunk>> = chunks(engine, &tensors, Entry::Stats).await?;
    let mut on_device = chunks.iter().map(|chunks| Stats::merge(chunks));
    let mut all = Vec::with_capacity(views.len());
    for view in views {
        // Integers are few, and no kernel has a case for each of their types.
        let read = if of_integers(view) { Some(view.read(&engine.context).await?) } else { None };
        all.extend(read.map(|tensor| tensor.stats()).or_else(|| on_device.next()));
    }
    Ok(all)
}

/// The results of each chunk of each tensor, in their order: many tensors in one submission.
async fn chunks<T: Pod>(
    engine: &Engine,
    tensors: &[(Fill, &View)],
    entry: Entry,
) -> Result<Vec<Vec<T>>, ErrorKind> {
    let context = &engine.context;
    for (_, view) in tensors {
        check_usage(&view.buffer, wgpu::BufferUsages::STORAGE)?;
    }
    let fills: Vec<_> = tensors.iter().map(|(fill, view)| (*fill, view.offset)).collect();
    let mut results = vec![Vec::new(); tensors.len()];
    for batch in plan(entry, size_of::<T>() as u64, &fills, &engine.limits) {
        let output = engine.scratch(batch.bytes).await?;
        let mut recorder = Recorder::into_queue(engine);
        let mut places = Vec::with_capacity(batch.tiles.len());
        for Tile { tensor, dispatch, results } in batch.tiles {
            let table = engine.pipelines.no_table.clone();
            let buffers = [tensors[tensor].1.buffer.clone(), table, output.clone()];
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
