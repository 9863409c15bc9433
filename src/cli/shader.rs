//! `gpu-init shader`: the WGSL as it is given to the driver.

use clap::ValueEnum;
use gpu_init::{Multiply, shader};

use super::output::print;

/// Print a shader, whole: valid WebGPU as it stands.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which one.
    #[arg(default_value = "fill")]
    shader: Shader,
    /// With 64-bit integers (wgpu's SHADER_INT64, not in WebGPU) instead of 16-bit limbs.
    #[arg(long)]
    int64: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shader {
    /// Entry points fill and fill_words.
    Fill,
    /// Entry point fingerprint.
    Fingerprint,
    /// Entry point stats.
    Stats,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let multiply = if args.int64 { Multiply::Int64 } else { Multiply::Limbs };
    print(&match args.shader {
        Shader::Fill => shader::fill(multiply),
        Shader::Fingerprint => shader::fingerprint(multiply),
        Shader::Stats => shader::stats(),
    })
}
