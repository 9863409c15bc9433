//! An open device: an engine, the kernels verified on it, a seed and streams.

use std::sync::Arc;

use crate::error::During;
use crate::gpu::engine::Engine;
use crate::gpu::engine::adapter::{self, Origin};
use crate::gpu::engine::context::Context;
use crate::gpu::engine::kernel::WORKGROUP_SIZE;
use crate::gpu::engine::pipelines::{Kernels, Pipelines, Sources};
use crate::gpu::engine::vulkan;
use crate::gpu::options::DeviceOptions;
use crate::gpu::self_test::group::Group;
use crate::gpu::self_test::verify::{Verified, verify};
use crate::gpu::wgsl::{AddressSpace, Arithmetic, FpGuard, HalfRounding, Variant, WideMul};
use crate::spec::streams::Streams;
use crate::{ErrorKind, Fill, Result};

/// A GPU whose kernels are verified before they make weights, with a seed and a count of streams.
///
/// Clones are the same device. There is no global state.
///
/// ```no_run
/// use gpu_init::{Device, GpuInit};
///
/// let device = Device::new()?; // the best adapter there is
/// let weights = GpuInit::xavier_normal(&device, [4096, 11008])?; // a Tensor in GPU memory
/// let buffer: &gpu_init::wgpu::Buffer = weights.buffer();
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device {
    pub(super) inner: Arc<Inner>,
    pub(super) streams: Streams,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) engine: Engine,
    verified: Verified,
    /// Where the device comes from, if this crate opened it.
    origin: Option<Origin>,
}

/// The operation of errors when a device is opened.
const OPEN: &str = "open a device";

