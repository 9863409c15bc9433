#![doc = include_str!("../README.md")]
#![deny(missing_docs, missing_debug_implementations)]

mod dtype;
mod error;
mod fingerprint;
mod init;
mod initializer;
mod layout;
mod parameters;
mod path;
mod plan;
mod rules;
mod tensor;
#[cfg(feature = "wgpu")]
mod wgpu;

pub use error::{Error, Result};
pub use fingerprint::fingerprint;
pub use init::{init, init_by_plan, init_with};
pub use initializer::IntoInitializer;
pub use plan::plan;
pub use rules::rules;
pub use tensor::tensor;
#[cfg(feature = "wgpu")]
pub use wgpu::{gpu, open_wgpu, share_wgpu};

pub use {burn, gpu_init};
