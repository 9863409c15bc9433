//! Bytes from device memory to the host: a oneshot channel behind `map_async`.

use futures_intrusive::channel::shared::oneshot_channel;
use rayon::prelude::*;

use crate::gpu::engine::context::Context;
use crate::{ErrorKind, Result};

/// Most bytes in flight: a large tensor comes through a small staging buffer, a part at a time.
const STAGING: u64 = 64 << 20;
/// Bytes that one core copies at a time.
const TASK: usize = 1 << 20;

/// Copies `out.len()` bytes from `offset` of `source`, which has usage COPY_SRC, as soon as the
/// work submitted so far is done. `offset` and the length are multiples of 4.
pub(crate) async fn read(
    context: &Context,
    source: &wgpu::Buffer,
    offset: u64,
    out: &mut [u8],
) -> Result<(), ErrorKind> {
    let most = STAGING.min(out.len() as u64);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let staging = context.create_buffer(most, usage).await?;
    for (part, out) in out.chunks_mut(most as usize).enumerate() {
        let (offset, size) = (offset + part as u64 * most, out.len() as u64);
        let (sender, receiver) = oneshot_channel();
        let map = || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(source, offset, &staging, 0, size);
            context.queue.submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, ..size, move |result| {
                // The receiver is gone if the read was given up.
                let _ = sender.send(result);
            });
        };
        context.checked(0, map).await?;
        context.poll_in_background(None, ());
        match receiver.receive().await {
            Some(Ok(())) => {}
            _ if context.is_lost() => return Err(context.lost()),
            Some(Err(error)) => return Err(context.refused(error)),
            None => return Err(context.refused("the mapping was given up")),
        }
        let mapped = staging.get_mapped_range(..size).map_err(|error| context.refused(error))?;
        // On all cores: the first touch of new pages takes longer than the copy.
        let parts = out.par_chunks_mut(TASK).zip(mapped.par_chunks(TASK));
        parts.for_each(|(out, mapped)| out.copy_from_slice(mapped));
        drop(mapped);
        staging.unmap();
    }
    Ok(())
}

/// Reads a buffer of words whole.
pub(crate) async fn read_all(
    context: &Context,
    source: &wgpu::Buffer,
) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = vec![0; source.size() as usize];
    read(context, source, 0, &mut bytes).await?;
    Ok(bytes)
}
