//! The device that `--device` names, and what the commands ask of it: the same of a GPU and of the
//! CPU.

pub(crate) mod adapter;
pub(crate) mod launcher;
pub(crate) mod memory;
pub(crate) mod threads;

use std::ops::{ControlFlow, Range};
use std::str::FromStr;

use anyhow::bail;
use gpu_init::wgpu::DeviceType;
use gpu_init::{
    Cpu, Device, DeviceOptions, Distribution, ErrorKind, Fill, Fingerprint, HostTensor, Plan,
    Stats, Tensor, TensorSpec,
};

use crate::terminal::signals::Endless;
use adapter::adapter_for;

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The best GPU, or the CPU where there is none.
    Auto,
    /// The best adapter, software or not.
    Gpu,
    Cpu,
    Adapter(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Choice::Auto),
            "gpu" => Ok(Choice::Gpu),
            "cpu" => Ok(Choice::Cpu),
            number => number.parse().map(Choice::Adapter).map_err(|_| {
                "use auto, gpu, cpu or the number of an adapter in `gpu-init devices`".to_owned()
            }),
        }
    }
}

impl Choice {
    /// Fails if there is no such adapter among those of this machine. None is opened. A machine
    /// that has none says nothing of the one that the work is for.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        let Choice::Adapter(index) = self else { return Ok(()) };
        match pollster::block_on(gpu_init::adapters()).len() {
            count if count > 0 && index >= count => no_such_adapter("dry run", index, count),
            _ => Ok(()),
        }
    }
}

fn no_such_adapter<T>(operation: &str, index: usize, count: usize) -> anyhow::Result<T> {
    bail!("{operation}: there is no adapter {index}, only {count}; `gpu-init devices` lists them")
}

/// An open device.
#[derive(Debug)]
pub(crate) enum Backend {
    Gpu(Device),
    Cpu(Cpu),
}

/// A tensor on it.
#[derive(Debug)]
pub(crate) enum Filled {
    Gpu(Tensor),
    Cpu(HostTensor),
}

impl Backend {
    /// Opens the device that `--device` names.
    pub(crate) fn open(choice: Choice, seed: u64) -> anyhow::Result<Self> {
        Self::open_local(choice, seed, None)
    }

