//! How to open a device, and how to fill on one.

use std::fmt;
use std::ops::ControlFlow;

use crate::gpu::engine::adapter::AdapterChoice;
use crate::gpu::wgsl::{FpGuard, WideMul};

/// How to open a [`Device`](crate::Device).
///
/// ```no_run
/// use gpu_init::{AdapterChoice, Device, DeviceOptions, WideMul};
///
/// let options = DeviceOptions::new().seed(42).adapter(AdapterChoice::Number(1)).wide_mul(WideMul::Limbs);
/// let device = Device::open(&options)?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceOptions {
    pub(super) adapter: AdapterChoice,
    pub(super) seed: u64,
    pub(super) wide_mul: Option<WideMul>,
    pub(super) fp_guard: Option<FpGuard>,
}

impl DeviceOptions {
    /// The best adapter, seed 0, and the fastest shaders that prove right.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the adapter; [`AdapterChoice::Best`] by default.
    pub fn adapter(self, adapter: AdapterChoice) -> Self {
        DeviceOptions { adapter, ..self }
    }

    /// Sets the seed of fills that have none; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        DeviceOptions { seed, ..self }
    }

    /// Sets how shaders multiply; by default with 64-bit integers where the device has them.
    pub fn wide_mul(self, wide_mul: WideMul) -> Self {
        DeviceOptions { wide_mul: Some(wide_mul), ..self }
    }

    /// Sets how shaders guard their arithmetic. A guard that is set stays: a kernel that is wrong
    /// with it is an error.
    ///
    /// By default there is none on llvmpipe and SwiftShader, which are known neither to fuse nor to
    /// reorder, [`FpGuard::NoContraction`] on other Vulkan drivers, and
    /// [`FpGuard::NoReassociation`] elsewhere and as soon as a kernel proves wrong.
    pub fn fp_guard(self, fp_guard: FpGuard) -> Self {
        DeviceOptions { fp_guard: Some(fp_guard), ..self }
    }
}

/// How to fill: the buffers' usages, and who follows the progress.
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use gpu_init::{Device, FillOptions, Initializer, TensorSpec, wgpu::BufferUsages};
///
/// let recurrent = TensorSpec::new([4096, 4096], Initializer::orthogonal()).name("recurrent");
/// let mut progress = |done, total| {
///     eprintln!("{done} of {total} elements");
///     ControlFlow::Continue(())
/// };
/// let options = FillOptions::new().usages(BufferUsages::VERTEX).progress(&mut progress);
/// let tensor = Device::new()?.fill_with(&recurrent, options)?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
pub struct FillOptions<'a> {
    pub(super) usages: wgpu::BufferUsages,
    pub(super) progress: Option<&'a mut dyn FnMut(u64, u64) -> ControlFlow<()>>,
}

impl<'a> FillOptions<'a> {
    /// STORAGE, COPY_SRC and COPY_DST, and no progress.
    pub fn new() -> Self {
        FillOptions { usages: wgpu::BufferUsages::empty(), progress: None }
    }

    /// Adds usages of the buffers beyond STORAGE, COPY_SRC and COPY_DST, such as VERTEX.
    pub fn usages(self, usages: wgpu::BufferUsages) -> Self {
        FillOptions { usages: self.usages | usages, ..self }
    }

    /// Waits until all is done, and calls `progress(done, total)` with elements on the way; return
    /// [`ControlFlow::Break`] to cancel. The work goes to the device in dispatches and submissions
    /// of bounded size, so that no watchdog takes it for a hang. What a single submission holds is
    /// done when its progress is reported: to cancel then is the same error, with `done` the total.
    pub fn progress(self, progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Self {
        FillOptions { progress: Some(progress), ..self }
    }
}

impl Default for FillOptions<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FillOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillOptions").field("usages", &self.usages).finish_non_exhaustive()
    }
}
