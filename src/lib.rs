#![doc = include_str!("../README.md")]
#![doc = include_str!("../docs/stream.md")]
#![cfg_attr(docsrs, feature(doc_cfg))] // docs.rs shows which feature an item needs.
#![recursion_limit = "256"] // Rust will want it for wgpu's types: rust-lang/rust#159228.
#![deny(missing_docs, missing_debug_implementations, unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

// Files that unit and integration tests share name the crate from outside.
#[cfg(test)]
extern crate self as gpu_init;

mod cpu;
mod distribution;
mod dtype;
mod element;
mod error;
mod float8;
#[cfg(feature = "gpu")]
mod gpu;
mod host_tensor;
mod huge_pages;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))] // Its calls block.
mod init;
mod initializer;
mod layout;
mod memory;
#[cfg(feature = "rules")]
mod model;
mod number;
mod progress;
mod reduce;
mod shape;
mod size;
mod spec;
mod stream;

pub use cpu::Cpu;
pub use distribution::{Diagonal, Distribution, Orthogonal, Sparse};
pub use dtype::{DType, ParseDTypeError};
pub use element::{Bool, Element};
pub use error::{Error, ErrorKind, Result};
pub use float8::{F8E4M3, F8E5M2};
#[cfg(feature = "gpu")]
pub use gpu::{
    AdapterChoice, Device, DeviceOptions, FillOptions, FpGuard, Target, Tensor, WideMul, adapters,
    best_adapter, best_gpu, shader,
};
pub use host_tensor::HostTensor;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use init::GpuInit;
pub use initializer::{
    FanMode, Initializer, Nonlinearity, ParseInitializerError, VarianceDistribution, calculate_gain,
};
pub use layout::{Layout, ParseLayoutError};
#[cfg(feature = "rules")]
pub use model::{
    KeptTensor, ListedTensor, ParseRulesError, Plan, PlanEntry, PlanError, PlanWarning, Recipe,
    Rule, RuleError, Rules,
};
pub use number::Number;
pub use reduce::{Fingerprint, Stats, Summary};
pub use shape::Shape;
pub use spec::{Fill, Shard, TensorSpec, stream_of};
pub use stream::philox::Philox4x32;

/// Version of the map from seed, stream and index to bits. It is frozen: another version gives
/// other weights.
///
/// ```
/// assert_eq!(gpu_init::STREAM_VERSION, 1);
/// ```
pub const STREAM_VERSION: u32 = 1;

#[cfg(feature = "gpu")]
pub use wgpu;
pub use {half, rand};

/// The code of the other documents, as doctests.
#[cfg(all(doctest, feature = "gpu", feature = "rules"))]
mod documents {
    #[doc = include_str!("../docs/library.md")]
    pub struct Library;
    #[doc = include_str!("../docs/sharding.md")]
    pub struct Sharding;
}
