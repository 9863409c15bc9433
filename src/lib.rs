#![doc = include_str!("../README.md")]
#![doc = include_str!("stream.md")]
#![deny(missing_docs, missing_debug_implementations)]

// Files that unit and integration tests share name the crate from outside.
#[cfg(test)]
extern crate self as gpu_init;

mod cpu;
mod diagonal;
mod distribution;
mod dtype;
mod error;
#[cfg(feature = "gpu")]
mod gpu;
mod host_tensor;
mod init;
mod initializer;
mod law_cache;
mod orthogonal;
mod parameter;
mod philox;
mod progress;
mod quantile;
mod reduce;
#[cfg(feature = "rules")]
mod rules;
mod sample;
mod shape;
mod slice;
mod sparse;
mod truncated;

pub use cpu::Cpu;
pub use diagonal::Diagonal;
pub use distribution::Distribution;
pub use dtype::{DType, Element, ParseDTypeError};
pub use error::{Error, Result};
#[cfg(feature = "gpu")]
pub use gpu::{Device, DeviceOptions, MulAdd, Multiply, Tensor, adapters, best_adapter, shader};
pub use host_tensor::HostTensor;
pub use init::CpuInit;
#[cfg(feature = "gpu")]
pub use init::GpuInit;
pub use initializer::{
    FanMode, Initializer, Layout, Nonlinearity, ParseInitializerError, ParseLayoutError, VarianceLaw, calculate_gain,
};
pub use orthogonal::Orthogonal;
pub use parameter::{Fill, Parameter, stream_of};
pub use philox::Philox4x32;
pub use reduce::{Fingerprint, Stats};
#[cfg(feature = "rules")]
pub use rules::{ParseRulesError, Plan, PlanEntry, PlanError, PlanWarning, Recipe, Rule, Rules};
pub use shape::Shape;
pub use slice::Shard;
pub use sparse::Sparse;

/// Version of the stream: of what a seed, a stream and an index give. It is frozen; another one gives other weights.
///
/// ```
/// assert_eq!(gpu_init::STREAM_VERSION, 1);
/// ```
pub const STREAM_VERSION: u32 = 1;

#[cfg(feature = "gpu")]
pub use wgpu;
pub use {half, rand};