    /// The same for one of several processes on a machine, of which each takes its own GPU where
    /// there are several.
    pub(crate) fn open_local(
        choice: Choice,
        seed: u64,
        local_rank: Option<u64>,
    ) -> anyhow::Result<Self> {
        let adapter = match (choice, local_rank) {
            (Choice::Cpu, _) => return Ok(Backend::Cpu(Cpu::with_seed(seed))),
            (Choice::Adapter(index), _) => Some(index),
            (Choice::Auto | Choice::Gpu, None) => None,
            (Choice::Auto | Choice::Gpu, Some(local_rank)) => {
                let adapters = pollster::block_on(gpu_init::adapters());
                let infos: Vec<_> = adapters.iter().map(|adapter| adapter.get_info()).collect();
                let best = gpu_init::best_adapter(&adapters);
                let best = if choice == Choice::Auto { adapter::auto(best, &infos) } else { best };
                adapter_for(local_rank, best, &infos)
            }
        };
        let options = DeviceOptions {
            adapter,
            hardware_only: choice == Choice::Auto,
            seed,
            ..Default::default()
        };
        match Device::open(&options) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NoAdapter { .. })
                    && choice == Choice::Auto =>
            {
                Ok(Backend::Cpu(Cpu::with_seed(seed)))
            }
            Err(error) => match *error.kind() {
                ErrorKind::NoSuchAdapter { index, count } => {
                    no_such_adapter(error.operation(), index, count)
                }
                _ => Err(error.into()),
            },
            Ok(device) => Ok(Backend::Gpu(device)),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Backend::Gpu(device) => device.name().to_owned(),
            Backend::Cpu(_) => "cpu".to_owned(),
        }
    }

    /// Whether its tensors are in host memory: on the CPU, and by a driver that runs there.
    pub(crate) fn is_on_host(&self) -> bool {
        match self {
            Backend::Gpu(device) => {
                device.wgpu_device().adapter_info().device_type == DeviceType::Cpu
            }
            Backend::Cpu(_) => true,
        }
    }

    /// The name for people, and why it is the CPU that `auto` took.
    pub(crate) fn describe(&self, choice: Choice) -> String {
        match (self, choice) {
            (Backend::Cpu(_), Choice::Auto) => {
                "cpu, for there is no GPU; `gpu-init devices` says more".to_owned()
            }
            _ => self.name(),
        }
    }

    /// The fingerprints of some tensors, and their statistics if they are wanted.
    pub(crate) fn examine(
        &self,
        tensors: &[Filled],
        stats: bool,
    ) -> gpu_init::Result<Vec<(Fingerprint, Option<Stats>)>> {
        let _endless = Endless::new();
        let Backend::Gpu(device) = self else {
            return tensors
                .iter()
                .map(|tensor| {
                    Ok((tensor.fingerprint()?, stats.then(|| tensor.stats()).transpose()?))
                })
                .collect();
        };
        let mut on_device = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            if let Filled::Gpu(tensor) = tensor {
                on_device.push(tensor);
            }
        }
        let tensors = on_device;
        let fingerprints = device.fingerprints(&tensors)?;
        let stats: Vec<_> = match stats {
            true => device.stats(&tensors)?.into_iter().map(Some).collect(),
            false => vec![None; tensors.len()],
        };
        Ok(fingerprints.into_iter().zip(stats).collect())
    }

    /// Whether the device's memory has room for a plan: for all its tensors, or for each by itself.
    pub(crate) fn check_memory(&self, plan: &Plan, one_by_one: bool) -> anyhow::Result<()> {
        match self {
            Backend::Gpu(device) if !self.is_on_host() => match device.memory() {
                Some(memory) if !one_by_one => Ok(plan.fits(memory)?),
                _ => Ok(()),
            },
            _ => memory::check_plan(plan, one_by_one),
        }
    }

    /// Whether a tensor is made as a whole even if a part of it is wanted: in device memory all
    /// are, on the host those of which a part costs as much.
    pub(crate) fn fills_whole(&self, fill: &Fill) -> bool {
        matches!(self, Backend::Gpu(_)) || part_costs_whole(fill)
    }

    /// Fills and waits until all is done.
    pub(crate) fn fill_all(
        &self,
        parameters: &[TensorSpec],
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> gpu_init::Result<Vec<Filled>> {
        Ok(match self {
            Backend::Gpu(device) => {
                device.fill_all_with(parameters, progress)?.into_iter().map(Filled::Gpu).collect()
            }
            Backend::Cpu(cpu) => {
                cpu.fill_all_with(parameters, progress)?.into_iter().map(Filled::Cpu).collect()
            }
        })
    }
}

/// Whether the host makes all of a tensor for any part of it.
pub(crate) fn part_costs_whole(fill: &Fill) -> bool {
    matches!(fill.distribution, Distribution::Orthogonal { .. } | Distribution::Sparse { .. })
}

impl Filled {
    pub(crate) fn stats(&self) -> gpu_init::Result<Stats> {
        let _endless = Endless::new();
        match self {
            Filled::Gpu(tensor) => tensor.stats(),
            Filled::Cpu(tensor) => Ok(tensor.stats()),
        }
    }

    pub(crate) fn fingerprint(&self) -> gpu_init::Result<Fingerprint> {
        let _endless = Endless::new();
        match self {
            Filled::Gpu(tensor) => tensor.fingerprint(),
            Filled::Cpu(tensor) => Ok(tensor.fingerprint()),
        }
    }

    /// A range of the elements on the host.
    pub(crate) fn read(&self, range: Range<u64>) -> gpu_init::Result<HostTensor> {
        match self {
            Filled::Gpu(tensor) => tensor.read_range(range),
            Filled::Cpu(tensor) => tensor.slice(range),
        }
    }
}
