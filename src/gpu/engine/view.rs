//! A fill, and the memory that it writes or has written.

use crate::Fill;
use crate::gpu::engine::context::{Context, check_usage};
use crate::gpu::engine::readback;
use crate::memory::zeroed;
use crate::{ErrorKind, HostTensor, Result};

/// A fill's elements at a byte offset of a buffer.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) fill: Fill,
    pub(crate) buffer: wgpu::Buffer,
    pub(crate) offset: u64,
}

impl View {
    /// Checks that a buffer of the caller's can take the fill.
    pub(crate) fn check(&self) -> Result<(), ErrorKind> {
        let (offset, alignment) = (self.offset, wgpu::COPY_BUFFER_ALIGNMENT);
        if !offset.is_multiple_of(alignment) {
            return Err(ErrorKind::UnalignedOffset { offset, alignment });
        }
        check_usage(&self.buffer, wgpu::BufferUsages::STORAGE)?;
        let (bytes, size) = (self.fill.bytes(), self.buffer.size());
        let needed = offset.saturating_add(bytes.next_multiple_of(alignment));
        if needed > size {
            return Err(ErrorKind::BufferTooSmall { bytes, offset, size, needed });
        }
        Ok(())
    }

    /// Reads all elements back.
    ///
    /// # Errors
    /// [`ErrorKind::BufferUsage`], [`ErrorKind::HostOutOfMemory`], and what the device reports.
    pub(crate) async fn read(&self, context: &Context) -> Result<HostTensor, ErrorKind> {
        self.read_part(context, 0, self.fill.len).await
    }

    /// Reads back `len` elements from number `start` on.
    pub(crate) async fn read_part(
        &self,
        context: &Context,
        start: u64,
        len: u64,
    ) -> Result<HostTensor, ErrorKind> {
        let View { fill, buffer, offset } = self;
        check_usage(buffer, wgpu::BufferUsages::COPY_SRC)?;
        let part = fill.of(fill.elements().part(start, len));
        let mut tensor = HostTensor::zeroed(&part)?;
        let (from, size) = (offset + start * fill.dtype.size(), part.bytes());
        let before = from % 4;
        if before == 0 && size.is_multiple_of(4) {
            readback::read(context, buffer, from, tensor.as_bytes_mut()).await?;
        } else {
            // Copies are of whole words.
            let mut words: Vec<u8> = zeroed((before + size).next_multiple_of(4))?;
            readback::read(context, buffer, from - before, &mut words).await?;
            tensor.as_bytes_mut().copy_from_slice(&words[before as usize..][..size as usize]);
        }
        Ok(tensor)
    }
}
