//! Fills on a device: tensors in memory that is made for them or the caller's, and the dispatches
//! that write them.

use std::ops::ControlFlow;

use crate::gpu::context::{Context, check_usage};
use crate::gpu::device::{Device, Inner};
use crate::gpu::kernels::Kernel;
use crate::gpu::probe;
use crate::gpu::probe::Group;
use crate::gpu::record::{Bound, CHEAP, Dispatch, Params, Recorder};
use crate::gpu::table::Tables;
use crate::gpu::window::{ENTRY, WindowLimits, windows};
use crate::gpu::{Tensor, batch, gather, orthogonal, place};
use crate::progress::Progress;
use crate::{Distribution, ErrorKind, Fill, Result, TensorSpec};

/// Options of a fill that concern the GPU alone.
#[derive(Debug, Clone)]
pub struct FillOptions {
    usages: wgpu::BufferUsages,
}

impl FillOptions {
    /// The defaults: no usages beyond those of every tensor.
    pub fn new() -> Self {
        FillOptions { usages: wgpu::BufferUsages::empty() }
    }

    /// Usages of the buffer beyond STORAGE, COPY_SRC and COPY_DST, such as VERTEX.
    pub fn usages(self, usages: wgpu::BufferUsages) -> Self {
        FillOptions { usages }
    }
}

impl Default for FillOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Device {
    /// Makes a tensor in a new buffer of its own and submits the commands that fill it.
    ///
    /// ```no_run
    /// use gpu_init::{DType, Device, Initializer, TensorSpec};
    ///
    /// let device = Device::new()?;
    /// let q_proj = TensorSpec::new([4096, 4096], Initializer::xavier_normal()).name("layers.0.q_proj.weight").dtype(DType::BF16);
    /// let weights = device.fill(&q_proj)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::BufferTooLarge`], [`ErrorKind::MatrixTooLarge`],
    /// [`ErrorKind::OutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::WrongBits`] at the first use of a
    /// kernel that the driver breaks, or for an orthogonal matrix of 65,536 entries or 8,193 rows
    /// and more that comes out not orthogonal: such a fill waits until it is done.
    pub fn fill(&self, parameter: &TensorSpec) -> Result<Tensor> {
        self.fill_with(parameter, &FillOptions::new())
    }

    /// [`fill`](Self::fill) with options of the GPU: the usages of the buffer.
    ///
    /// ```no_run
    /// use gpu_init::wgpu::BufferUsages;
    /// use gpu_init::{Device, FillOptions, Initializer, TensorSpec};
    ///
    /// let vertices = TensorSpec::new([1024, 4], Initializer::xavier_uniform());
    /// let options = FillOptions::new().usages(BufferUsages::VERTEX);
    /// let tensor = Device::new()?.fill_with(&vertices, &options)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill).
    pub fn fill_with(&self, parameter: &TensorSpec, options: &FillOptions) -> Result<Tensor> {
        let silent = |_| Progress::silent();
        let mut tensors = self.fill_tensors(std::slice::from_ref(parameter), options, silent)?;
        Ok(tensors.swap_remove(0))
    }

    /// Makes many tensors with as few buffers, dispatches and submissions as can be. Bytes beyond a
    /// tensor's elements are zero.
    ///
    /// Tensors of at most 1 MiB share buffers of at
    /// most 16 MiB, each at a place where it can be bound by itself ([`Tensor::binding`]); not
    /// those that are slices, have zero rows, start inside a block, cross a multiple of 2^34
    /// elements or are orthogonal, sparse, eye or dirac. Those of each seed take dispatches of
    /// their own. To wgpu a shared buffer is one buffer: it is there as long as one of its tensors,
    /// it cannot be copied to itself, nor be written and read by other bindings of the same
    /// dispatch. A tensor that needs that is made by [`fill`](Self::fill), in a buffer of its own.
    ///
    /// ```no_run
    /// use gpu_init::{Device, Initializer, TensorSpec};
    ///
    /// let layer = [
    ///     TensorSpec::new([3072, 768], Initializer::xavier_normal()).name("fc.weight"),
    ///     TensorSpec::new([3072], Initializer::zeros()).name("fc.bias"),
    /// ];
    /// let tensors = Device::new()?.fill_all(&layer)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), for the first parameter that has one; nothing is filled then.
    pub fn fill_all(&self, parameters: &[TensorSpec]) -> Result<Vec<Tensor>> {
        self.fill_tensors(parameters, &FillOptions::new(), |_| Progress::silent())
    }

