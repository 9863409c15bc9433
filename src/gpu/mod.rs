//! The GPU path: an open device, and fills that it runs in its own memory or the caller's.

mod adapter;
mod batch;
#[cfg(feature = "cli")]
mod comparison;
mod context;
mod gather;
mod kernels;
mod memory;
mod orthogonal;
mod place;
mod probe;
mod readback;
mod record;
mod reduce;
pub mod shader;
mod table;
mod tensor;
mod window;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use adapter::{adapters, best_adapter};
pub use shader::{MulAdd, Multiply};
pub use tensor::Tensor;

use context::Context;
use kernels::{Kernel, Kernels, Sources};
use probe::Group;
use record::{Bound, Dispatch, Params, Recorder};
use table::Tables;
use window::{WindowLimits, windows};

use crate::cpu::Streams;
use crate::progress::Progress;
use crate::{Distribution, Error, Fill, Fingerprint, Parameter, Result, Stats};

/// How to open a [`Device`].
///
/// ```no_run
/// use gpu_init::{Device, DeviceOptions, Multiply};
///
/// let options = DeviceOptions { seed: 42, multiply: Some(Multiply::Limbs), ..Default::default() };
/// let device = Device::open(&options)?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceOptions {
    /// The adapter's number in [`adapters`]; the best one unless told.
    pub adapter: Option<usize>,
    /// The seed of calls that name none.
    pub seed: u64,
    /// How shaders multiply; with 64-bit integers where the device has them, unless told.
    pub multiply: Option<Multiply>,
    /// How shaders round the product of a multiply-add; unless told, plainly on llvmpipe and SwiftShader, which are known
    /// neither to fuse nor to reorder, against fusing on other drivers of Vulkan, and guarded elsewhere.
    pub mul_add: Option<MulAdd>,
}

/// A GPU that is shown to compute the stream's bits before it makes weights, with a seed and a count of streams.
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
    inner: Arc<Inner>,
    streams: Streams,
}

#[derive(Debug)]
struct Inner {
    context: Context,
    kernels: Kernels,
    multiply: Multiply,
    mul_add: MulAdd,
    /// The kernels that have been shown to be right.
    trusted: probe::Trusted,
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

