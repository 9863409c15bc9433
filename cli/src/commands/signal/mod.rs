//! `gpu-init signal`: what an initializer does to the signals of a deep network before training.

mod activation;
mod line;
mod network;
mod plot;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Error};
use clap::value_parser;

use crate::backend::choice::Choice;
use crate::backend::device::Backend;
use crate::backend::memory;
use crate::checkpoint::output::destination::Destination;
use crate::terminal::output::print_report;
use crate::terminal::progress::{listen_to_ctrl_c, styled};
use activation::Activation;
use line::Line;
use network::{Network, REMEDIES, Size};
use report::Report;

/// Show what initializers do to signals: the spread of activations forward, and of gradients
/// backward, through the layers of a deep network before any training.
///
/// Each layer is a square matrix without a bias, then the activation. The inputs and the gradients
/// of the outputs are N(0, 1). The weights are made on the device, the passes run in F64 on the host.
///
/// For example: gpu-init signal --init xavier_normal --init "normal(std=0.01)" --activation tanh
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The initializer of all layers, as in `gpu-init fill`; may be repeated: each is a line
    /// [default: xavier_normal, kaiming_normal, lecun_normal, orthogonal, normal(std=0.01) and
    /// normal(std=1)].
    #[arg(long, value_parser = line::parse)]
    init: Vec<Line>,
    /// What follows each matrix: linear, tanh, relu, sigmoid or gelu.
    #[arg(long, default_value = "tanh")]
    activation: Activation,
    /// The gain of initializers that have that option and do not set it, as
    /// "xavier_normal(gain=1)" does [default: PyTorch's for the activation: 5/3 for tanh, sqrt 2
    /// for relu and gelu, otherwise 1].
    #[arg(long, allow_negative_numbers = true)]
    gain: Option<f64>,
    /// The number of layers.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
    depth: u32,
    /// The inputs and outputs of each layer.
    #[arg(long, default_value_t = 512, value_parser = value_parser!(u32).range(1..=16_384))]
    width: u32,
    /// The number of inputs that go through the network.
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// The seed. Layer 0's weights are named layers.0.weight, and so on.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The device: auto (a GPU, or else the CPU), gpu (an adapter of any kind), cpu, or an
    /// adapter's number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// Save a plot.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "plot")]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let lines = lines(args)?;
    listen_to_ctrl_c()?;
    let plot = args.plot.as_deref().map(|path| Destination::claim(path, args.force)).transpose()?;
    let size = Size { depth: args.depth, width: args.width, batch: args.batch };
    memory::check("signal", size.bytes(), REMEDIES.memory)?;
    let backend = Backend::open(args.device, args.seed, None)?;
    let network = Network::new(size, args.activation, args.seed, &backend)?;

    let steps = lines.len() as u64 * u64::from(size.depth) * 2;
    let bar = styled("passing signals [{bar:30}] {pos}/{len} layers {eta} left", steps);
    let mut passed = Vec::new();
    for line in lines {
        let signals = network.pass(&line.initializer, &mut || bar.inc(1));
        let signals = signals.with_context(|| format!("signal: {line}"))?;
        passed.push((line, signals));
    }
    bar.finish_and_clear();

    let device = if args.json { backend.name() } else { backend.describe(args.device) };
    let report = Report { size, activation: args.activation, seed: args.seed, device, passed };
    print_report(args.json, || report.json(), || report.text())?;
    if let Some((destination, _)) = &plot {
        destination.write(plot::svg(&report).context("cannot draw the plot")?.as_bytes())?;
    }
    Ok(())
}

const USUAL: [&str; 6] = [
    "xavier_normal",
    "kaiming_normal",
    "lecun_normal",
    "orthogonal",
    "normal(std=0.01)",
    "normal(std=1)",
];

/// The lines to draw, each once, with their gain.
fn lines(args: &Args) -> anyhow::Result<Vec<Line>> {
    let asked = match args.init.as_slice() {
        [] => USUAL.iter().map(|text| line::parse(text).map_err(Error::msg)).collect(),
        asked => Ok(asked.to_vec()),
    };
    let mut lines: Vec<Line> = Vec::new();
    for line in asked? {
        let line = match args.gain {
            None => line.with_gain(args.activation.gain()).unwrap_or(line),
            // Without another initializer that takes it, the gain would be ignored.
            Some(gain) => match line.with_gain(gain) {
                Err(_) if args.init.len() != 1 && line.has_no_gain() => line,
                with_gain => with_gain?,
            },
        };
        if lines.iter().all(|other| other.initializer != line.initializer) {
            lines.push(line);
        }
    }
    Ok(lines)
}
