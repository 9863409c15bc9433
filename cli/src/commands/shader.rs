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
    /// How the shader multiplies two words to 64 bits.
    #[arg(long, value_enum, default_value_t = Wide::Limbs)]
    wide_mul: Wide,
    /// How the fill shader keeps compilers from fusing and reordering operations.
    #[arg(long, value_enum, default_value_t = Guard::NoReassociation)]
    fp_guard: Guard,
}

/// `WideMul` by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wide {
    /// By 16-bit limbs: any WebGPU device.
    Limbs,
    /// By 64-bit integers: wgpu's SHADER_INT64, not in WebGPU.
    Int64,
}

impl From<Wide> for WideMul {
    fn from(wide: Wide) -> Self {
        match wide {
            Wide::Limbs => WideMul::Limbs,
            Wide::Int64 => WideMul::Int64,
        }
    }
}

/// `FpGuard` by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Guard {
    /// Not at all: for llvmpipe and SwiftShader.
    None,
    /// From fusing: for other Vulkan drivers.
    NoContraction,
    /// From both: for any driver.
    NoReassociation,
}

impl From<Guard> for FpGuard {
    fn from(guard: Guard) -> Self {
        match guard {
            Guard::None => FpGuard::None,
            Guard::NoContraction => FpGuard::NoContraction,
            Guard::NoReassociation => FpGuard::NoReassociation,
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
    print(&match args.shader {
        Shader::Fill => shader::fill(args.wide_mul.into(), args.fp_guard.into()),
        Shader::Fingerprint => shader::fingerprint(args.wide_mul.into()),
        Shader::Stats => shader::stats(),
    })
}
