//! What a device has to offer to be measured.

use gpu_init::TensorSpec;
use serde::Serialize;

use crate::commands::bench::by::By;

/// A device with memory to fill.
pub(super) trait Device {
    fn about(&self) -> About;

    fn by(&self) -> &'static [By];

    fn largest(&self) -> u64;

    /// Fills a tensor; returns seconds.
    fn fill(&mut self, spec: &TensorSpec, by: By) -> anyhow::Result<f64>;

    /// Writes one value to `bytes`; returns seconds.
    fn write(&mut self, bytes: u64) -> anyhow::Result<f64>;
}

#[derive(Debug, Serialize)]
pub(super) struct About {
    pub(super) name: String,
    pub(super) details: String,
    pub(super) timing: &'static str,
    /// How the write bandwidth is measured.
    pub(super) write: &'static str,
    /// The most bytes that one dispatch fills, if there is such a limit.
    #[serde(rename = "window_bytes")]
    pub(super) window: Option<u64>,
}