    /// [`fill_all`](Self::fill_all), and waits until all is done. `progress` hears how many
    /// elements are, of how many, and can end the work. The work goes to the device in dispatches
    /// and submissions of bounded size, so that no watchdog takes it for a hang.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// use gpu_init::{Device, Initializer, TensorSpec};
    ///
    /// let recurrent = TensorSpec::new([4096, 4096], Initializer::orthogonal()).name("recurrent");
    /// let tensors = Device::new()?.fill_all_with(&[recurrent], &mut |done, total| {
    ///     eprintln!("{done} of {total} elements");
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_all`](Self::fill_all), and [`ErrorKind::Interrupted`] if `progress` broke off;
    /// the device goes on working.
    pub fn fill_all_with(
        &self,
        parameters: &[TensorSpec],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<Tensor>> {
        self.fill_tensors(parameters, &FillOptions::new(), |total| Progress::new(total, progress))
    }

    fn fill_tensors<'a>(
        &'a self,
        parameters: &[TensorSpec],
        options: &FillOptions,
        progress: impl FnOnce(u64) -> Progress<'a>,
    ) -> Result<Vec<Tensor>> {
        let fills = parameters
            .iter()
            .map(|parameter| self.streams.resolve(parameter))
            .collect::<Result<Vec<_>>>()?;
        let always = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let fills: Vec<_> = fills.into_iter().map(|fill| (fill, always | options.usages)).collect();
        let Inner { context, kernels, .. } = &*self.inner;
        let places = batch::allocate(context, &fills)?;
        self.trust(
            fills
                .iter()
                .zip(&places)
                .flat_map(|((fill, _), place)| Group::of_fill(fill, place.room.is_some())),
        )?;
        // Streams are taken once there is memory for all.
        let filled = parameters.iter().zip(fills).zip(&places);
        let tensors: Vec<_> = filled
            .map(|((parameter, (fill, _)), place)| {
                self.tensor(parameter, fill, place.buffer.clone(), place.offset)
            })
            .collect();
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for (tensor, place) in tensors.iter().zip(&places) {
            match place.room {
                Some(room) => shared.push((tensor, room)),
                None => own.push(tensor),
            }
        }
        let total = tensors.iter().map(Tensor::len).sum();
        clear_ends(context, &own)?;
        let mut recorder = Recorder::into_queue(context, kernels, "fill", progress(total));
        self.record_shared(&shared, &mut recorder)?;
        self.record_tensors(&own, recorder)?;
        Ok(tensors)
    }

    /// Fills memory that the caller owns: the parameter's bytes from `offset` of `buffer` on, no
    /// byte more. The tensor returned is a view of that memory.
    ///
    /// ```no_run
    /// use gpu_init::{Device, Initializer, TensorSpec, wgpu};
    ///
    /// let device = Device::new()?;
    /// let buffer = device.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
    ///     label: None,
    ///     size: 1 << 20,
    ///     usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    ///     mapped_at_creation: false,
    /// });
    /// let view = device.fill_into(&TensorSpec::new([256, 256], Initializer::xavier_normal()), &buffer, 4096)?;
    /// assert_eq!(view.offset(), 4096);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::UnalignedOffset`] if the offset is not a multiple
    /// of 4, [`ErrorKind::BufferUsage`] if the buffer lacks STORAGE, [`ErrorKind::BufferTooSmall`],
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::WrongBits`], [`ErrorKind::Gpu`] if the buffer is another
    /// device's of the same [`wgpu::Instance`]. Nothing is written then, except by a large
    /// orthogonal matrix that is found wrong only when it is done. (wgpu cannot tell the buffers of
    /// different instances apart: never pass one across.)
    pub fn fill_into(
        &self,
        parameter: &TensorSpec,
        buffer: &wgpu::Buffer,
        offset: u64,
    ) -> Result<Tensor> {
        let tensor = self.view(parameter, buffer, offset)?;
        let Inner { context, kernels, .. } = &*self.inner;
        let recorder =
            Recorder::into_queue(context, kernels, tensor.fill.operation, Progress::silent());
        self.record_tensors(&[&tensor], recorder)?;
        Ok(tensor)
    }

    /// [`fill_into`](Self::fill_into), recorded into the caller's encoder: nothing is submitted or
    /// polled, except when a kernel is first needed, which is verified then, and on OpenGL for
    /// scratch memory of 1 MiB and more, which has to be asked for. The tensor holds its elements
    /// once the caller has submitted the encoder's commands.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec, wgpu};
    /// # fn example(device: &Device, buffer: &wgpu::Buffer) -> gpu_init::Result<()> {
    /// let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    /// device.record(&TensorSpec::new([256, 256], Initializer::xavier_normal()), &mut encoder, buffer, 0)?;
    /// device.wgpu_queue().submit([encoder.finish()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_into`](Self::fill_into). Nothing is recorded then. Large orthogonal matrices
    /// are not examined here: their commands have not run yet.
    pub fn record(
        &self,
        parameter: &TensorSpec,
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
    fn view(&self, parameter: &TensorSpec, buffer: &wgpu::Buffer, offset: u64) -> Result<Tensor> {
        let fill = self.streams.resolve(parameter)?;
        check_target(&fill, buffer, offset)?;
        self.trust(Group::of_fill(&fill, false))?;
        Ok(self.tensor(parameter, fill, buffer.clone(), offset))
    }

    /// A tensor whose elements are not there yet.
    fn tensor(
        &self,
        parameter: &TensorSpec,
        fill: Fill,
        buffer: wgpu::Buffer,
        offset: u64,
    ) -> Tensor {
        let (shape, fill) = (parameter.shape().clone(), self.streams.take(parameter, fill));
        Tensor { device: self.clone(), buffer, offset, shape, fill }
    }

    /// Shows that kernels are right, unless they were before.
    pub(super) fn trust(&self, groups: impl Iterator<Item = Group>) -> Result<()> {
        pollster::block_on(probe::trust(self, "fill", groups))
    }

    pub(super) fn record_tensors(&self, tensors: &[&Tensor], mut recorder: Recorder) -> Result<()> {
        let Inner { context, kernels, .. } = &*self.inner;
        let operation = tensors.first().map_or("fill", |tensor| tensor.fill.operation);
        let tables =
            Tables::new(context, kernels, operation, tensors.iter().map(|tensor| &tensor.fill))?;
        for Tensor { fill, buffer, offset, .. } in tensors {
            add_fill(context, fill, &tables, buffer, *offset, &mut recorder)?;
        }
        recorder.finish()
    }
}

