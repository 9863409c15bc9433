//! A tensor in GPU memory.

use std::ops::Range;

use crate::error::During;
use crate::gpu::device::Device;
use crate::gpu::engine::encode::binding;
use crate::gpu::engine::view::View;
use crate::{DType, Element, ErrorKind, Fill, HostTensor, Result, Shape};

/// A tensor, or a range of one, in a buffer of GPU memory.
///
/// The commands that fill it are submitted (or recorded, see [`Device::encode`]) but need not be
/// done: the queue keeps the order, so it can be used at once.
///
/// ```no_run
/// use gpu_init::{Device, GpuInit};
///
/// let device = Device::new()?;
/// let weights = GpuInit::xavier_normal(&device, [4096, 11008])?;
/// println!("{} {} {}", weights.shape(), weights.dtype(), weights.fingerprint()?);
/// assert!(weights.stats()?.disagreement(weights.spec()).is_none());
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tensor {
    pub(super) device: Device,
    pub(super) shape: Shape,
    pub(super) view: View,
}

impl Tensor {
    /// The buffer that holds the elements, row-major, from [`offset`](Self::offset) on. It may hold
    /// other tensors too: small ones that one call of [`Device::fill_all`] makes share buffers.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.view.buffer
    }

    /// Byte offset of the first element in the buffer. In a shared buffer it is a multiple of 256
    /// and of the device's alignment of bindings; 0 if the tensor has a buffer of its own, as
    /// [`Device::fill`] makes it.
    pub fn offset(&self) -> u64 {
        self.view.offset
    }

    /// Bytes of the elements; the buffer may be larger.
    pub fn bytes(&self) -> u64 {
        self.view.fill.bytes()
    }

    /// The elements' part of the buffer, for a bind group. Its size is rounded up to whole words.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, GpuInit, wgpu};
    /// let weights = GpuInit::xavier_normal(&Device::new()?, [64, 64])?;
    /// let entry = wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(weights.binding()) };
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn binding(&self) -> wgpu::BufferBinding<'_> {
        binding(&self.view.buffer, self.view.offset, self.bytes().next_multiple_of(4))
    }

    /// The device that filled it.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The shape of the whole tensor.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.view.fill.dtype
    }

    /// The resolved request: distribution, seed, stream and range, which decide the elements.
    pub fn spec(&self) -> &Fill {
        &self.view.fill
    }

    /// Index of the first element here in the whole row-major tensor.
    pub fn first(&self) -> u64 {
        self.view.fill.first
    }

    /// Number of elements here, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a tensor is never empty")]
    pub fn len(&self) -> u64 {
        self.view.fill.len
    }

    /// Reads all elements back.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, GpuInit};
    /// let weights = GpuInit::xavier_uniform(&Device::new()?, [2, 4])?.read()?;
    /// assert!(weights.as_slice::<f32>().unwrap().iter().all(|w| w.abs() <= 1.0));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::BufferUsage`] if the caller's buffer lacks COPY_SRC, [`ErrorKind::HostOutOfMemory`],
    /// [`ErrorKind::OutOfMemory`], [`ErrorKind::DeviceLost`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&self) -> Result<HostTensor> {
        pollster::block_on(self.read_async())
    }

    /// [`read`](Self::read) for any executor, with the same errors.
    pub async fn read_async(&self) -> Result<HostTensor> {
        self.read_range_async(0..self.len()).await
    }

    /// Reads back a range of the elements here, counted from the first one.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, GpuInit};
    /// let weights = GpuInit::xavier_normal(&Device::new()?, [4096, 4096])?;
    /// let second_row = weights.read_range(4096..8192)?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`ErrorKind::Range`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_range(&self, range: Range<u64>) -> Result<HostTensor> {
        pollster::block_on(self.read_range_async(range))
    }

    /// [`read_range`](Self::read_range) for any executor, with the same errors.
    pub async fn read_range_async(&self, range: Range<u64>) -> Result<HostTensor> {
        self.read_elements(range).await.during("read")
    }

    async fn read_elements(
        &self,
        Range { start, end }: Range<u64>,
    ) -> Result<HostTensor, ErrorKind> {
        if start >= end || end > self.len() {
            let (shape, elements) = (self.shape.clone(), self.len());
            return Err(ErrorKind::Range { start, end, shape, elements });
        }
        self.view.read_part(&self.device.inner.engine.context, start, end - start).await
    }

    /// Reads all elements back as a vector of their own type.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, GpuInit};
    /// let weights: Vec<f32> = GpuInit::xavier_normal(&Device::new()?, [64, 64])?.to_vec()?;
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`ErrorKind::DTypeMismatch`] if `T` is another type.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        pollster::block_on(self.to_vec_async())
    }

    /// [`to_vec`](Self::to_vec) for any executor, with the same errors.
    pub async fn to_vec_async<T: Element>(&self) -> Result<Vec<T>> {
        let (expected, actual) = (self.dtype(), T::DTYPE);
        if actual != expected {
            return Err(ErrorKind::DTypeMismatch { expected, actual }.during("read"));
        }
        self.read_async().await?.into_vec()
    }
}
