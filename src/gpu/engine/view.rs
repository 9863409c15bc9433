//! A fill, and the memory that it writes or has written.

use crate::Fill;
use crate::gpu::engine::context::check_usage;
use crate::{ErrorKind, Result};

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
}
