//! A wgpu device whose every failure becomes an [`ErrorKind`]: error scopes, lost devices, waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_intrusive::channel::shared::oneshot_channel;

use crate::gpu::engine::plan::limits::Limits;
use crate::{ErrorKind, Result};

/// Smaller allocations are not worth asking about: what fails them fails everything.
pub(crate) const LARGE: u64 = 1 << 20;
/// Bytes that a driver needs beside a buffer, for kernels and commands.
const RESERVE: u64 = 64 << 20;

/// Device and queue, and the adapter's name for errors.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) adapter: String,
    pub(crate) backend: wgpu::Backend,
    kind: wgpu::DeviceType,
    /// What a browser says of the device; see [`Context::is_lost`].
    lost: Arc<AtomicBool>,
}

/// In a browser, where promises tell of errors and losses, and nothing may block.
const IN_BROWSER: bool = cfg!(target_arch = "wasm32");

impl Context {
    pub(crate) fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let (backend, kind) = (info.backend, info.device_type);
        let driver = [info.driver, info.driver_info].join(" ");
        let adapter = match (info.name.is_empty(), driver.trim()) {
            (true, _) => "WebGPU".to_owned(), // Browsers rarely say which it is.
            (false, "") => info.name,
            (false, driver) => format!("{} ({driver})", info.name),
        };
        let lost = Arc::<AtomicBool>::default();
        if IN_BROWSER {
            // There everybody's callbacks are called; elsewhere it would replace the owner's.
            let lost = lost.clone();
            device.set_device_lost_callback(move |_, _| lost.store(true, Ordering::Relaxed));
        }
        Context { device, queue, adapter, backend, kind, lost }
    }

    /// Whether the driver runs on the CPU, and takes its memory from this process.
    pub(crate) fn is_software(&self) -> bool {
        // A browser's driver runs in a process of its own.
        self.kind == wgpu::DeviceType::Cpu && !IN_BROWSER
    }

    /// The limits that dispatches are planned within.
    pub(crate) fn limits(&self) -> Limits {
        // A dispatch's cost is counted in elements of a few dozen operations each. A processor of
        // 1 GFLOP/s takes well under 100 ms for 2^20 of them; a GPU surely does several times that.
        const STEP: u64 = 1 << 20;
        let step = match self.kind {
            wgpu::DeviceType::DiscreteGpu => 16 * STEP,
            wgpu::DeviceType::IntegratedGpu => 4 * STEP,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => STEP,
        };
        Limits::new(&self.device.limits(), step)
    }

    /// Runs `work` and returns its result, or the error that the device reports. `bytes` is the
    /// size of the allocation that `work` makes.
    pub(crate) async fn checked<T>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> T,
    ) -> Result<T, ErrorKind> {
        // Scopes belong to this thread, so nothing is awaited while they are open. They are popped
        // from the innermost to the outermost.
        let (result, errors) = {
            // In a browser wgpu 30 panics at an internal error. What had one is invalid, and its
            // first use is a validation error.
            let internal =
                (!IN_BROWSER).then(|| self.device.push_error_scope(wgpu::ErrorFilter::Internal));
            let [memory, validation] =
                [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
                    .map(|filter| self.device.push_error_scope(filter));
            let result = work();
            let errors = (validation.pop(), memory.pop(), internal.map(|scope| scope.pop()));
            (result, errors)
        };
        let mut first = errors.0.await.or(errors.1.await);
        if let Some(internal) = errors.2 {
            first = first.or(internal.await);
        }
        match first {
            // A lost device of a browser reports no errors.
            None if IN_BROWSER && self.is_lost() => Err(self.lost()),
            None => Ok(result),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(self.out_of_memory(bytes)),
            Some(_) if self.is_lost() => Err(self.lost()),
            Some(error) => Err(self.refused(error)),
        }
    }

    /// The device's message, on one line.
    pub(crate) fn refused(&self, error: impl ToString) -> ErrorKind {
        let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        ErrorKind::Gpu { message }
    }

    pub(crate) fn lost(&self) -> ErrorKind {
        ErrorKind::DeviceLost { adapter: self.adapter.clone() }
    }

    pub(crate) fn out_of_memory(&self, bytes: u64) -> ErrorKind {
        ErrorKind::OutOfMemory { bytes, adapter: self.adapter.clone() }
    }

    /// Creates a buffer, with nothing known yet of the memory behind it: see `memory.rs`.
    pub(crate) async fn create_buffer(
        &self,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, ErrorKind> {
        let limit = self.device.limits().max_buffer_size;
        if size > limit {
            let adapter = self.adapter.clone();
            return Err(ErrorKind::BufferTooLarge { bytes: size, limit, adapter });
        }
        self.check_host(size)?;
        let descriptor =
            wgpu::BufferDescriptor { label: LABEL, size, usage, mapped_at_creation: false };
        self.checked(size, || self.device.create_buffer(&descriptor)).await
    }

    /// Creates a small buffer with contents.
    pub(crate) async fn buffer_with(
        &self,
        contents: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, ErrorKind> {
        let bytes = contents.len() as u64;
        self.check_host(bytes)?;
        self.checked(bytes, || self.mapped_buffer(contents, usage))
            .await?
            .ok_or_else(|| self.lost())
    }

    /// Creates a buffer with contents; `None` on a lost device, which cannot map it.
    pub(crate) fn mapped_buffer(
        &self,
        contents: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Option<wgpu::Buffer> {
        let size = contents.len() as u64;
        let descriptor =
            wgpu::BufferDescriptor { label: LABEL, size, usage, mapped_at_creation: true };
        let buffer = self.device.create_buffer(&descriptor);
        buffer.get_mapped_range_mut(..).ok()?.copy_from_slice(contents);
        buffer.unmap();
        Some(buffer)
    }

    /// Checks that the host has the memory for a buffer of a driver that runs on it: where the
    /// process has no more, Mesa's llvmpipe has been seen to end it. Of a GPU this says nothing.
    pub(crate) fn check_host(&self, bytes: u64) -> Result<(), ErrorKind> {
        if bytes < LARGE || !self.is_software() || can_reserve(bytes.saturating_add(RESERVE)) {
            return Ok(());
        }
        Err(self.out_of_memory(bytes))
    }

    /// Error scopes do not report a lost device, and the callback for it belongs to the device's
    /// owner; but a lost device cannot map a buffer. In a browser it can, and has many callbacks.
    pub(crate) fn is_lost(&self) -> bool {
        if IN_BROWSER {
            return self.lost.load(Ordering::Relaxed);
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = self.mapped_buffer(&[0; 4], wgpu::BufferUsages::COPY_SRC);
        drop(scope);
        buffer.is_none()
    }

    /// Waits for a submission, or for all so far.
    pub(crate) async fn wait(&self, index: Option<wgpu::SubmissionIndex>) -> Result<(), ErrorKind> {
        let (sender, receiver) = oneshot_channel::<()>();
        #[cfg(target_arch = "wasm32")]
        {
            let _ = index; // There all submitted work is waited for.
            self.queue.on_submitted_work_done(move || drop(sender));
        }
        #[cfg(not(target_arch = "wasm32"))]
        self.poll_in_background(index, sender);
        receiver.receive().await;
        if self.is_lost() { Err(self.lost()) } else { Ok(()) }
    }

    /// Blocks until all submitted work is done.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_blocking(&self) -> Result<(), ErrorKind> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        if polled.is_err() || self.is_lost() { Err(self.lost()) } else { Ok(()) }
    }

    /// Does nothing: browsers poll by themselves.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn poll_in_background(&self, _: Option<wgpu::SubmissionIndex>, (): ()) {}

    /// Polls until a submission is done, the last one without `index`, then drops `guard`. Natively
    /// callbacks run only while someone polls, so a thread does, and futures work on any executor.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn poll_in_background(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
        guard: impl Send + 'static,
    ) {
        let wait = wgpu::PollType::Wait { submission_index, timeout: None };
        let (device, again) = (self.device.clone(), wait.clone());
        let work = move || {
            // What went wrong shows in the callbacks, or as a lost device.
            let _ = device.poll(wait);
            drop(guard);
        };
        if std::thread::Builder::new().spawn(work).is_err() {
            // There is no thread to be had: wait here.
            let _ = self.device.poll(again);
        }
    }
}

const LABEL: Option<&str> = Some("gpu-init");

/// Reserves address space, which no page of memory backs until it is written.
fn can_reserve(bytes: u64) -> bool {
    let mut memory = Vec::<u8>::new();
    let reserved =
        usize::try_from(bytes).is_ok_and(|bytes| memory.try_reserve_exact(bytes).is_ok());
    // Without this the compiler removes the allocation.
    std::hint::black_box(&memory);
    reserved
}

/// Checks that a buffer of the caller's has a usage.
pub(crate) fn check_usage(
    buffer: &wgpu::Buffer,
    needed: wgpu::BufferUsages,
) -> Result<(), ErrorKind> {
    let usage = buffer.usage();
    if usage.contains(needed) {
        Ok(())
    } else {
        Err(ErrorKind::BufferUsage { missing: needed, usage })
    }
}
