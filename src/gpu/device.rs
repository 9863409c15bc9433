//! An open device: adapter, kernels that are right on it, seed and streams.

use std::sync::Arc;

use crate::gpu::context::Context;
use crate::gpu::kernels::{Kernels, Sources};
use crate::gpu::probe;
use crate::gpu::probe::Group;
use crate::gpu::shader::{FpGuard, WideMul};
use crate::gpu::{adapter, vulkan, window};
use crate::spec::streams::Streams;
use crate::{ErrorKind, Result};

/// How to open a [`Device`].
///
/// ```no_run
/// use gpu_init::{Device, DeviceOptions, WideMul};
///
/// let options = DeviceOptions { seed: 42, multiply: Some(WideMul::Limbs), ..Default::default() };
/// let device = Device::open(&options)?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceOptions {
    /// The adapter's number in [`adapters`](crate::adapters); the best one unless told.
    pub adapter: Option<usize>,
    /// Whether the best adapter has to be a GPU: where there are software drivers alone,
    /// [`Cpu`](crate::Cpu) gives the same bits sooner. An adapter that is named by its number may
    /// be of any kind.
    pub hardware_only: bool,
    /// The seed of calls that name none.
    pub seed: u64,
    /// How shaders multiply; with 64-bit integers where the device has them, unless told.
    pub multiply: Option<WideMul>,
    /// How shaders round the product of a multiply-add; unless told, plainly on llvmpipe and
    /// SwiftShader, which are known neither to fuse nor to reorder, against fusing on other drivers
    /// of Vulkan, and guarded elsewhere and as soon as a kernel proves wrong otherwise. What is
    /// told is not changed: such a kernel is an error then.
    pub mul_add: Option<FpGuard>,
}

/// A GPU that is shown to compute the stream's bits before it makes weights, with a seed and a
/// count of streams.
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
    pub(super) context: Context,
    pub(super) kernels: Kernels,
    pub(super) multiply: WideMul,
    /// The kernels that have been shown to be right.
    pub(super) trusted: probe::Trusted,
}

/// What errors call the opening of a device.
const OPEN: &str = "open a device";

