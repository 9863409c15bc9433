//! The flags of `gpu-init bench`: what is measured.

use std::path::PathBuf;

use anyhow::ensure;
use clap::value_parser;
use gpu_init::{DType, Distribution, Initializer, TensorSpec};

use crate::backend::choice::Choice;
use crate::commands::rules::Named;

/// The smallest size, unless one is requested.
const LEAST: u32 = 12;
/// The largest size on CPUs and software drivers, unless more is requested: all is done in two
/// minutes.
pub(super) const CPU_MOST: u32 = 26;
/// More than fits in memory anywhere.
pub(super) const MOST: u32 = 40;

/// Measure how fast tensors, or with --model a whole model, are filled, beside how fast the same
/// memory can be written.
///
/// Fills allocated memory, after a warm-up. The write bandwidth is measured by clearing a buffer on
/// a GPU and by filling a constant on the CPU. A GPU is also measured with its built-in log, sqrt,
/// sin and cos, which shows what portable bits cost; the CPU also with one thread, rand_distr and a
/// plain Philox. Times are GPU timestamps where there are any, otherwise from the call until the
/// device is done.
///
/// With --model the work that its user waits for is measured: filling it in new memory, checking
/// it, and with --out saving and verifying it, each beside its limit: writing one value to new
/// memory and to the same again, plain writes of as many bytes in the same folder with fsync, and
/// reading them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device: auto, gpu, cpu or an adapter's number in `gpu-init devices`; may be repeated
    /// [default: gpu, an adapter of any kind, if there is one, and cpu].
    #[arg(long)]
    pub(super) device: Vec<Choice>,
    /// The element type: f32, f16 or bf16; may be repeated [default: all].
    #[arg(long)]
    pub(super) dtype: Vec<DType>,
    /// What to fill with, as in `gpu-init fill`; may be repeated [default: normal, uniform and
    /// truncated_normal].
    #[arg(long)]
    pub(super) init: Vec<Initializer>,
    /// Measure a whole model: what `gpu-init model` takes, a tensor list, a .safetensors file or a
    /// folder of shards. --dtype is the type of all its tensors then, and --device, auto unless it
    /// is given, as there.
    #[arg(long, value_name = "SOURCE",
        conflicts_with_all = ["init", "size", "max_size", "quick", "plot"])]
    pub(super) model: Option<PathBuf>,
    #[command(flatten)]
    pub(super) rules: Named,
    /// With --model: save it as this file, too, and verify that; the file is removed afterwards.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(super) out: Option<PathBuf>,
    /// Elements, by their binary logarithm; may be repeated [default: 12, 14, 16 and so on].
    #[arg(long, value_name = "LOG2", value_parser = value_parser!(u32).range(1..=i64::from(MOST)))]
    pub(super) size: Vec<u32>,
    /// The most elements, by their binary logarithm [default: 26 on CPUs, elsewhere what half of
    /// the memory holds].
    #[arg(long, value_name = "LOG2", conflicts_with = "size",
        value_parser = value_parser!(u32).range(i64::from(LEAST)..=i64::from(MOST)))]
    pub(super) max_size: Option<u32>,
    /// The number of samples, of which the median is taken [default: 7; 3 of a model].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    pub(super) repeat: Option<u32>,
    /// A first impression in seconds: F32 up to 2^22, three samples, unless other flags say
    /// otherwise.
    #[arg(long)]
    pub(super) quick: bool,
    /// Save all figures as one JSON object; "-" prints it instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Save a plot of GB/s by size.
    #[arg(long, value_name = "FILE.svg")]
    pub(super) plot: Option<PathBuf>,
    /// Replace the files if they exist.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) dtypes: Vec<DType>,
    pub(super) initializers: Vec<Initializer>,
    /// The sizes, instead of those up to `most`.
    pub(super) sizes: Vec<u32>,
    pub(super) most: Option<u32>,
    pub(super) samples: u32,
}

impl Wanted {
    pub(super) fn new(args: &Args) -> anyhow::Result<Self> {
        let normal = Initializer::normal(0.0, 0.02);
        let uniform = Initializer::uniform(-0.05, 0.05);
        let truncated = Initializer::truncated_normal(0.0, 0.02, -0.04, 0.04);
        let dtypes: &[DType] = if args.quick { &[DType::F32] } else { &DType::SAMPLED };
        let wanted = Wanted {
            dtypes: unique(&args.dtype, dtypes),
            initializers: unique(&args.init, &[normal, uniform, truncated]),
            sizes: unique(&args.size, &[]),
            most: args.max_size.or(args.quick.then_some(22)),
            samples: args.repeat.unwrap_or(if args.quick { 3 } else { 7 }),
        };
        for dtype in &wanted.dtypes {
            ensure!(
                DType::SAMPLED.contains(dtype),
                "bench: {dtype} is converted from F32 or made by the host; measure f32, f16 or bf16"
            );
        }
        for initializer in &wanted.initializers {
            let distribution = TensorSpec::new([2, 2], *initializer).resolve(0, 0)?.distribution;
            let is_scattered = matches!(
                distribution,
                Distribution::Orthogonal { .. } | Distribution::Sparse { .. }
            );
            ensure!(
                !is_scattered,
                "bench: the work of {initializer} is not proportional to its elements; time it with `gpu-init fill --init`"
            );
        }
        Ok(wanted)
    }

    /// The sizes up to `largest`: every other one, and the last.
    pub(super) fn sizes(&self, largest: u32) -> Vec<u32> {
        if !self.sizes.is_empty() {
            return self.sizes.iter().copied().filter(|&size| size <= largest).collect();
        }
        let last = (largest >= LEAST).then_some(largest);
        (LEAST..largest).step_by(2).chain(last).collect()
    }

    /// The binary logarithm of the largest size.
    pub(super) fn most(&self, default: u32) -> u32 {
        self.sizes.iter().copied().max().or(self.most).unwrap_or(default)
    }

    /// The bytes of 2^`most` elements.
    pub(super) fn bytes(&self, most: u32) -> u64 {
        self.dtypes.iter().map(|dtype| dtype.size() << most).max().unwrap_or(0)
    }
}

/// The requested values, each only once, or else the default.
pub(super) fn unique<T: PartialEq + Copy>(asked: &[T], default: &[T]) -> Vec<T> {
    let mut unique = Vec::new();
    for value in if asked.is_empty() { default } else { asked } {
        if !unique.contains(value) {
            unique.push(*value);
        }
    }
    unique
}
