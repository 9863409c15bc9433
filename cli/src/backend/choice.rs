//! `--device`.

use std::str::FromStr;

use anyhow::anyhow;

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
    /// Fails if this machine has adapters and not the one named; opens none. A machine without
    /// adapters says nothing of the one that the work is for.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        let Choice::Adapter(index) = self else { return Ok(()) };
        let count = pollster::block_on(gpu_init::adapters()).len();
        if count > 0 && index >= count { Err(no_such_adapter(index, count)) } else { Ok(()) }
    }
}

pub(crate) fn no_such_adapter(index: usize, count: usize) -> anyhow::Error {
    anyhow!("there is no adapter {index}, only {count}; `gpu-init devices` lists them")
}
