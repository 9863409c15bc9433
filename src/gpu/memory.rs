//! Memory that drivers do not refuse when they have none.
//!
//! A driver that runs on the CPU takes its memory from the process. Where that has no more, Mesa's
//! llvmpipe has been seen to end the process, so the process is asked first. And wgpu does not ask
//! OpenGL whether an allocation went well: what is written to such a buffer is lost without a word,
//! and zeros are read from it. So there a large new buffer has to hold a word before it is used.

use crate::gpu::context::Context;
use crate::gpu::readback;
use crate::{ErrorKind, Result};

/// Smaller buffers are not worth asking: what lets them fail lets everything fail.
const LARGE: u64 = 1 << 20;
/// What a driver needs beside a buffer, for kernels and commands.
const RESERVE: u64 = 64 << 20;

/// Whether the host has the memory for a buffer of a driver that runs on it. Of a GPU's buffers
/// this says nothing.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub(super) fn check_host(context: &Context, operation: &'static str, bytes: u64) -> Result<()> {
    if bytes < LARGE || !context.is_software() || can_reserve(bytes.saturating_add(RESERVE)) {
        return Ok(());
    }
    Err(ErrorKind::OutOfMemory { bytes, adapter: context.adapter.clone() }.during(operation))
}

/// Address space, which no page of memory backs until it is written.
fn can_reserve(bytes: u64) -> bool {
    let mut memory = Vec::<u8>::new();
    let reserved =
        usize::try_from(bytes).is_ok_and(|bytes| memory.try_reserve_exact(bytes).is_ok());
    // An allocation that nobody looks at is left out.
    std::hint::black_box(&memory);
    reserved
}

/// Usages that a new buffer needs for [`check_buffer`].
pub(super) fn usages(context: &Context, usage: wgpu::BufferUsages) -> wgpu::BufferUsages {
    match context.backend() {
        // A buffer that the host maps can be copied in one direction only.
        wgpu::Backend::Gl
            if !usage.intersects(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE) =>
        {
            usage | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST
        }
        _ => usage,
    }
}

/// Whether there is memory behind a new buffer.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`], and what the device says of the word that is written and read.
pub(super) fn check_buffer(
    context: &Context,
    operation: &'static str,
    buffer: &wgpu::Buffer,
) -> Result<()> {
    const WORD: u32 = 0x5aa5_c33c;
    let (bytes, both) =
        (buffer.size(), wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST);
    if bytes < LARGE || context.backend() != wgpu::Backend::Gl || !buffer.usage().contains(both) {
        return Ok(());
    }
    let (last, mut found) = (bytes - 4, [0; 4]);
    context.checked(operation, bytes, || {
        context.queue.write_buffer(buffer, last, &WORD.to_le_bytes())
    })?;
    pollster::block_on(readback::read(context, operation, buffer, last, &mut found))?;
    if u32::from_le_bytes(found) == WORD {
        return Ok(());
    }
    Err(ErrorKind::OutOfMemory { bytes, adapter: context.adapter.clone() }.during(operation))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::gpu::tests::raw_device;

    const LIMITED: &str = "gpu::memory::tests::in_a_limited_process";

    /// OpenGL's buffers without memory are told from others: this test runs itself again where the
    /// address space ends.
    #[test]
    fn a_buffer_of_opengl_without_memory_is_found() {
        let Some((device, queue)) = raw_device() else { return };
        let context = Context::new(device, queue);
        // Only what runs in this process can be limited with it.
        if context.backend() != wgpu::Backend::Gl || !context.is_software() {
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
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
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
            // Past what asks the process first.
            let buffer = context.device.create_buffer(&descriptor);
            match check_buffer(&context, "test", &buffer) {
                Ok(()) => buffers.push(buffer),
                Err(error) => {
                    break assert!(
                        matches!(error.kind(), ErrorKind::OutOfMemory { bytes: 0x2000_0000, .. }),
                        "{error}"
                    );
                }
            }
        }
        assert!(!buffers.is_empty(), "some had memory");
    }
}
