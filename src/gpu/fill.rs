//! The calls that fill: tensors in new memory, or in the caller's.

use crate::error::During;
use crate::gpu::device::Device;
use crate::gpu::engine::fill::{clear_ends, record, record_shared};
use crate::gpu::engine::plan::batch::{Allocation, allocate};
use crate::gpu::engine::recorder::{NoReport, Recorder, Report};
use crate::gpu::engine::view::View;
use crate::gpu::engine::vulkan;
use crate::gpu::options::FillOptions;
use crate::gpu::tensor::Tensor;
use crate::progress::Progress;
use crate::{ErrorKind, Fill, Result, TensorSpec};

/// The operation of errors here, but for those of the initializers.
const FILL: &str = "fill";

/// A tensor to write into the caller's memory: at a byte offset of a buffer.
pub type Target<'a> = (&'a TensorSpec, &'a wgpu::Buffer, u64);

impl Device {
    /// Makes a tensor in a new buffer of its own and submits the commands that fill it.
    ///
    /// ```no_run
    /// use gpu_init::{DType, Device, Initializer, TensorSpec};
    ///
    /// let device = Device::new()?;
    /// let q_proj = TensorSpec::new([4096, 4096], Initializer::xavier_normal())
    ///     .name("layers.0.q_proj.weight")
    ///     .dtype(DType::BF16);
    /// let weights = device.fill(&q_proj)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::BufferTooLarge`],
    /// [`ErrorKind::MatrixTooLarge`], [`ErrorKind::OutOfMemory`], [`ErrorKind::DeviceLost`],
    /// [`ErrorKind::WrongBits`] at the first use of a kernel that the driver breaks, or for an
    /// orthogonal matrix of 65,536 entries or 8,193 rows and more that comes out not orthogonal:
    /// such a fill waits until it is done.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill(&self, spec: &TensorSpec) -> Result<Tensor> {
        pollster::block_on(self.fill_async(spec))
    }

    /// [`fill`](Self::fill) for any executor, with the same errors.
    pub async fn fill_async(&self, spec: &TensorSpec) -> Result<Tensor> {
        Ok(self.fill_all_async(std::slice::from_ref(spec)).await?.swap_remove(0))
    }

    /// [`fill`](Self::fill) with options.
    ///
    /// # Errors
    /// Those of [`fill_all_with`](Self::fill_all_with).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill_with(&self, spec: &TensorSpec, options: FillOptions<'_>) -> Result<Tensor> {
        pollster::block_on(self.fill_with_async(spec, options))
    }

    /// [`fill_with`](Self::fill_with) for any executor, with the same errors.
    pub async fn fill_with_async(
        &self,
        spec: &TensorSpec,
        options: FillOptions<'_>,
    ) -> Result<Tensor> {
        let specs = std::slice::from_ref(spec);
        Ok(self.fill_all_with_async(specs, options).await?.swap_remove(0))
    }

    /// Makes many tensors with as few buffers, dispatches and submissions as possible. Bytes beyond
    /// a tensor's elements are zero.
    ///
    /// Tensors of at most 1 MiB share buffers of at most 16 MiB, each at an offset where it can be
    /// bound by itself ([`Tensor::binding`]); not those that are slices, have zero rows, start
    /// inside a block, cross a multiple of 2^34 elements or are orthogonal, sparse, eye, dirac,
    /// arange, integers, F64 or of 8 bits.
    /// Each seed takes dispatches of its own. To wgpu a shared buffer is one buffer: it lives as
    /// long as one of its tensors, it cannot be copied to itself, nor be written and read by other
    /// bindings of the same dispatch. For a tensor that needs that, call [`fill`](Self::fill),
    /// which gives it a buffer of its own.
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
    /// Those of [`fill`](Self::fill), for the first tensor that has one; nothing is filled then.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill_all(&self, specs: &[TensorSpec]) -> Result<Vec<Tensor>> {
        pollster::block_on(self.fill_all_async(specs))
    }

    /// [`fill_all`](Self::fill_all) for any executor, with the same errors.
    pub async fn fill_all_async(&self, specs: &[TensorSpec]) -> Result<Vec<Tensor>> {
        let usages = wgpu::BufferUsages::empty();
        self.fill_tensors(specs, usages, |_| None::<NoReport>).await
    }

    /// [`fill_all`](Self::fill_all) with options.
    ///
    /// # Errors
    /// Those of [`fill_all`](Self::fill_all), and [`ErrorKind::Interrupted`] if the progress
    /// function canceled; the device goes on working.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill_all_with(
        &self,
        specs: &[TensorSpec],
        options: FillOptions<'_>,
    ) -> Result<Vec<Tensor>> {
        pollster::block_on(self.fill_all_with_async(specs, options))
    }

    /// [`fill_all_with`](Self::fill_all_with) for any executor, with the same errors.
    pub async fn fill_all_with_async(
        &self,
        specs: &[TensorSpec],
        options: FillOptions<'_>,
    ) -> Result<Vec<Tensor>> {
        let FillOptions { usages, progress } = options;
        let report = |total| {
            let mut progress = Progress::new(total, progress?);
            Some(move |elements| progress.add(elements))
        };
        self.fill_tensors(specs, usages, report).await
    }

    async fn fill_tensors<P: Report>(
        &self,
        specs: &[TensorSpec],
        usages: wgpu::BufferUsages,
        report: impl FnOnce(u64) -> Option<P>,
    ) -> Result<Vec<Tensor>> {
        let fills =
            specs.iter().map(|spec| self.streams.resolve(spec)).collect::<Result<Vec<_>>>()?;
        let report = report(fills.iter().map(|fill| fill.len).sum());
        self.fill_resolved(specs, fills, usages, report).await.during(FILL)
    }

    async fn fill_resolved<P: Report>(
        &self,
        specs: &[TensorSpec],
        fills: Vec<Fill>,
        usages: wgpu::BufferUsages,
        report: Option<P>,
    ) -> Result<Vec<Tensor>, ErrorKind> {
        let engine = &self.inner.engine;
        let usages = usages
            | wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let (allocations, sizes) = allocate(&fills, &engine.limits);
        let mut buffers = Vec::with_capacity(sizes.len());
        for size in sizes {
            buffers.push(vulkan::unwritten(&engine.context, size, usages).await?);
        }
        let shared = allocations.iter().map(|to| to.padded.is_some());
        let kernels = self.verify_fills(fills.iter().zip(shared)).await?;
        // Streams are taken once there is memory for all.
        let view = |(fill, to): (Fill, &Allocation)| View {
            fill,
            buffer: buffers[to.buffer].clone(),
            offset: to.offset,
        };
        let views = fills.into_iter().zip(&allocations).map(view);
        let tensors = self.tensors(specs.iter().zip(views));
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for (tensor, to) in tensors.iter().zip(allocations) {
            match to.padded {
                Some(_) => shared.push((&tensor.view, to)),
                None => own.push(&tensor.view),
            }
        }
        clear_ends(engine, &own).await?;
        let mut recorder = Recorder::followed(engine, &kernels, report);
        record_shared(engine, &shared, &buffers, &mut recorder).await?;
        record(engine, &own, &mut recorder).await?;
        recorder.finish().await?;
        Ok(tensors)
    }

    /// Fills memory that the caller owns: the tensor's bytes from `offset` of `buffer` on, and no
    /// other byte. The tensor returned is a view of that memory.
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
    /// let spec = TensorSpec::new([256, 256], Initializer::xavier_normal());
    /// let view = device.fill_into(&spec, &buffer, 4096)?;
    /// assert_eq!(view.offset(), 4096);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`TensorSpec::resolve`], [`ErrorKind::UnalignedOffset`] if the offset is not a
    /// multiple of 4, [`ErrorKind::BufferUsage`] if the buffer lacks STORAGE,
    /// [`ErrorKind::BufferTooSmall`], [`ErrorKind::DeviceLost`], [`ErrorKind::WrongBits`],
    /// [`ErrorKind::Gpu`] if the buffer is another device's of the same [`wgpu::Instance`]. Nothing
    /// is written then, except by a large orthogonal matrix that is found wrong when it is done.
    /// (All devices that the library opens are of one instance, but for OpenGL's. wgpu cannot tell
    /// the buffers of different instances apart: never pass one across.)
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill_into(
        &self,
        spec: &TensorSpec,
        buffer: &wgpu::Buffer,
        offset: u64,
    ) -> Result<Tensor> {
        pollster::block_on(self.fill_into_async(spec, buffer, offset))
    }

    /// [`fill_into`](Self::fill_into) for any executor, with the same errors.
    pub async fn fill_into_async(
        &self,
        spec: &TensorSpec,
        buffer: &wgpu::Buffer,
        offset: u64,
    ) -> Result<Tensor> {
        Ok(self.fill_all_into_async(&[(spec, buffer, offset)]).await?.swap_remove(0))
    }

    /// Fills memory that the caller owns with many tensors, in as few submissions as possible.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec, wgpu};
    /// # fn example(device: &Device, buffer: &wgpu::Buffer) -> gpu_init::Result<()> {
    /// let weight = TensorSpec::new([256, 64], Initializer::xavier_normal()).name("weight");
    /// let bias = TensorSpec::new([256], Initializer::zeros()).name("bias");
    /// let tensors = device.fill_all_into(&[(&weight, buffer, 0), (&bias, buffer, 1 << 16)])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_into`](Self::fill_into), for the first tensor that has one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fill_all_into(&self, targets: &[Target<'_>]) -> Result<Vec<Tensor>> {
        pollster::block_on(self.fill_all_into_async(targets))
    }

    /// [`fill_all_into`](Self::fill_all_into) for any executor, with the same errors.
    pub async fn fill_all_into_async(&self, targets: &[Target<'_>]) -> Result<Vec<Tensor>> {
        self.record_into(targets, None).await
    }

    /// Records the commands that fill memory of the caller's into the caller's encoder.
    ///
    /// Nothing is submitted or polled, except when a kernel is first needed, which is verified
    /// then, and on OpenGL to check scratch memory of 1 MiB and more. The tensors hold their
    /// elements once the caller has submitted the encoder's commands.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec, wgpu};
    /// # fn example(device: &Device, buffer: &wgpu::Buffer) -> gpu_init::Result<()> {
    /// let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    /// let spec = TensorSpec::new([256, 256], Initializer::xavier_normal());
    /// device.encode(&[(&spec, buffer, 0)], &mut encoder)?;
    /// device.wgpu_queue().submit([encoder.finish()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`fill_into`](Self::fill_into). Nothing is recorded then. Large orthogonal matrices
    /// are not examined: their commands have not run yet.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn encode(
        &self,
        targets: &[Target<'_>],
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<Vec<Tensor>> {
        pollster::block_on(self.encode_async(targets, encoder))
    }

    /// [`encode`](Self::encode) for any executor, with the same errors.
    pub async fn encode_async(
        &self,
        targets: &[Target<'_>],
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<Vec<Tensor>> {
        self.record_into(targets, Some(encoder)).await
    }

    /// Fills memory of the caller's, by the encoder's commands or else at once.
    async fn record_into(
        &self,
        targets: &[Target<'_>],
        encoder: Option<&mut wgpu::CommandEncoder>,
    ) -> Result<Vec<Tensor>> {
        let resolve = |&(spec, buffer, offset): &Target<'_>| {
            let view = View { fill: self.streams.resolve(spec)?, buffer: buffer.clone(), offset };
            view.check().during(FILL)?;
            Ok(view)
        };
        let views = targets.iter().map(resolve).collect::<Result<Vec<_>>>()?;
        let fills = views.iter().map(|view| (&view.fill, false));
        let kernels = self.verify_fills(fills).await.during(FILL)?;
        let tensors = self.tensors(targets.iter().map(|&(spec, ..)| spec).zip(views));
        let views: Vec<_> = tensors.iter().map(|tensor| &tensor.view).collect();
        let engine = &self.inner.engine;
        let mut recorder = match encoder {
            Some(encoder) => Recorder::into_encoder(engine, &kernels, encoder),
            None => Recorder::into_queue(engine, &kernels),
        };
        record(engine, &views, &mut recorder).await.during(FILL)?;
        recorder.finish().await.during(FILL)?;
        Ok(tensors)
    }

    /// Tensors whose elements are not written yet.
    fn tensors<'a>(&self, views: impl Iterator<Item = (&'a TensorSpec, View)>) -> Vec<Tensor> {
        let tensor = |(spec, view): (&TensorSpec, View)| {
            let view = View { fill: self.streams.take(spec, view.fill), ..view };
            Tensor { device: self.clone(), shape: spec.shape().clone(), view }
        };
        views.map(tensor).collect()
    }
}
