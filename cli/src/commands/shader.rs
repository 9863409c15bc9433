//! `gpu-init shader`: the WGSL that the driver compiles.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
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
    #[arg(long, default_value = "limbs", value_parser = wide_mul())]
    wide_mul: WideMul,
    /// How the shader keeps compilers from fusing and reordering operations.
    #[arg(long, default_value = "no-reassociation", value_parser = fp_guard())]
    fp_guard: FpGuard,
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

fn wide_mul() -> impl TypedValueParser<Value = WideMul> {
    let values = PossibleValuesParser::new([
        PossibleValue::new("limbs").help("By 16-bit limbs: any WebGPU device"),
        PossibleValue::new("int64").help("By 64-bit integers: wgpu's SHADER_INT64, not in WebGPU"),
    ]);
    values.map(|name| if name == "int64" { WideMul::Int64 } else { WideMul::Limbs })
}

fn fp_guard() -> impl TypedValueParser<Value = FpGuard> {
    let values = PossibleValuesParser::new([
        PossibleValue::new("none").help("Not at all: for llvmpipe and SwiftShader"),
        PossibleValue::new("no-contraction").help("From fusing: for other Vulkan drivers"),
        PossibleValue::new("no-reassociation").help("From both: for any driver"),
    ]);
    values.map(|name| match name.as_str() {
        "none" => FpGuard::None,
        "no-contraction" => FpGuard::NoContraction,
        _ => FpGuard::NoReassociation,
    })
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shader {
    /// Entry points fill, fill_words, fill_slice and fill_many.
    Fill,
    /// Entry points fingerprint and summary.
    Reduce,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let (Some(initializer), Some(shape)) = (args.init, &args.tensor.shape) {
        return print_dispatches(initializer, shape, &args.tensor);
    }
    print(&match args.shader {
        Shader::Fill => shader::fill(args.wide_mul, args.fp_guard),
        Shader::Reduce => shader::reduce(args.fp_guard),
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
