//! The reductions of tensors: statistics and fingerprints.

use std::sync::Arc;

use crate::error::During;
use crate::gpu::device::Device;
use crate::gpu::engine::reduce;
use crate::gpu::engine::view::View;
use crate::gpu::self_test::group::Group;
use crate::gpu::tensor::Tensor;
use crate::{ErrorKind, Fingerprint, Result, Stats};

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

    /// [`fingerprints`](Self::fingerprints) for any executor.
    ///
    /// # Errors
    /// Those of [`Tensor::fingerprint`].
    pub async fn fingerprints_async(&self, tensors: &[&Tensor]) -> Result<Vec<Fingerprint>> {
        let mut fingerprints = Vec::with_capacity(tensors.len());
        for (device, views) in self.by_device(tensors) {
            device.verify_reductions(&views).await.during("fingerprint")?;
            let own = reduce::fingerprints(&device.inner.engine, &views).await;
            fingerprints.extend(own.during("fingerprint")?);
        }
        Ok(fingerprints)
    }

    /// Computes the statistics of many tensors on the GPU, with as few submissions as possible.
    ///
    /// ```no_run
    /// # use gpu_init::{Device, Initializer, TensorSpec};
    /// let device = Device::new()?;
    /// let spec = |rows| TensorSpec::new([rows, 64], Initializer::xavier_normal());
    /// let layers = device.fill_all(&[spec(64), spec(16)])?;
    /// for (layer, stats) in layers.iter().zip(device.stats(&layers.iter().collect::<Vec<_>>())?) {
    ///     assert_eq!(stats.disagreement(layer.spec()), None);
    /// }
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tensor::stats`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn stats(&self, tensors: &[&Tensor]) -> Result<Vec<Stats>> {
        pollster::block_on(self.stats_async(tensors))
    }

    /// [`stats`](Self::stats) for any executor.
    ///
    /// # Errors
    /// Those of [`Tensor::stats`].
    pub async fn stats_async(&self, tensors: &[&Tensor]) -> Result<Vec<Stats>> {
        let mut stats = Vec::with_capacity(tensors.len());
        for (device, views) in self.by_device(tensors) {
            device.verify_reductions(&views).await.during("stats")?;
            stats.extend(reduce::stats(&device.inner.engine, &views).await.during("stats")?);
        }
        Ok(stats)
    }

    /// The tensors, together where they follow one another in the memory of one device.
    fn by_device<'a>(&self, tensors: &[&'a Tensor]) -> Vec<(&'a Device, Vec<&'a View>)> {
        tensors
            .chunk_by(|a, b| Arc::ptr_eq(&a.device.inner, &b.device.inner))
            .map(|own| (&own[0].device, own.iter().map(|tensor| &tensor.view).collect()))
            .collect()
    }

    async fn verify_reductions(&self, views: &[&View]) -> Result<(), ErrorKind> {
        self.verify(views.iter().map(|view| Group::Reduce(view.fill.dtype))).await
    }
}

impl Tensor {
    /// Statistics, computed on the GPU: only a few bytes for every 16,384 elements are read back.
    ///
    /// # Errors
    /// [`ErrorKind::BufferUsage`] if the caller's buffer lacks STORAGE, [`ErrorKind::OutOfMemory`],
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::WrongBits`] at the first use of a kernel that the driver
    /// breaks.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn stats(&self) -> Result<Stats> {
        pollster::block_on(self.stats_async())
    }

    /// [`stats`](Self::stats) for any executor.
    ///
    /// # Errors
    /// Those of [`stats`](Self::stats).
    pub async fn stats_async(&self) -> Result<Stats> {
        Ok(self.device.stats_async(&[self]).await?.swap_remove(0))
    }

    /// The fingerprint, computed on the GPU.
    ///
    /// # Errors
    /// Those of [`stats`](Self::stats).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        pollster::block_on(self.fingerprint_async())
    }

    /// [`fingerprint`](Self::fingerprint) for any executor.
    ///
    /// # Errors
    /// Those of [`stats`](Self::stats).
    pub async fn fingerprint_async(&self) -> Result<Fingerprint> {
        Ok(self.device.fingerprints_async(&[self]).await?.swap_remove(0))
    }
}
