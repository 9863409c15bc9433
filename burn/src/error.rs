//! Why a module or tensor could not be initialized.

use burn::tensor::DType;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a module or tensor could not be initialized. Nothing is written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Parameters that cannot be planned by their rules, or filled.
    #[error(transparent)]
    Plan(#[from] gpu_init::PlanError),
    /// A tensor that cannot be filled, or a device that cannot be opened.
    #[error(transparent)]
    Fill(#[from] gpu_init::Error),
    /// A plan's tensor that the module does not have.
    #[error(
        "init: the plan has {name:?}, and the module has no such parameter; it has {parameters}: plan \
         the module itself, by `gpu_init_burn::plan`"
    )]
    NoParameter {
        /// The tensor's name in the plan.
        name: String,
        /// Some of the module's parameters.
        parameters: String,
    },
    /// A parameter of another shape than the plan's tensor.
    #[error(
        "init: {name:?} is {actual:?} in the module and {planned:?} in the plan; plan the module \
         itself, by `gpu_init_burn::plan`"
    )]
    Shape {
        /// The parameter's name.
        name: String,
        /// Its shape, as burn stores it.
        actual: Vec<usize>,
        /// The shape of the plan's tensor.
        planned: Vec<usize>,
    },
    /// A parameter that is initialized already, of another type than the plan's tensor.
    #[error(
        "init: {name:?} is initialized and {}, and the plan has {planned}; a parameter's type is \
         changed before it is first used, or by burn: take the dtype out of the rules, or cast the \
         module", actual.name()
    )]
    Initialized {
        /// The parameter's name.
        name: String,
        /// The type of its tensor.
        actual: DType,
        /// The type of the plan's tensor.
        planned: gpu_init::DType,
    },
    /// An element type that the parameter's device, or this crate, does not have.
    #[error(
        "{what} has the element type {dtype}, which {device} does not support; choose another dtype, \
         or another device"
    )]
    DType {
        /// The call, and the parameter or spec.
        what: String,
        /// The type.
        dtype: String,
        /// The device.
        device: String,
    },
    /// A tensor that is not of the rank that was asked for, or only a range of elements.
    #[error(
        "tensor: {elements} elements of shape {shape:?} are no Tensor<{rank}>; give a spec of {rank} \
         dimensions, and take parts by `slice` or `shard`"
    )]
    Rank {
        /// Number of elements of the spec.
        elements: u64,
        /// The spec's shape after slices and shards.
        shape: Vec<usize>,
        /// The rank of the tensor.
        rank: usize,
    },
    /// Burn could not open its wgpu device.
    #[cfg(feature = "wgpu")]
    #[error("open wgpu: {0}")]
    Wgpu(#[from] burn::tensor::wgpu::WgpuInitError),
    /// A device that burn does not run on wgpu.
    #[cfg(feature = "wgpu")]
    #[error(
        "share wgpu: {device} is no wgpu device; pass the one that burn returned with the setup"
    )]
    NotWgpu {
        /// The device.
        device: String,
    },
    /// Burn could not submit or read what is pending on a device.
    #[error("init: burn's device failed: {message}")]
    Device {
        /// Burn's message.
        message: String,
    },
}
