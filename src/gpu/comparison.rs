//! Another shader in the place of one of this crate's, to measure the one beside the other.

use std::sync::Arc;

use crate::Result;
use crate::gpu::device::{Device, Inner};
use crate::gpu::kernels::{Kernels, Sources};
use crate::gpu::probe::{Group, Trusted};

impl Device {
    /// This device with another text of the fill shader. Nothing checks what it fills with: for
    /// `gpu-init bench` alone.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory),
    /// [`ErrorKind::DeviceLost`](crate::ErrorKind::DeviceLost).
    #[doc(hidden)]
    pub fn with_fill_shader(&self, wgsl: String) -> Result<Self> {
        let (Inner { context, multiply, .. }, mul_add) = (&*self.inner, self.mul_add());
        let sources = Sources { fill: wgsl, ..Sources::new(*multiply, mul_add) };
        let kernels = Kernels::new(context, mul_add, sources, None)?;
        let trusted = Trusted::default();
        // The probe would refuse bits that are not the stream's.
        trusted.add(Group::all(), mul_add);
        let inner = Inner { context: context.clone(), kernels, multiply: *multiply, trusted };
        Ok(Device { inner: Arc::new(inner), streams: self.streams.clone() })
    }
}
