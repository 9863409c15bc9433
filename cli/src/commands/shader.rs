//! `gpu-init shader`: the WGSL that the driver compiles.

use clap::ValueEnum;
use gpu_init::{FpGuard, WideMul, shader};

use crate::terminal::output::print;

/// Print a complete shader, valid in WebGPU.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shader.
    #[arg(default_value = "fill")]
    shader: Shader,
    /// With 64-bit integers (wgpu's SHADER_INT64, not in WebGPU) instead of 16-bit limbs.
    #[arg(long)]
    int64: bool,
    /// How the fill shader keeps compilers from fusing and reordering operations.
    #[arg(long, value_enum, default_value_t = Guard::Guarded)]
    mul_add: Guard,
}

/// `FpGuard` by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Guard {
    /// Not at all: for llvmpipe and SwiftShader.
    Plain,
    /// From fusing: for other Vulkan drivers.
    Unfused,
    /// From both: for any driver.
    Guarded,
}

impl From<Guard> for FpGuard {
    fn from(guard: Guard) -> Self {
        match guard {
            Guard::Plain => FpGuard::None,
            Guard::Unfused => FpGuard::NoContraction,
            Guard::Guarded => FpGuard::NoReassociation,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shader {
    /// Entry points fill, fill_words, fill_slice and fill_many.
    Fill,
    /// Entry point fingerprint.
    Fingerprint,
    /// Entry point stats.
    Stats,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let multiply = if args.int64 { WideMul::Int64 } else { WideMul::Limbs };
    print(&match args.shader {
        Shader::Fill => shader::fill_with(multiply, args.mul_add.into()),
        Shader::Fingerprint => shader::fingerprint(multiply),
        Shader::Stats => shader::stats(),
    })
}
