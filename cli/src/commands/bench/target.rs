//! A device and the jobs to measure on it.

use gpu_init::{DType, Initializer, TensorSpec, wgpu};

use crate::backend::adapter::is_software;
use crate::commands::bench::by::By;
use crate::commands::bench::device::{About, Device};
use crate::commands::bench::gpu::Gpu;
use crate::commands::bench::host::Host;
use crate::commands::bench::wanted::{CPU_MOST, MOST, Wanted};
use crate::terminal::output::complain;

/// A device, and the binary logarithm of the largest size to fill there.
pub(super) struct Target {
    device: Box<dyn Device>,
    most: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Job {
    /// Writes one value to `bytes`.
    Write { bytes: u64 },
    /// Fills 2^`size` elements.
    Fill { initializer: Initializer, dtype: DType, size: u32, by: By },
}

impl Target {
    pub(super) fn gpu(adapter: &wgpu::Adapter, wanted: &Wanted) -> anyhow::Result<Self> {
        let most = wanted.most(if is_software(&adapter.get_info()) { CPU_MOST } else { MOST });
        Ok(Target { device: Box::new(Gpu::open(adapter, wanted.bytes(most))?), most })
    }

    pub(super) fn cpu(wanted: &Wanted) -> anyhow::Result<Self> {
        let most = wanted.most(CPU_MOST);
        Ok(Target { device: Box::new(Host::new(wanted.bytes(most))?), most })
    }

    pub(super) fn about(&self) -> About {
        self.device.about()
    }

    /// The jobs that are wanted and fit: first the writes, which the others are compared with.
    pub(super) fn jobs(&self, wanted: &Wanted) -> anyhow::Result<Vec<Job>> {
        let (mut writes, mut fills, largest) = (Vec::new(), Vec::new(), self.device.largest());
        for &by in self.device.by() {
            for &dtype in &wanted.dtypes {
                let most = (largest / dtype.size()).max(1).ilog2().min(self.most);
                let sizes = wanted.sizes(most);
                if by == By::GpuInit && wanted.sizes.iter().any(|&size| size > most) {
                    let name = self.about().name;
                    complain(&format!(
                        "{name}: more than 2^{most} elements of {dtype} do not fit, and are left out"
                    ));
                }
                for &initializer in &wanted.initializers {
                    if !by.draws(parameter(initializer, 2).resolve(0, 0)?.distribution, dtype) {
                        continue;
                    }
                    for &size in &sizes {
                        fills.push(Job::Fill { initializer, dtype, size, by });
                        writes.push(dtype.size() << size);
                    }
                }
            }
        }
        writes.sort_unstable();
        writes.dedup();
        Ok(writes.into_iter().map(|bytes| Job::Write { bytes }).chain(fills).collect())
    }

    /// Runs a job once; returns seconds.
    pub(super) fn run(&mut self, job: &Job) -> anyhow::Result<f64> {
        match *job {
            Job::Write { bytes } => self.device.write(bytes),
            Job::Fill { initializer, dtype, size, by } => {
                self.device.fill(&parameter(initializer, size).dtype(dtype), by)
            }
        }
    }
}

/// A matrix as square as possible, for distributions that depend on fans.
fn parameter(initializer: Initializer, size: u32) -> TensorSpec {
    TensorSpec::new([1 << (size - size / 2), 1 << (size / 2)], initializer)
}
