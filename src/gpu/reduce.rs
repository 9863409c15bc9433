//! The reductions of tensors: fingerprints and statistics.

use std::sync::Arc;

use crate::error::During;
use crate::gpu::device::Device;
use crate::gpu::engine::Engine;
use crate::gpu::engine::pipelines::Kernels;
use crate::gpu::engine::reduce;
use crate::gpu::engine::view::View;
use crate::gpu::self_test::group::Group;
use crate::gpu::tensor::Tensor;
use crate::{ErrorKind, Fingerprint, Result, Stats, Summary};

impl Device {
    /// Computes the fingerprints of many tensors on the GPU, with as few submissions as possible.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec};
    /// let device = Device::new()?;
    /// let spec = |rows| TensorSpec::new([rows, 64], Initializer::xavier_normal());
    /// let layers = device.fill_all(&[spec(64), spec(16)])?;
    /// let fingerprints = device.fingerprints(&layers.iter().collect::<Vec<_>>())?;
    /// assert_eq!(fingerprints[1], layers[1].fingerprint()?);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::fingerprint`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fingerprints(&self, tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
        pollster::block_on(self.fingerprints_async(tensors))
    }

    /// [`fingerprints`](Self::fingerprints) for any executor, with the same errors.
    pub async fn fingerprints_async(&self, tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
        reduced(tensors, reduce::fingerprints, "fingerprint").await
    }

    /// Computes the statistics and the fingerprints of many tensors on the GPU, reading each once,
    /// with as few submissions as possible.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec};
    /// let device = Device::new()?;
    /// let spec = |rows| TensorSpec::new([rows, 64], Initializer::xavier_normal());
    /// let layers = device.fill_all(&[spec(64), spec(16)])?;
    /// let summaries = device.summaries(&layers.iter().collect::<Vec<_>>())?;
    /// for (layer, summary) in layers.iter().zip(summaries) {
    ///     assert_eq!(summary.stats.disagreement(layer.spec()), None);
    /// }
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::summary`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn summaries(&self, tensors: &[&Tensor]) -> Result<Vec<Summary>> {
        pollster::block_on(self.summaries_async(tensors))
    }

    /// [`summaries`](Self::summaries) for any executor, with the same errors.
    pub async fn summaries_async(&self, tensors: &[&Tensor]) -> Result<Vec<Summary>> {
        reduced(tensors, reduce::summaries, "summary").await
    }
}

/// Reduces tensors, together where they follow one another in the memory of one device.
async fn reduced<T>(
    tensors: &[&Tensor],
    reduce: impl AsyncFn(&Engine, &Kernels, &[&View]) -> Result<Vec<T>, ErrorKind>,
    operation: &'static str,
) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(tensors.len());
    for own in tensors.chunk_by(|a, b| Arc::ptr_eq(&a.device.inner, &b.device.inner)) {
        let (device, views) = (&own[0].device, own.iter().map(|tensor| &tensor.view));
        let groups = views.clone().map(|view| Group::of_reductions(view.fill.dtype));
        let kernels = device.verify(groups).await.during(operation)?;
        let views: Vec<_> = views.collect();
        results.extend(reduce(&device.inner.engine, &kernels, &views).await.during(operation)?);
    }
    Ok(results)
}

impl Tensor {
    /// Statistics and fingerprint, computed on the GPU in one pass: 36 bytes for every 16,384 elements
    /// are read back.
    ///
    /// # Errors
    /// [`ErrorKind::BufferUsage`] if the caller's buffer lacks STORAGE, [`ErrorKind::OutOfMemory`],
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::WrongBits`] at the first use of a kernel that the driver
    /// breaks.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn summary(&self) -> Result<Summary> {
        pollster::block_on(self.summary_async())
    }

    /// [`summary`](Self::summary) for any executor, with the same errors.
    pub async fn summary_async(&self) -> Result<Summary> {
        Ok(self.device.summaries_async(&[self]).await?.swap_remove(0))
    }

    /// Statistics: those of the [`summary`](Self::summary).
    ///
    /// # Errors
    /// Those of [`summary`](Self::summary).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn stats(&self) -> Result<Stats> {
        pollster::block_on(self.stats_async())
    }

    /// [`stats`](Self::stats) for any executor, with the same errors.
    pub async fn stats_async(&self) -> Result<Stats> {
        Ok(reduced(&[self], reduce::summaries, "stats").await?.swap_remove(0).stats)
    }

    /// The fingerprint, computed on the GPU.
    ///
    /// # Errors
    /// Those of [`summary`](Self::summary).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        pollster::block_on(self.fingerprint_async())
    }

    /// [`fingerprint`](Self::fingerprint) for any executor, with the same errors.
    pub async fn fingerprint_async(&self) -> Result<Fingerprint> {
        Ok(self.device.fingerprints_async(&[self]).await?.swap_remove(0))
    }
}
