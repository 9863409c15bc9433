//! The WGSL and the parameters of its kernels, for programs that dispatch them by themselves: in
//! another engine, or in a browser.

use crate::distribution::cache;
use crate::gpu::engine::plan::dispatch::{Binding, Slot};
use crate::gpu::engine::plan::limits::Limits;
use crate::gpu::engine::plan::tiles::{Target, background};
use crate::stream::quantile::Truncated;
use crate::{DType, Distribution, Fill};

pub use crate::gpu::engine::params::{FillParams, SliceParams};
pub use crate::gpu::wgsl::{fill, reduce};

/// One dispatch of a kernel of [`fill`](crate::shader::fill()).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FillDispatch {
    /// `fill`, `fill_words` or `fill_slice`.
    pub entry_point: &'static str,
    /// The values of the module's overrides.
    pub constants: [(&'static str, f64); 2],
    /// The uniform at binding 0.
    pub params: FillParams,
    /// Byte offset of the output's storage binding, binding 1.
    pub offset: u64,
    /// Bytes of the output's storage binding.
    pub size: u64,
    /// Workgroups in x and y.
    pub workgroups: [u32; 2],
}

/// Plans the dispatches that fill a range of a buffer from byte `offset` on, within a device's
/// limits. `None` for what other kernels write too: scattered and indexed values, zeroed rows, and types
/// that are converted.
///
/// Binding 2 is the table of a truncated normal (see [`table`]); for others the shader does not
/// read it, but WebGPU wants a buffer there, of at least 16 bytes.
///
/// ```
/// use gpu_init::{TensorSpec, shader, wgpu};
///
/// let fill = TensorSpec::new([1000, 64], "xavier_normal".parse()?).resolve(42, 7)?;
/// let dispatches = shader::dispatches(&fill, 0, &wgpu::Limits::default()).unwrap();
/// assert_eq!((dispatches.len(), dispatches[0].entry_point), (1, "fill"));
/// assert_eq!(dispatches[0].workgroups, [16, 1]); // 256 invocations of 16 elements each
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dispatches(fill: &Fill, offset: u64, limits: &wgpu::Limits) -> Option<Vec<FillDispatch>> {
    let is_sampled = DType::SAMPLED.contains(&fill.dtype) && !fill.distribution.is_uploaded();
    if !is_sampled || fill.distribution.base() != fill.distribution || fill.zeros.is_some() {
        return None;
    }
    // The table is the caller's, and so is the bound on a dispatch's work.
    let table = Binding::first(Slot::TABLE, 0);
    let (target, limits) = (Target { slot: Slot::TENSOR, offset }, Limits::new(limits, u64::MAX));
    let dispatches = background(fill, target, table, &limits).map(|dispatch| FillDispatch {
        entry_point: dispatch.kernel.entry.name(),
        constants: [
            ("DTYPE", f64::from(dispatch.kernel.dtype as u32)),
            ("DISTRIBUTION", f64::from(dispatch.kernel.transform as u32)),
        ],
        params: bytemuck::pod_read_unaligned(dispatch.params.as_bytes()),
        offset: dispatch.bindings[0].offset,
        size: dispatch.bindings[0].size,
        workgroups: dispatch.grid,
    });
    Some(dispatches.collect())
}

/// Computes the table of a truncated normal's quantiles, for a read-only storage buffer at binding
/// 2; `None` for other distributions.
///
/// ```
/// use gpu_init::{TensorSpec, shader};
///
/// let fill = TensorSpec::new([64], "truncated_normal".parse()?).resolve(42, 7)?;
/// assert_eq!(shader::table(&fill).unwrap().len(), 514);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn table(fill: &Fill) -> Option<Vec<[f32; 4]>> {
    match fill.distribution {
        Distribution::Truncated { mean, std, low, high, .. } => {
            Some(cache::table(Truncated { mean, std, low, high }).to_vec())
        }
        _ => None,
    }
}
