//! The devices that tensors are filled on: GPUs and the CPU.

pub(crate) mod adapter;
pub(crate) mod choice;
pub(crate) mod device;
pub(crate) mod launcher;
pub(crate) mod memory;
pub(crate) mod remedies;
pub(crate) mod threads;
pub(crate) mod units;
