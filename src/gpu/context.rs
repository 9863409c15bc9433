//! A wgpu device whose every failure becomes an [`Error`]: error scopes, checked buffers, waiting.

use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::gpu::memory;
use crate::{Error, ErrorKind, Result};

/// Device and queue, and the adapter's name for errors.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) adapter: String,
    backend: wgpu::Backend,
    kind: wgpu::DeviceType,
}

impl Context {
    pub(crate) fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let (backend, kind) = (info.backend, info.device_type);
        let driver = [info.driver, info.driver_info].join(" ");
        let adapter = if driver.trim().is_empty() {
            info.name
        } else {
            format!("{} ({})", info.name, driver.trim())
        };
        Context { device, queue, adapter, backend, kind }
    }

    pub(crate) fn backend(&self) -> wgpu::Backend {
        self.backend
    }

    /// Whether the driver runs on the CPU, and has its memory from this process.
    pub(crate) fn is_software(&self) -> bool {
        self.kind == wgpu::DeviceType::Cpu
    }

    /// What one dispatch may cost, counted in elements of which each takes a few dozen operations.
    /// A processor of 1 GFLOP/s takes well under 100 ms for 2^20 of them; the others, that much
    /// times what a device of their kind surely does at once.
    pub(crate) fn step(&self) -> u64 {
        const STEP: u64 = 1 << 20;
        match self.kind {
            wgpu::DeviceType::DiscreteGpu => 16 * STEP,
            wgpu::DeviceType::IntegratedGpu => 4 * STEP,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => STEP,
        }
    }

    /// Runs `work` and returns what the device had to say about it. `bytes` are those it wants to
    /// allocate.
    pub(crate) fn checked<T>(
        &self,
        operation: &'static str,
        bytes: u64,
        work: impl FnOnce() -> T,
    ) -> Result<T> {
        let scopes = [
            wgpu::ErrorFilter::Internal,
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Validation,
        ]
        .map(|filter| self.device.push_error_scope(filter));
        let result = work();
        // The innermost scope is popped first.
        let errors = scopes.into_iter().rev().filter_map(|scope| ready(scope.pop()).flatten());
        match errors.collect::<Vec<_>>().into_iter().next() {
            None => Ok(result),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                Err(ErrorKind::OutOfMemory { bytes, adapter: self.adapter.clone() }
                    .during(operation))
            }
            Some(_) if self.is_lost() => Err(self.lost(operation)),
            Some(error) => Err(self.refused(operation, &error.to_string())),
        }
    }

    /// What the device said, on one line.
    pub(crate) fn refused(&self, operation: &'static str, message: &str) -> Error {
        ErrorKind::Gpu { message: message.split_whitespace().collect::<Vec<_>>().join(" ") }
            .during(operation)
    }

    pub(crate) fn lost(&self, operation: &'static str) -> Error {
        ErrorKind::DeviceLost { adapter: self.adapter.clone() }.during(operation)
    }

    /// A buffer, or the reason why there is none.
    pub(crate) fn buffer(
        &self,
        operation: &'static str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let limit = self.device.limits().max_buffer_size;
        if size > limit {
            let (bytes, adapter) = (size, self.adapter.clone());
            return Err(ErrorKind::BufferTooLarge { bytes, limit, adapter }.during(operation));
        }
        memory::check_host(self, operation, size)?;
        let usage = memory::usages(self, usage);
        let descriptor = wgpu::BufferDescriptor {
            label: Some(operation),
            size,
            usage,
            mapped_at_creation: false,
        };
        let buffer = self.checked(operation, size, || self.device.create_buffer(&descriptor))?;
        memory::check_buffer(self, operation, &buffer)?;
        Ok(buffer)
    }

    /// A small buffer with contents.
    pub(crate) fn buffer_with(
        &self,
        operation: &'static str,
        contents: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        memory::check_host(self, operation, contents.len() as u64)?;
        self.checked(operation, contents.len() as u64, || self.mapped_buffer(contents, usage))?
            .ok_or_else(|| self.lost(operation))
    }

    fn mapped_buffer(&self, contents: &[u8], usage: wgpu::BufferUsages) -> Option<wgpu::Buffer> {
        let size = contents.len() as u64;
        let descriptor =
            wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: true };
        let buffer = self.device.create_buffer(&descriptor);
        buffer.get_mapped_range_mut(..).ok()?.copy_from_slice(contents);
        buffer.unmap();
        Some(buffer)
    }

    /// A lost device cannot map a buffer. Error scopes do not report the loss, and the callback for
    /// it belongs to the device's owner.
    pub(crate) fn is_lost(&self) -> bool {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = self.mapped_buffer(&[0; 4], wgpu::BufferUsages::COPY_SRC);
        drop(scope);
        buffer.is_none()
    }
}

/// Whether a buffer of the caller's has a usage.
pub(crate) fn check_usage(
    operation: &'static str,
    buffer: &wgpu::Buffer,
    needed: wgpu::BufferUsages,
) -> Result<()> {
    let usage = buffer.usage();
    if usage.contains(needed) {
        Ok(())
    } else {
        Err(ErrorKind::BufferUsage { missing: needed, usage }.during(operation))
    }
}

/// The output of a future that is ready at once, as error scopes are except in browsers.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