/// Adds the dispatches that write `fill` at `offset` of `buffer`.
pub(super) fn add_fill(
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
            iterations: 0,
        };
        // Elements that are not yet what they will be are not done.
        let count = u64::from(window.params.count);
        recorder.add(dispatch, count / CHEAP, if base == fill.distribution { count } else { 0 })?;
    }
    match fill.distribution {
        Distribution::Diagonal { value, diagonal } => {
            place::diagonal(limits, fill, value, diagonal, buffer, offset, recorder)?;
        }
        Distribution::Sparse { sparse, .. } => {
            place::sparse(context, limits, fill, sparse, buffer, offset, recorder)?
        }
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
        return Err(ErrorKind::UnalignedOffset { offset, alignment }.during(operation));
    }
    check_usage(operation, buffer, wgpu::BufferUsages::STORAGE)?;
    let (bytes, size) = (fill.bytes(), buffer.size());
    let needed = offset.saturating_add(bytes.next_multiple_of(alignment));
    if needed > size {
        return Err(ErrorKind::BufferTooSmall { bytes, offset, size, needed }.during(operation));
    }
    Ok(())
}

/// Zeroes what the last entry of each tensor's own buffer has beyond the elements.
fn clear_ends(context: &Context, tensors: &[&Tensor]) -> Result<()> {
    let ragged: Vec<_> =
        tensors.iter().filter(|tensor| tensor.bytes() < tensor.buffer.size()).collect();
    let Some(first) = ragged.first() else { return Ok(()) };
    context.checked(first.fill.operation, 0, || {
        let mut encoder = context.device.create_command_encoder(&Default::default());
        for tensor in ragged {
            encoder.clear_buffer(&tensor.buffer, tensor.buffer.size() - ENTRY, None);
        }
        context.queue.submit([encoder.finish()]);
    })
}
