//! `gpu-init shader`: the WGSL that the driver compiles.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::ValueEnum;
use gpu_init::{DType, FpGuard, Initializer, Shape, TensorSpec, WideMul, shader, wgpu};
use serde_json::json;

use crate::commands::fill::parse_shape;
use crate::terminal::output::{print, print_json};

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
    /// Print as JSON what to dispatch to fill a tensor with this, instead of the WGSL.
    #[arg(long, requires = "shape")]
    init: Option<Initializer>,
    #[command(flatten)]
    tensor: Tensor,
}

/// The tensor of `--init`.
#[derive(Debug, clap::Args)]
struct Tensor {
    /// Dimensions, outermost first: 4096x11008.
    #[arg(long, value_parser = parse_shape, requires = "init")]
    shape: Option<Shape>,
    /// The element type: f32, f16 or bf16.
    #[arg(long, default_value = "f32", requires = "init")]
    dtype: DType,
    /// The seed.
    #[arg(long, default_value_t = 0, requires = "init")]
    seed: u64,
    /// The stream by its number.
    #[arg(long, default_value_t = 0, requires = "init")]
    stream: u64,
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
    if let (Some(initializer), Some(shape)) = (args.init, &args.tensor.shape) {
        return print_dispatches(initializer, shape, &args.tensor);
    }
    print(&match args.shader {
        Shader::Fill => shader::fill(args.wide_mul.into(), args.fp_guard.into()),
        Shader::Fingerprint => shader::fingerprint(args.wide_mul.into()),
        Shader::Stats => shader::stats(),
    })
}

/// Prints the dispatches of a fill on a device with WebGPU's default limits, each with the words of
/// its uniform, and the quantile table's bits if there is one.
fn print_dispatches(
    initializer: Initializer,
    shape: &Shape,
    tensor: &Tensor,
) -> anyhow::Result<()> {
    let spec =
        TensorSpec::new(shape.clone(), initializer).dtype(tensor.dtype).stream(tensor.stream);
    let fill = spec.resolve(tensor.seed, 0)?;
    let dispatches = shader::dispatches(&fill, 0, &wgpu::Limits::default())
        .with_context(|| format!("{initializer} is not filled by the fill shader alone"))?;
    let dispatches = dispatches.iter().map(|dispatch| {
        json!({
            "entry_point": dispatch.entry_point,
            "constants": BTreeMap::from(dispatch.constants),
            "uniform": bytemuck::cast_slice::<_, u32>(&[dispatch.params]),
            "offset": dispatch.offset,
            "size": dispatch.size,
            "workgroups": dispatch.workgroups,
        })
    });
    let table = shader::table(&fill)
        .map(|table| table.as_flattened().iter().map(|x| x.to_bits()).collect::<Vec<_>>());
    print_json(&json!({ "dispatches": dispatches.collect::<Vec<_>>(), "table": table }))
}
