//! The seed of a device and its count of streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::spec::fill::Fill;
use crate::spec::tensor_spec::TensorSpec;

/// Seed and next stream of a device: used by calls that name none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    pub(crate) seed: u64,
    next: Arc<AtomicU64>,
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Streams { seed, next: Arc::default() }
    }

    /// Resolves a request with this seed. No stream is taken yet: the call may still fail.
    pub(crate) fn resolve(&self, spec: &TensorSpec) -> Result<Fill> {
        spec.resolve(self.seed, 0)
    }

    /// Takes the next stream for a resolved request that names none.
    pub(crate) fn take(&self, spec: &TensorSpec, fill: Fill) -> Fill {
        let stream = if spec.stream.is_some() {
            fill.stream
        } else {
            self.next.fetch_add(1, Ordering::Relaxed)
        };
        Fill { stream, ..fill }
    }
}
