//! Buffers with memory behind them, also where a driver does not say that it has none.
//!
//! wgpu does not ask OpenGL whether an allocation went well: what is written to a buffer without
//! memory is lost without a word, and zeros are read from it. So there a large new buffer has to
//! hold a word before it is used.

use crate::gpu::engine::context::{Context, LARGE};
use crate::gpu::engine::readback;
use crate::{ErrorKind, Result};

/// Creates a buffer that has memory.
pub(crate) async fn buffer(
    context: &Context,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, ErrorKind> {
    // Usages that the check needs; a buffer that the host maps can be copied in one direction only.
    let is_mapped = usage.intersects(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE);
    let checked = context.backend == wgpu::Backend::Gl && !is_mapped;
    let usage = if checked { usage | BOTH } else { usage };
    let buffer = context.create_buffer(size, usage).await?;
    check_buffer(context, &buffer).await?;
    Ok(buffer)
}

const BOTH: wgpu::BufferUsages = wgpu::BufferUsages::COPY_SRC.union(wgpu::BufferUsages::COPY_DST);

/// Checks that there is memory behind a new buffer, by a word at its end.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`], and what the device says of the word.
async fn check_buffer(context: &Context, buffer: &wgpu::Buffer) -> Result<(), ErrorKind> {
    const WORD: u32 = 0x5aa5_c33c;
    let bytes = buffer.size();
    if bytes < LARGE || context.backend != wgpu::Backend::Gl || !buffer.usage().contains(BOTH) {
        return Ok(());
    }
    let (last, mut found) = (bytes - 4, [0; 4]);
    context
        .checked(bytes, || context.queue.write_buffer(buffer, last, &WORD.to_le_bytes()))
        .await?;
    readback::read(context, buffer, last, &mut found).await?;
    if u32::from_le_bytes(found) == WORD { Ok(()) } else { Err(context.out_of_memory(bytes)) }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::gpu::tests::raw_device;

    const LIMITED: &str = "gpu::engine::memory::tests::in_a_limited_process";

    /// This test runs itself again in a process whose address space ends early.
    #[test]
    fn a_buffer_of_opengl_without_memory_is_found() {
        let Some((device, queue)) = raw_device() else { return };
        let context = Context::new(device, queue);
        // Only what runs in this process can be limited with it.
        if context.backend != wgpu::Backend::Gl || !context.is_software() {
            return;
        }
        let command =
            format!("ulimit -v 3000000; exec \"$0\" --exact {LIMITED} --ignored --nocapture");
        let executable = std::env::current_exe().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", &command])
            .arg(executable)
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    #[ignore = "runs in a process of its own, started by the test above"]
    fn in_a_limited_process() {
        let Some((device, queue)) = raw_device() else { return };
        let context = Context::new(device, queue);
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let descriptor =
            wgpu::BufferDescriptor { label: None, size: 1 << 29, usage, mapped_at_creation: false };
        let mut buffers = Vec::new();
        loop {
            assert!(buffers.len() < 50, "memory never ended");
            // Directly, since `Context::create_buffer` asks the process first.
            let buffer = context.device.create_buffer(&descriptor);
            match pollster::block_on(check_buffer(&context, &buffer)) {
                Ok(()) => buffers.push(buffer),
                Err(ErrorKind::OutOfMemory { bytes: 0x2000_0000, .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(!buffers.is_empty(), "some had memory");
    }
}
