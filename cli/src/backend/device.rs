//! An open device, with the same operations for a GPU and for the CPU.

use std::ops::{ControlFlow, Range};
use std::slice;

use anyhow::{Context, anyhow};
use gpu_init::{
    AdapterChoice, Cpu, Device, DeviceOptions, ErrorKind, Fill, FillOptions, Fingerprint,
    HostTensor, Plan, Stats, Summary, Tensor, TensorSpec,
};
use rayon::prelude::*;

use crate::backend::adapter::{adapter_for, is_software};
use crate::backend::choice::{Choice, no_such_adapter};
use crate::backend::memory::{self, part_costs_whole};
use crate::backend::remedies::Remedies;
use crate::backend::units::measure;
use crate::terminal::signals::endless;

#[derive(Debug)]
pub(crate) enum Backend {
    Gpu(Device),
    Cpu(Cpu),
}

#[derive(Debug)]
pub(crate) enum Filled {
    Gpu(Tensor),
    Cpu(HostTensor),
}

impl Backend {
    /// Opens the device that `--device` names. Processes that know their rank on a machine take
    /// turns at its GPUs.
    pub(crate) fn open(choice: Choice, seed: u64, local_rank: Option<u64>) -> anyhow::Result<Self> {
        let adapter = match (choice, local_rank) {
            (Choice::Cpu, _) => return Ok(Backend::Cpu(Cpu::with_seed(seed))),
            (Choice::Adapter(index), _) => AdapterChoice::Number(index),
            (Choice::Auto, None) => AdapterChoice::BestGpu,
            (Choice::Gpu, None) => AdapterChoice::Best,
            (Choice::Auto | Choice::Gpu, Some(local_rank)) => {
                let adapters = pollster::block_on(gpu_init::adapters());
                let infos: Vec<_> = adapters.iter().map(|adapter| adapter.get_info()).collect();
                let (best, default) = match choice {
                    Choice::Auto => (gpu_init::best_gpu(&adapters), AdapterChoice::BestGpu),
                    _ => (gpu_init::best_adapter(&adapters), AdapterChoice::Best),
                };
                adapter_for(local_rank, best, &infos).map_or(default, AdapterChoice::Number)
            }
        };
        let options = DeviceOptions::new().adapter(adapter).seed(seed);
        Device::open(&options).map(Backend::Gpu).or_else(|error| match *error.kind() {
            ErrorKind::NoAdapter { .. } if choice == Choice::Auto => {
                Ok(Backend::Cpu(Cpu::with_seed(seed)))
            }
            ErrorKind::NoSuchAdapter { index, count } => Err(no_such_adapter(index, count)),
            _ => Err(error.into()),
        })
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Backend::Gpu(device) => device.name().to_owned(),
            Backend::Cpu(_) => "cpu".to_owned(),
        }
    }

    /// Whether its tensors are in host memory: on the CPU and for software drivers.
    pub(crate) fn is_on_host(&self) -> bool {
        match self {
            Backend::Gpu(device) => is_software(&device.wgpu_device().adapter_info()),
            Backend::Cpu(_) => true,
        }
    }

    /// The name for people, and why `auto` took the CPU.
    pub(crate) fn describe(&self, choice: Choice) -> String {
        match (self, choice) {
            (Backend::Cpu(_), Choice::Auto) => {
                "cpu, for there is no GPU; `gpu-init devices` says more".to_owned()
            }
            _ => self.name(),
        }
    }

    /// Fingerprints of tensors, and their statistics if `stats` asks for them.
    pub(crate) fn examine(
        &self,
        tensors: &[Filled],
        stats: bool,
    ) -> gpu_init::Result<Vec<(Fingerprint, Option<Stats>)>> {
        let on_host = |tensor: &Filled| match tensor {
            Filled::Gpu(_) => None,
            Filled::Cpu(tensor) => Some(measure(tensor.spec(), tensor.as_bytes(), stats)),
        };
        let on_device = |tensor| match tensor {
            &Filled::Cpu(_) => None,
            Filled::Gpu(tensor) => Some(tensor),
        };
        endless(|| match self {
            // Small ones side by side.
            Backend::Cpu(_) => Ok(tensors.par_iter().filter_map(on_host).collect()),
            Backend::Gpu(device) => {
                let tensors: Vec<&Tensor> = tensors.iter().filter_map(on_device).collect();
                Ok(match stats {
                    true => {
                        let both = |Summary { stats, fingerprint }| (fingerprint, Some(stats));
                        device.summaries(&tensors)?.into_iter().map(both).collect()
                    }
                    false => {
                        device.fingerprints(&tensors)?.into_iter().map(|sum| (sum, None)).collect()
                    }
                })
            }
        })
    }

    /// Fingerprint and statistics of one tensor; see [`Backend::examine`].
    pub(crate) fn examine_one(
        &self,
        tensor: &Filled,
        stats: bool,
    ) -> gpu_init::Result<(Fingerprint, Option<Stats>)> {
        Ok(self.examine(slice::from_ref(tensor), stats)?.remove(0))
    }

    /// Fails if a plan does not fit in the device's memory: all its tensors, or the largest of them
    /// if they are made one by one.
    pub(crate) fn check_memory(&self, plan: &Plan, one_by_one: bool) -> anyhow::Result<()> {
        match self {
            Backend::Gpu(device) if !self.is_on_host() => match device.memory() {
                Some(memory) if !one_by_one => plan.fits(memory).map_err(|error| {
                    anyhow!("{error}; or pass --out, which streams tensor by tensor")
                }),
                _ => Ok(()),
            },
            _ => memory::check_plan(plan, one_by_one),
        }
    }

    /// Whether a tensor is filled as a whole even if a slice is wanted: always in device memory; on
    /// the host if a slice costs as much.
    pub(crate) fn fills_whole(&self, fill: &Fill) -> bool {
        matches!(self, Backend::Gpu(_)) || part_costs_whole(fill)
    }

    /// Fills tensors and waits until they are done.
    pub(crate) fn fill_all(
        &self,
        specs: &[TensorSpec],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> gpu_init::Result<Vec<Filled>> {
        Ok(match self {
            Backend::Gpu(device) => {
                let tensors = device.fill_all_with(specs, FillOptions::new().progress(progress))?;
                tensors.into_iter().map(Filled::Gpu).collect()
            }
            Backend::Cpu(cpu) => {
                cpu.fill_all_with(specs, progress)?.into_iter().map(Filled::Cpu).collect()
            }
        })
    }

    /// Fills one tensor; see [`Backend::fill_all`].
    pub(crate) fn fill(
        &self,
        spec: &TensorSpec,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
        remedies: &Remedies,
    ) -> anyhow::Result<Filled> {
        let filled = self.fill_all(slice::from_ref(spec), progress);
        let filled = filled.map_err(|error| remedies.explain(error))?;
        filled.into_iter().next().context("nothing was filled")
    }
}

impl Filled {
    /// Reads a range of elements to the host.
    pub(crate) fn read(&self, range: Range<u64>) -> gpu_init::Result<HostTensor> {
        match self {
            Filled::Gpu(tensor) => tensor.read_range(range),
            Filled::Cpu(tensor) => tensor.slice(range),
        }
    }
}
