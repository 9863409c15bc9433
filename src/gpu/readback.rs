//! Bytes from device memory to the host: a oneshot channel behind `map_async`.

use futures_intrusive::channel::shared::oneshot_channel;

use crate::Result;
use crate::gpu::context::Context;

/// Most bytes in flight: a large tensor comes through a small staging buffer, piece by piece.
const STAGING: u64 = 64 << 20;

/// Copies `out.len()` bytes from `offset` of `source`, which has usage COPY_SRC, as soon as the
/// work submitted so far is done. `offset` and the length are multiples of 4.
pub(crate) async fn read(
    context: &Context,
    operation: &'static str,
    source: &wgpu::Buffer,
    offset: u64,
    out: &mut [u8],
) -> Result<()> {
    let size = STAGING.min(out.len() as u64);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let staging = context.buffer(operation, size, usage)?;
    for (piece, out) in out.chunks_mut(size as usize).enumerate() {
        let (offset, size) = (offset + piece as u64 * size, out.len() as u64);
        let (sender, receiver) = oneshot_channel();
        context.checked(operation, 0, || {
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(source, offset, &staging, 0, size);
            context.queue.submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, ..size, move |result| {
                // The receiver is gone if the read was given up.
                let _ = sender.send(result);
            });
        })?;
        poll_in_background(context, None);
        match receiver.receive().await {
            Some(Ok(())) => {}
            _ if context.is_lost() => return Err(context.lost(operation)),
            Some(Err(error)) => return Err(context.refused(operation, &error.to_string())),
            None => return Err(context.refused(operation, "the mapping was given up")),
        }
        let mapped = staging
            .get_mapped_range(..size)
            .map_err(|error| context.refused(operation, &error.to_string()))?;
        out.copy_from_slice(&mapped);
        drop(mapped);
        staging.unmap();
    }
    Ok(())
}

/// Natively a callback is called only while someone polls; browsers poll by themselves. A thread
/// that waits for a submission, the last one unless told, makes the futures work on any executor.
pub(super) fn poll_in_background(
    context: &Context,
    submission_index: Option<wgpu::SubmissionIndex>,
) {
    #[cfg(not(target_arch = "wasm32"))]
    {
        let device = context.device.clone();
        let poll = move || {
            device.poll(wgpu::PollType::Wait {
                submission_index: submission_index.clone(),
                timeout: None,
            })
        };
        if std::thread::Builder::new().spawn(poll.clone()).is_err() {
            // No thread can be had: wait here. What went wrong, the callback says.
            let _ = poll();
        }
    }
    #[cfg(target_arch = "wasm32")]
    let _ = (context, submission_index);
}