impl Device {
    /// Opens the best adapter, with seed 0.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self> {
        Self::open(&DeviceOptions::new())
    }

    /// Opens an adapter. Before its first use each kernel runs on a block, and the result is
    /// compared with the CPU path's: the kernel of F32 normals here, the others when a call first
    /// needs them.
    ///
    /// That covers each kernel's arithmetic in each element type, at the start of a tensor, inside
    /// it and far into it. It cannot cover what depends on a tensor's size: therefore no loop of a
    /// shader grows with a tensor, and orthogonal matrices of 65,536 entries or 8,193 rows and
    /// more are examined when they are done.
    ///
    /// # Errors
    /// [`ErrorKind::NoAdapter`], [`ErrorKind::NoSuchAdapter`], [`ErrorKind::UnsupportedAdapter`] if
    /// it lacks something, [`ErrorKind::WrongBits`] if its driver breaks the arithmetic.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        pollster::block_on(Self::open_async(options))
    }

    /// [`open`](Self::open) for any executor, with the same errors.
    pub async fn open_async(options: &DeviceOptions) -> Result<Self> {
        let (origin, device, queue) = adapter::open(options.adapter).await.during(OPEN)?;
        Self::with_context(Context::new(device, queue), Some(origin), options).await
    }

    /// Uses the caller's own device and queue, within the limits they were made with.
    ///
    /// ```no_run
    /// # async fn yours() -> (gpu_init::wgpu::Device, gpu_init::wgpu::Queue) { unimplemented!() }
    /// # async fn example() -> gpu_init::Result<()> {
    /// let (device, queue) = yours().await;
    /// let device = gpu_init::Device::from_wgpu(device, queue)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedAdapter`], [`ErrorKind::WrongBits`], [`ErrorKind::DeviceLost`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        pollster::block_on(Self::from_wgpu_async(device, queue, &DeviceOptions::new()))
    }

    /// [`from_wgpu`](Self::from_wgpu) for any executor, with options other than the adapter, with the same errors.
    pub async fn from_wgpu_async(
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &DeviceOptions,
    ) -> Result<Self> {
        Self::with_context(Context::new(device, queue), None, options).await
    }

    async fn with_context(
        context: Context,
        origin: Option<Origin>,
        options: &DeviceOptions,
    ) -> Result<Self> {
        let int64 = context.device.features().contains(wgpu::Features::SHADER_INT64);
        let wide_mul =
            options.wide_mul.unwrap_or(if int64 { WideMul::Int64 } else { WideMul::Limbs });
        let info = context.device.adapter_info();
        let fp_guard = options.fp_guard.unwrap_or_else(|| fastest(&info));
        let half_rounding = match (fp_guard, info.device_type) {
            // llvmpipe is slower so, and refuses it on some hosts.
            (_, wgpu::DeviceType::Cpu) => HalfRounding::Integers,
            (FpGuard::NoContraction, _) => HalfRounding::Floats,
            _ => HalfRounding::Integers,
        };
        let tables = match info.device_type {
            wgpu::DeviceType::Cpu => AddressSpace::Uniform,
            _ => AddressSpace::Storage,
        };
        let arithmetic = Arithmetic { fp_guard, half_rounding };
        let sources = Sources::new(Variant { wide_mul, arithmetic, tables });
        let may_guard = options.fp_guard.is_none();
        let device = Self::with_sources(context, origin, sources, may_guard).await.during(OPEN)?;
        Ok(device.with_seed(options.seed))
    }

    /// Opens a device with these shaders, which tests break on purpose, and which guarded ones may
    /// replace.
    pub(super) async fn with_sources(
        context: Context,
        origin: Option<Origin>,
        sources: Sources,
        may_guard: bool,
    ) -> Result<Self, ErrorKind> {
        if let Some(reason) = missing(&context.device, sources.variant.wide_mul) {
            let (adapter, reason) = (context.adapter.clone(), reason.to_owned());
            return Err(ErrorKind::UnsupportedAdapter { adapter, reason });
        }
        let pipelines = Pipelines::new(&context, sources, may_guard).await?;
        let engine = Engine { limits: context.limits(), context, pipelines };
        let inner = Arc::new(Inner { engine, verified: Verified::default(), origin });
        let device = Device { inner, streams: Streams::default() };
        device.verify([Group::COMMON].into_iter()).await?;
        Ok(device)
    }

    /// Verifies kernels before their first use. Those returned are verified: others that are put in
    /// their place later, for a kernel that proved wrong, are not.
    pub(super) async fn verify(
        &self,
        groups: impl Iterator<Item = Group>,
    ) -> Result<Arc<Kernels>, ErrorKind> {
        verify(&self.inner.engine, &self.inner.verified, groups).await
    }

    /// The same for fills, each with whether it shares a buffer.
    pub(super) async fn verify_fills<'a>(
        &self,
        fills: impl Iterator<Item = (&'a Fill, bool)> + Clone,
    ) -> Result<Arc<Kernels>, ErrorKind> {
        if !fills.clone().all(|(fill, _)| HalfRounding::by_floats(fill)) {
            self.inner.engine.pipelines.round_in_integers();
        }
        self.verify(fills.flat_map(|(fill, is_shared)| Group::of_fill(fill, is_shared))).await
    }

    /// The same device with a seed of its own, its streams counted from 0.
    ///
    /// ```no_run
    /// let device = gpu_init::Device::new()?.with_seed(42);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn with_seed(self, seed: u64) -> Self {
        Device { streams: Streams::new(seed), ..self }
    }

    /// Name and driver of the adapter.
    pub fn name(&self) -> &str {
        &self.inner.engine.context.adapter
    }

    /// How its shaders multiply.
    pub fn wide_mul(&self) -> WideMul {
        self.inner.engine.pipelines.wide_mul()
    }

    /// How its shaders guard their arithmetic now; stricter once a kernel has proved wrong, unless
    /// [`DeviceOptions::fp_guard`] was set.
    pub fn fp_guard(&self) -> FpGuard {
        self.inner.engine.pipelines.arithmetic().fp_guard
    }

    /// Bytes of the adapter's memory, where its API says it (Vulkan) and it is a GPU's.
    ///
    /// ```no_run
    /// println!("{:?}", gpu_init::Device::new()?.memory());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn memory(&self) -> Option<u64> {
        vulkan::heap_bytes(&self.inner.engine.context.device)
    }

    /// The wgpu device.
    pub fn wgpu_device(&self) -> &wgpu::Device {
        &self.inner.engine.context.device
    }

    /// The queue that fills are submitted to.
    pub fn wgpu_queue(&self) -> &wgpu::Queue {
        &self.inner.engine.context.queue
    }

    /// The wgpu adapter; `None` of a device from [`from_wgpu`](Self::from_wgpu).
    ///
    /// ```no_run
    /// let device = gpu_init::Device::new()?;
    /// println!("{:?}", device.wgpu_adapter().map(|adapter| adapter.features()));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn wgpu_adapter(&self) -> Option<&wgpu::Adapter> {
        self.inner.origin.as_ref().map(|(_, adapter)| adapter)
    }

    /// The wgpu instance, by which a surface can be made for the device; `None` of a device from
    /// [`from_wgpu`](Self::from_wgpu).
    pub fn wgpu_instance(&self) -> Option<&wgpu::Instance> {
        self.inner.origin.as_ref().map(|(instance, _)| instance)
    }

    /// Blocks until all submitted work is done.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, GpuInit};
    /// let device = Device::new()?;
    /// let start = std::time::Instant::now();
    /// let weights = GpuInit::xavier_normal(&device, [4096, 4096])?;
    /// device.wait()?;
    /// println!("{:?}", start.elapsed());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self) -> Result<()> {
        self.inner.engine.context.wait_blocking().during("wait")
    }

    /// Waits until all submitted work is done, on any executor.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`].
    pub async fn wait_async(&self) -> Result<()> {
        self.inner.engine.context.wait(None).await.during("wait")
    }
}

/// What a device lacks, if anything.
fn missing(device: &wgpu::Device, wide_mul: WideMul) -> Option<&'static str> {
    let limits = device.limits();
    if limits.max_compute_invocations_per_workgroup < WORKGROUP_SIZE
        || limits.max_compute_workgroup_size_x < WORKGROUP_SIZE
    {
        return Some("its limits allow fewer than 256 invocations in a workgroup");
    }
    if limits.max_storage_buffer_binding_size < 1 << 20
        || limits.max_storage_buffers_per_shader_stage < 3
    {
        return Some("its limits allow no three storage buffers of 1 MiB");
    }
    if limits.max_compute_workgroups_per_dimension == 0 {
        return Some("its limits allow no workgroups");
    }
    let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
    (wide_mul == WideMul::Int64 && !int64)
        .then_some("it was opened without the feature SHADER_INT64, which WideMul::Int64 needs")
}

/// The least guard that a driver is expected to need, before the self-test. Mesa's llvmpipe and
/// SwiftShader, both on a CPU, fuse and reorder nothing, and the tests run on them; other Vulkan
/// drivers fuse.
pub(super) fn fastest(info: &wgpu::AdapterInfo) -> FpGuard {
    let is_known = ["llvmpipe", "SwiftShader"].iter().any(|name| info.name.contains(name));
    match (info.backend, info.device_type) {
        (_, wgpu::DeviceType::Cpu) if is_known => FpGuard::None,
        (wgpu::Backend::Vulkan, _) => FpGuard::NoContraction,
        _ => FpGuard::NoReassociation,
    }
}