    /// Opens an adapter. Every kernel runs on a block before it makes any weights, and the outcome is compared with the CPU
    /// path's: the kernel of F32 normals here, the others when they are first needed (in a browser, all but the rare ones
    /// here).
    ///
    /// # Errors
    /// [`Error::NoAdapter`], [`Error::NoSuchAdapter`], [`Error::UnfitAdapter`] if it lacks something,
    /// [`Error::WrongBits`] if its driver breaks the arithmetic.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        pollster::block_on(Self::open_async(options))
    }

    /// [`open`](Self::open) for any executor.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub async fn open_async(options: &DeviceOptions) -> Result<Self> {
        let (device, queue) = adapter::request(OPEN, options.adapter).await?;
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
    /// [`Error::UnfitAdapter`], [`Error::WrongBits`], [`Error::DeviceLost`].
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        pollster::block_on(Self::from_wgpu_async(device, queue, &DeviceOptions::default()))
    }

    /// [`from_wgpu`](Self::from_wgpu) for any executor, with options other than the adapter.
    ///
    /// # Errors
    /// Those of [`from_wgpu`](Self::from_wgpu).
    pub async fn from_wgpu_async(device: wgpu::Device, queue: wgpu::Queue, options: &DeviceOptions) -> Result<Self> {
        let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
        let multiply = options.multiply.unwrap_or(if int64 { Multiply::Int64 } else { Multiply::Limbs });
        let open = async |mul_add| {
            let sources = Sources::new(multiply, mul_add);
            Self::with_sources(device.clone(), queue.clone(), multiply, mul_add, sources).await
        };
        let opened = match options.mul_add {
            Some(mul_add) => open(mul_add).await?,
            None => guarded_if_wrong(fastest(&device.adapter_info()), open).await?,
        };
        Ok(opened.with_seed(options.seed))
    }

    /// Opens a device with these shaders, which tests break on purpose.
    async fn with_sources(
        device: wgpu::Device,
        queue: wgpu::Queue,
        multiply: Multiply,
        mul_add: MulAdd,
        sources: Sources,
    ) -> Result<Self> {
        let context = Context::new(device, queue);
        let unfit = |reason: &str| {
            Err(Error::UnfitAdapter { operation: OPEN, adapter: context.adapter.clone(), reason: reason.to_owned() })
        };
        let limits = context.device.limits();
        if limits.max_compute_invocations_per_workgroup < window::WORKGROUP_SIZE
            || limits.max_compute_workgroup_size_x < window::WORKGROUP_SIZE
        {
            return unfit("its limits allow fewer than 256 invocations in a workgroup");
        }
        if limits.max_storage_buffer_binding_size < 1 << 20 || limits.max_storage_buffers_per_shader_stage < 3 {
            return unfit("its limits allow no three storage buffers of 1 MiB");
        }
        if limits.max_compute_workgroups_per_dimension == 0 {
            return unfit("its limits allow no workgroups");
        }
        if multiply == Multiply::Int64 && !context.device.features().contains(wgpu::Features::SHADER_INT64) {
            return unfit("it was opened without the feature SHADER_INT64, which Multiply::Int64 needs");
        }
        let kernels = Kernels::new(&context, sources)?;
        let device = Device {
            inner: Arc::new(Inner { context, kernels, multiply, mul_add, trusted: probe::Trusted::default() }),
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
    pub fn multiply(&self) -> Multiply {
        self.inner.multiply
    }

    /// How its shaders round the product of a multiply-add.
    pub fn mul_add(&self) -> MulAdd {
        self.inner.mul_add
    }

    /// Bytes of memory that the adapter has, where its API says so (Vulkan) and it is a GPU's.
    ///
    /// ```no_run
    /// println!("{:?}", gpu_init::Device::new()?.memory());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn memory(&self) -> Option<u64> {
        memory::of_device(&self.inner.context.device)
    }

    /// The wgpu device.
    pub fn wgpu_device(&self) -> &wgpu::Device {
        &self.inner.context.device
    }

    /// The queue that fills are submitted to.
    pub fn wgpu_queue(&self) -> &wgpu::Queue {
        &self.inner.context.queue
    }

    /// Makes a tensor in a new buffer of its own and submits the commands that fill it.
    ///
    /// ```no_run
    /// use gpu_init::{DType, Device, Parameter};
    ///
    /// let device = Device::new()?;
    /// let q_proj = Parameter::xavier_normal([4096, 4096]).name("layers.0.q_proj.weight").dtype(DType::BF16);
    /// let weights = device.fill(&q_proj)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Parameter::resolve`], [`Error::BufferTooLarge`], [`Error::OutOfMemory`],
    /// [`Error::DeviceLost`], [`Error::WrongBits`] at the first use of a kernel that the driver breaks.
    pub fn fill(&self, parameter: &Parameter) -> Result<Tensor> {
        let mut tensors = self.fill_all(std::slice::from_ref(parameter))?;
        Ok(tensors.swap_remove(0))
    }

    /// Makes many tensors with as few buffers, dispatches and submissions as can be. Bytes beyond a tensor's elements are
    /// zero.
    ///
    /// Tensors of at most 1 MiB and the same [`usages`](Parameter::usages) share buffers of at most 16 MiB, each at a place
    /// where it can be bound by itself ([`Tensor::binding`]); not those that are slices, have zero rows, start inside a block
    /// or are orthogonal, sparse, eye or dirac. To wgpu a shared buffer is one buffer: it is there as long as one of its
    /// tensors, it cannot be copied to itself, nor be written and read by other bindings of the same dispatch. A tensor
    /// that needs that is made by [`fill`](Self::fill), in a buffer of its own.
    ///
    /// ```no_run
    /// use gpu_init::{Device, Initializer, Parameter};
    ///
    /// let layer = [
    ///     Parameter::xavier_normal([3072, 768]).name("fc.weight"),
    ///     Parameter::new([3072], Initializer::ZEROS).name("fc.bias"),
    /// ];
    /// let tensors = Device::new()?.fill_all(&layer)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), for the first parameter that has one; nothing is filled then.
    pub fn fill_all(&self, parameters: &[Parameter]) -> Result<Vec<Tensor>> {
        self.fill_tensors(parameters, |_| Progress::silent())
    }

    /// [`fill_all`](Self::fill_all), and waits until all is done. `progress` hears how many elements are, of how many,
    /// and can end the work. The work goes to the device in dispatches and submissions of bounded size, so that no
    /// watchdog takes it for a hang.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Device, Initializer, Parameter};
    ///
    /// let recurrent = Parameter::new([4096, 4096], Initializer::Orthogonal { gain: 1.0 }).name("recurrent");
    /// let tensors = Device::new()?.fill_all_with(&[recurrent], &mut |done, total| {
    ///     eprintln!("{done} of {total} elements");
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_all`](Self::fill_all), and [`Error::Interrupted`] if `progress` broke off; the device goes on
    /// working.
    pub fn fill_all_with(
        &self,
        parameters: &[Parameter],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<Tensor>> {
        self.fill_tensors(parameters, |total| Progress::new("fill", total, progress))
    }

    fn fill_tensors<'a>(
        &'a self,
        parameters: &[Parameter],
        progress: impl FnOnce(u64) -> Progress<'a>,
    ) -> Result<Vec<Tensor>> {
        let fills = parameters.iter().map(|parameter| self.streams.resolve(parameter)).collect::<Result<Vec<_>>>()?;
        let always = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let fills: Vec<_> = fills.into_iter().zip(parameters.iter().map(|one| always | one.usages)).collect();
        let Inner { context, kernels, .. } = &*self.inner;
        let places = batch::allocate(context, &fills)?;
        self.trust(
            fills.iter().zip(&places).flat_map(|((fill, _), place)| Group::of_fill(fill, place.room.is_some())),
        )?;
        // Streams are taken once there is memory for all.
        let filled = parameters.iter().zip(fills).zip(&places);
        let tensors: Vec<_> = filled
            .map(|((parameter, (fill, _)), place)| self.tensor(parameter, fill, place.buffer.clone(), place.offset))
            .collect();
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for (tensor, place) in tensors.iter().zip(&places) {
            match place.room {
                Some(room) => shared.push((tensor, room)),
                None => own.push(tensor),
            }
        }
        let total = tensors.iter().map(Tensor::len).sum();
        memory::clear_ends(context, &own)?;
        let mut recorder = Recorder::into_queue(context, kernels, "fill", progress(total));
        self.record_shared(&shared, &mut recorder)?;
        self.record_tensors(&own, recorder)?;
        Ok(tensors)
    }

    /// Fills memory that the caller owns: the parameter's bytes from `offset` of `buffer` on, no byte more.
    /// The tensor returned is a view of that memory.
    ///
    /// ```no_run
    /// use gpu_init::{Device, Parameter, wgpu};
    ///
    /// let device = Device::new()?;
    /// let buffer = device.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
    ///     label: None,
    ///     size: 1 << 20,
    ///     usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    ///     mapped_at_creation: false,
    /// });
    /// let view = device.fill_into(&Parameter::xavier_normal([256, 256]), &buffer, 4096)?;
    /// assert_eq!(view.offset(), 4096);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Parameter::resolve`], [`Error::UnalignedOffset`] if the offset is not a multiple of 4,
    /// [`Error::BufferUsage`] if the buffer lacks STORAGE, [`Error::BufferTooSmall`], [`Error::DeviceLost`],
    /// [`Error::WrongBits`], [`Error::Gpu`] if the buffer is another device's of the same [`wgpu::Instance`]. Nothing is written then.
    /// (wgpu cannot tell the buffers of different instances apart: never pass one across.)
    pub fn fill_into(&self, parameter: &Parameter, buffer: &wgpu::Buffer, offset: u64) -> Result<Tensor> {
        let tensor = self.view(parameter, buffer, offset)?;
        let Inner { context, kernels, .. } = &*self.inner;
        let recorder = Recorder::into_queue(context, kernels, tensor.fill.operation, Progress::silent());
        self.record_tensors(&[&tensor], recorder)?;
        Ok(tensor)
    }

    /// [`fill_into`](Self::fill_into), recorded into the caller's encoder: nothing is submitted or polled, but the first time that a
    /// kernel is needed, which has to show then that it is right.
    /// The tensor holds its elements once the caller has submitted the encoder's commands.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Parameter, wgpu};
    /// # fn example(device: &Device, buffer: &wgpu::Buffer) -> gpu_init::Result<()> {
    /// let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    /// device.record(&Parameter::xavier_normal([256, 256]), &mut encoder, buffer, 0)?;
    /// device.wgpu_queue().submit([encoder.finish()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_into`](Self::fill_into). Nothing is recorded then.
    pub fn record(
        &self,
        parameter: &Parameter,
        encoder: &mut wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        offset: u64,
    ) -> Result<Tensor> {
        let Inner { context, kernels, .. } = &*self.inner;
        let tensor = self.view(parameter, buffer, offset)?;
        let recorder = Recorder::into_encoder(context, kernels, tensor.fill.operation, encoder);
        self.record_tensors(&[&tensor], recorder)?;
        Ok(tensor)
    }

    /// A tensor in memory of the caller's, whose elements are not there yet.
    fn view(&self, parameter: &Parameter, buffer: &wgpu::Buffer, offset: u64) -> Result<Tensor> {
        let fill = self.streams.resolve(parameter)?;
        check_target(&fill, buffer, offset)?;
        self.trust(Group::of_fill(&fill, false))?;
        Ok(self.tensor(parameter, fill, buffer.clone(), offset))
    }

    /// A tensor whose elements are not there yet.
    fn tensor(&self, parameter: &Parameter, fill: Fill, buffer: wgpu::Buffer, offset: u64) -> Tensor {
        let (shape, fill) = (parameter.shape().clone(), self.streams.take(parameter, fill));
        Tensor { device: self.clone(), buffer, offset, shape, fill }
    }

    /// Shows that kernels are right, unless they were before.
    fn trust(&self, groups: impl Iterator<Item = Group>) -> Result<()> {
        pollster::block_on(probe::trust(self, "fill", groups))
    }

    fn record_tensors(&self, tensors: &[&Tensor], mut recorder: Recorder) -> Result<()> {
        let Inner { context, kernels, .. } = &*self.inner;
        let operation = tensors.first().map_or("fill", |tensor| tensor.fill.operation);
        let tables = Tables::new(context, kernels, operation, tensors.iter().map(|tensor| &tensor.fill))?;
        for Tensor { fill, buffer, offset, .. } in tensors {
            add_fill(context, fill, &tables, buffer, *offset, &mut recorder)?;
        }
        recorder.finish()
    }

    /// The fingerprints of many tensors, computed on the GPU with as few submissions as can be.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Parameter};
    /// let device = Device::new()?;
    /// let layers = device.fill_all(&[Parameter::xavier_normal([64, 64]), Parameter::xavier_normal([64, 16])])?;
    /// let fingerprints = device.fingerprints(&layers.iter().collect::<Vec<_>>())?;
    /// assert_eq!(fingerprints[1], layers[1].fingerprint()?);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::fingerprint`].
    pub fn fingerprints(&self, tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
        if !self.owns(tensors) {
            return tensors.iter().map(|tensor| tensor.fingerprint()).collect();
        }
        pollster::block_on(reduce::fingerprints(tensors))
    }

    /// The statistics of many tensors, computed on the GPU with as few submissions as can be.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Parameter};
    /// let device = Device::new()?;
    /// let layers = device.fill_all(&[Parameter::xavier_normal([64, 64]), Parameter::xavier_normal([64, 16])])?;
    /// for (layer, stats) in layers.iter().zip(device.stats(&layers.iter().collect::<Vec<_>>())?) {
    ///     assert_eq!(stats.disagreement(layer.fill()), None);
    /// }
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::stats`].
    pub fn stats(&self, tensors: &[&Tensor]) -> Result<Vec<Stats>> {
        if !self.owns(tensors) {
            return tensors.iter().map(|tensor| tensor.stats()).collect();
        }
        pollster::block_on(reduce::stats(tensors))
    }

    /// Whether all are in this device's memory.
    fn owns(&self, tensors: &[&Tensor]) -> bool {
        tensors.iter().all(|tensor| Arc::ptr_eq(&tensor.device.inner, &self.inner))
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
    /// [`Error::DeviceLost`].
    pub fn wait(&self) -> Result<()> {
        let context = &self.inner.context;
        let polled = context.device.poll(wgpu::PollType::wait_indefinitely());
        if polled.is_err() || context.is_lost() { Err(context.lost("wait")) } else { Ok(()) }
    }
}

/// What a driver's shaders may do, if a probe agrees. Mesa's llvmpipe and SwiftShader, both on a CPU, fuse and reorder
/// nothing, and the tests run on them; other drivers of Vulkan fuse.
fn fastest(info: &wgpu::AdapterInfo) -> MulAdd {
    let is_known = ["llvmpipe", "SwiftShader"].iter().any(|name| info.name.contains(name));
    match (info.backend, info.device_type) {
        (_, wgpu::DeviceType::Cpu) if is_known => MulAdd::Plain,
        (wgpu::Backend::Vulkan, _) => MulAdd::Unfused,
        _ => MulAdd::Guarded,
    }
}

/// Opens as said, or guarded if a probe shows that it must be.
async fn guarded_if_wrong<T>(mul_add: MulAdd, open: impl AsyncFn(MulAdd) -> Result<T>) -> Result<T> {
    match open(mul_add).await {
        Err(Error::WrongBits { .. }) if mul_add != MulAdd::Guarded => open(MulAdd::Guarded).await,
        opened => opened,
    }
}

/// Elements filled for the cost of one that takes a few dozen operations to make, and is read and written again.
const CHEAP: u64 = 16;

/// Adds the dispatches that write `fill` at `offset` of `buffer`.
fn add_fill(
    context: &Context,
    fill: &Fill,
    tables: &Tables,
    buffer: &wgpu::Buffer,
    offset: u64,
    recorder: &mut Recorder,
) -> Result<()> {
    let limits = WindowLimits::of(&context.device.limits());
    let base = fill.distribution.base();
    if fill.runs.is_some() && base != fill.distribution {
        return gather::gathered(context, limits, fill, tables, buffer, offset, recorder);
    }
    let table = tables.bound(&fill.distribution);
    for window in windows(fill, offset, limits) {
        let dispatch = Dispatch {
            kernel: Kernel::Fill(window.kernel),
            params: Params::new(&window.params),
            buffers: vec![Bound::new(buffer, window.offset, window.size), table.clone()],
            grid: window.grid,
        };
        // Elements that are not yet what they will be are not done.
        let count = u64::from(window.params.count);
        recorder.add(dispatch, count / CHEAP, if base == fill.distribution { count } else { 0 })?;
    }
    match fill.distribution {
        Distribution::Diagonal { value, diagonal } => {
            place::diagonal(limits, fill, value, diagonal, buffer, offset, recorder)?;
        }
        Distribution::Sparse { sparse, .. } => place::sparse(context, limits, fill, sparse, buffer, offset, recorder)?,
        Distribution::Orthogonal { gain, orthogonal } => {
            orthogonal::put(context, limits, fill, gain, orthogonal, buffer, offset, recorder)?;
        }
        _ => {}
    }
    match fill.zeros {
        Some(zeros) => place::clear(limits, fill, zeros, buffer, offset, recorder),
        None => Ok(()),
    }
}

/// Whether a buffer of the caller's can take a fill.
fn check_target(fill: &Fill, buffer: &wgpu::Buffer, offset: u64) -> Result<()> {
    let (operation, alignment) = (fill.operation, wgpu::COPY_BUFFER_ALIGNMENT);
    if !offset.is_multiple_of(alignment) {
        return Err(Error::UnalignedOffset { operation, offset, alignment });
    }
    check_usage(operation, buffer, wgpu::BufferUsages::STORAGE)?;
    let (bytes, size) = (fill.bytes(), buffer.size());
    let needed = offset.saturating_add(bytes.next_multiple_of(alignment));
    if needed > size {
        return Err(Error::BufferTooSmall { operation, bytes, offset, size, needed });
    }
    Ok(())
}

fn check_usage(operation: &'static str, buffer: &wgpu::Buffer, needed: wgpu::BufferUsages) -> Result<()> {
    let usage = buffer.usage();
    if usage.contains(needed) { Ok(()) } else { Err(Error::BufferUsage { operation, missing: needed, usage }) }
}