impl Device {
    /// The best adapter there is, with seed 0.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn new() -> Result<Self> {
        Self::open(&DeviceOptions::default())
    }

    /// Opens an adapter. Every kernel runs on a block before it makes any weights, and the outcome
    /// is compared with the CPU path's: the kernel of F32 normals here, the others when they are
    /// first needed (in a browser, all but the rare ones here).
    ///
    /// That covers each kernel's arithmetic in each element type, at the start of a tensor, inside
    /// it and far into it. It cannot show what only a tensor's size does: against that, no loop of
    /// a shader grows with a tensor, and orthogonal matrices of 65,536 entries or 8,193 rows and
    /// more are examined when they are done.
    ///
    /// # Errors
    /// [`ErrorKind::NoAdapter`], [`ErrorKind::NoSuchAdapter`], [`ErrorKind::UnsupportedAdapter`] if it lacks
    /// something, [`ErrorKind::WrongBits`] if its driver breaks the arithmetic.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        pollster::block_on(Self::open_async(options))
    }

    /// [`open`](Self::open) for any executor.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_async(options: &DeviceOptions) -> Result<Self> {
        let (device, queue) = adapter::request(OPEN, options).await?;
        Self::from_wgpu_async(device, queue, options).await
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
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        pollster::block_on(Self::from_wgpu_async(device, queue, &DeviceOptions::default()))
    }

    /// [`from_wgpu`](Self::from_wgpu) for any executor, with options other than the adapter.
    ///
    /// # Errors
    /// Those of [`from_wgpu`](Self::from_wgpu).
    pub async fn from_wgpu_async(
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &DeviceOptions,
    ) -> Result<Self> {
        let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
        let multiply =
            options.multiply.unwrap_or(if int64 { WideMul::Int64 } else { WideMul::Limbs });
        let mul_add = options.mul_add.unwrap_or_else(|| fastest(&device.adapter_info()));
        let sources = Sources::new(multiply, mul_add);
        let may_fall_back = options.mul_add.is_none();
        let opened =
            Self::with_sources(device, queue, multiply, mul_add, sources, may_fall_back).await?;
        Ok(opened.with_seed(options.seed))
    }

    /// Opens a device with these shaders, which tests break on purpose, and which may make way for
    /// guarded ones.
    pub(super) async fn with_sources(
        device: wgpu::Device,
        queue: wgpu::Queue,
        multiply: WideMul,
        mul_add: FpGuard,
        sources: Sources,
        may_fall_back: bool,
    ) -> Result<Self> {
        let context = Context::new(device, queue);
        let unsupported = |reason: &str| {
            let (adapter, reason) = (context.adapter.clone(), reason.to_owned());
            Err(ErrorKind::UnsupportedAdapter { adapter, reason }.during(OPEN))
        };
        let limits = context.device.limits();
        if limits.max_compute_invocations_per_workgroup < window::WORKGROUP_SIZE
            || limits.max_compute_workgroup_size_x < window::WORKGROUP_SIZE
        {
            return unsupported("its limits allow fewer than 256 invocations in a workgroup");
        }
        if limits.max_storage_buffer_binding_size < 1 << 20
            || limits.max_storage_buffers_per_shader_stage < 3
        {
            return unsupported("its limits allow no three storage buffers of 1 MiB");
        }
        if limits.max_compute_workgroups_per_dimension == 0 {
            return unsupported("its limits allow no workgroups");
        }
        if multiply == WideMul::Int64
            && !context.device.features().contains(wgpu::Features::SHADER_INT64)
        {
            return unsupported(
                "it was opened without the feature SHADER_INT64, which WideMul::Int64 needs",
            );
        }
        let kernels = Kernels::new(&context, mul_add, sources, may_fall_back.then_some(multiply))?;
        let device = Device {
            inner: Arc::new(Inner {
                context,
                kernels,
                multiply,
                trusted: probe::Trusted::default(),
            }),
            streams: Streams::default(),
        };
        // A browser's thread cannot wait later.
        let groups = if cfg!(target_arch = "wasm32") { Group::all() } else { vec![Group::COMMON] };
        probe::trust(&device, OPEN, groups.into_iter()).await?;
        Ok(device)
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
        &self.inner.context.adapter
    }

    /// How its shaders multiply.
    pub fn multiply(&self) -> WideMul {
        self.inner.multiply
    }

    /// How its shaders round the product of a multiply-add: guarded from then on, once a kernel has
    /// proved wrong otherwise.
    pub fn mul_add(&self) -> FpGuard {
        self.inner.kernels.mul_add()
    }

    /// Bytes of memory that the adapter has, where its API says so (Vulkan) and it is a GPU's.
    ///
    /// ```no_run
    /// println!("{:?}", gpu_init::Device::new()?.memory());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn memory(&self) -> Option<u64> {
        vulkan::memory(&self.inner.context.device)
    }

    /// The wgpu device.
    pub fn wgpu_device(&self) -> &wgpu::Device {
        &self.inner.context.device
    }

    /// The queue that fills are submitted to.
    pub fn wgpu_queue(&self) -> &wgpu::Queue {
        &self.inner.context.queue
    }

    /// Blocks until all that was submitted is done.
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
    pub fn wait(&self) -> Result<()> {
        let context = &self.inner.context;
        let polled = context.device.poll(wgpu::PollType::wait_indefinitely());
        if polled.is_err() || context.is_lost() { Err(context.lost("wait")) } else { Ok(()) }
    }
}

/// What a driver's shaders may do, if a probe agrees. Mesa's llvmpipe and SwiftShader, both on a
/// CPU, fuse and reorder nothing, and the tests run on them; other drivers of Vulkan fuse.
pub(super) fn fastest(info: &wgpu::AdapterInfo) -> FpGuard {
    let is_known = ["llvmpipe", "SwiftShader"].iter().any(|name| info.name.contains(name));
    match (info.backend, info.device_type) {
        (_, wgpu::DeviceType::Cpu) if is_known => FpGuard::None,
        (wgpu::Backend::Vulkan, _) => FpGuard::NoContraction,
        _ => FpGuard::NoReassociation,
    }
}
