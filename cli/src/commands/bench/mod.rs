//! `gpu-init bench`: how fast memory is filled here, beside how fast it can be written at all.

mod builtins;
mod by;
mod gpu;
mod host;
mod measure;
mod plain;
mod plot;
mod report;
mod summary;
mod table;
mod target;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::value_parser;
use gpu_init::{DType, Distribution, Initializer, TensorSpec};
use indicatif::{ProgressBar, ProgressStyle};

use crate::backend::Choice;
use crate::backend::adapter::auto;
use crate::checkpoint::claim::Claim;
use crate::checkpoint::place::Place;
use crate::terminal::output::{complain, print, print_json};
use crate::terminal::progress::listen_to_ctrl_c;
use measure::measure;
use report::Report;
use target::Target;

/// The least size, unless one is asked for.
const LEAST: u32 = 12;
/// The greatest size on a CPU, and on a device that is one, unless more is asked for: all is done
/// in two minutes.
const CPU_MOST: u32 = 26;
/// More than there is memory for anywhere.
const MOST: u32 = 40;

/// Measure how fast tensors are filled, beside how fast the same memory can be written.
///
/// Fills memory that is there already, after a warm-up. What it can be written with is a cleared
/// buffer on a GPU and a constant on the CPU. A GPU is also measured with its built-in log, sqrt,
/// sin and cos, which show what portable bits cost, the CPU with one thread, rand_distr and a plain
/// Philox. Times are the GPU's own, by timestamps, where it has them; otherwise from the call until
/// the device is done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where: auto, gpu, cpu or an adapter's number in `gpu-init devices`; may be repeated
    /// [default: gpu, an adapter of any kind, if there is one, and cpu].
    #[arg(long)]
    device: Vec<Choice>,
    /// The element type: f32, f16 or bf16; may be repeated [default: all].
    #[arg(long)]
    dtype: Vec<DType>,
    /// What to fill with, as in `gpu-init fill`; may be repeated [default: normal, uniform and
    /// truncated_normal].
    #[arg(long)]
    init: Vec<Initializer>,
    /// Elements, by their binary logarithm; may be repeated [default: 12, 14, 16 and so on].
    #[arg(long, value_name = "LOG2", value_parser = value_parser!(u32).range(1..=i64::from(MOST)))]
    size: Vec<u32>,
    /// The most elements, by their binary logarithm [default: 26 on CPUs, elsewhere what half of
    /// the memory holds].
    #[arg(long, value_name = "LOG2", conflicts_with = "size",
        value_parser = value_parser!(u32).range(i64::from(LEAST)..=i64::from(MOST)))]
    max_size: Option<u32>,
    /// Samples, of which the median is taken [default: 7].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    repeat: Option<u32>,
    /// A first impression in seconds: F32 up to 2^22, three samples, unless told otherwise.
    #[arg(long)]
    quick: bool,
    /// Save all figures as one JSON object; - prints it instead of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Save a plot of the size against GB/s.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Replace the files if they exist.
    #[arg(long)]
    force: bool,
}

/// What is measured on every device.
#[derive(Debug)]
struct Wanted {
    dtypes: Vec<DType>,
    initializers: Vec<Initializer>,
    /// Instead of those up to `most`.
    sizes: Vec<u32>,
    most: Option<u32>,
    samples: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = Wanted::new(args)?;
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    let json = args.json.as_deref().filter(|_| !to_stdout);
    let [json, plot] = places(json, args.plot.as_deref(), args.force)?;
    listen_to_ctrl_c()?;

    let mut targets = targets(&args.device, &wanted)?;
    let jobs =
        targets.iter().map(|target| target.jobs(&wanted)).collect::<anyhow::Result<Vec<_>>>()?;
    if jobs.iter().any(Vec::is_empty) {
        bail!(
            "bench: no size that was asked for fits on every device; lower --size, or leave a device out by --device"
        );
    }
    let samples: u64 = jobs.iter().map(|jobs| jobs.len() as u64 * u64::from(wanted.samples)).sum();
    let bar = bar(samples);
    let mut report = Report::new(wanted.samples);
    for (target, jobs) in targets.iter_mut().zip(jobs) {
        report.add_device(target);
        bar.set_message(target.name().to_owned());
        let spreads =
            measure(wanted.samples, jobs.len(), &mut |i| target.run(&jobs[i]), &mut || bar.inc(1))?;
        for (job, seconds) in jobs.iter().zip(spreads) {
            report.add(job, seconds);
        }
    }
    bar.finish_and_clear();

    if to_stdout {
        print_json(&report.json())?
    } else {
        print(&table::table(&report))?
    }
    if let Some((place, _)) = &json {
        place.write(format!("{}\n", report.json()).as_bytes())?;
    }
    if let Some((place, _)) = &plot {
        place.write(plot::svg(&report).context("cannot draw the plot")?.as_bytes())?;
    }
    Ok(())
}

/// Where the files go, which are two.
fn places(
    json: Option<&Path>,
    plot: Option<&Path>,
    force: bool,
) -> anyhow::Result<[Option<(Place, Claim)>; 2]> {
    if let (Some(json), Some(plot)) = (json, plot)
        && Place::check(json, force)?.is_same(&Place::check(plot, force)?)
    {
        let (json, plot) = (json.display(), plot.display());
        bail!("bench: --json {json} and --plot {plot} are one file; name two");
    }
    let claim = |path: Option<&Path>| path.map(|path| Place::claim(path, force)).transpose();
    Ok([claim(json)?, claim(plot)?])
}

impl Wanted {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let normal = Initializer::normal(0.0, 0.02);
        let uniform = Initializer::uniform(-0.05, 0.05);
        let truncated = Initializer::truncated_normal(0.0, 0.02, -0.04, 0.04);
        let dtypes: &[DType] = if args.quick { &[DType::F32] } else { &DType::ALL };
        let wanted = Wanted {
            dtypes: unique(&args.dtype, dtypes),
            initializers: unique(&args.init, &[normal, uniform, truncated]),
            sizes: unique(&args.size, &[]),
            most: args.max_size.or(args.quick.then_some(22)),
            samples: args.repeat.unwrap_or(if args.quick { 3 } else { 7 }),
        };
        for initializer in &wanted.initializers {
            let distribution = TensorSpec::new([2, 2], *initializer).resolve(0, 0)?.distribution;
            if matches!(distribution, Distribution::Orthogonal { .. } | Distribution::Sparse { .. })
            {
                bail!(
                    "bench: {initializer} is no work of so much an element; time it with `gpu-init fill --init`"
                );
            }
        }
        Ok(wanted)
    }

    /// Sizes of tensors that have at most so many elements; every other one, and the last.
    fn sizes(&self, largest: u32) -> Vec<u32> {
        if !self.sizes.is_empty() {
            return self.sizes.iter().copied().filter(|&size| size <= largest).collect();
        }
        let mut sizes: Vec<u32> = (LEAST..=largest).step_by(2).collect();
        if largest > LEAST && sizes.last() != Some(&largest) {
            sizes.push(largest);
        }
        sizes
    }
}

/// What was asked for, each once, or else the default.
fn unique<T: PartialEq + Copy>(asked: &[T], default: &[T]) -> Vec<T> {
    let mut unique = Vec::new();
    for value in if asked.is_empty() { default } else { asked } {
        if !unique.contains(value) {
            unique.push(*value);
        }
    }
    unique
}

/// Opens the devices, each once.
fn targets(asked: &[Choice], wanted: &Wanted) -> anyhow::Result<Vec<Target>> {
    let choices = unique(asked, &[Choice::Gpu, Choice::Cpu]);
    let needs_adapter = choices.iter().any(|&choice| choice != Choice::Cpu);
    let adapters =
        if needs_adapter { pollster::block_on(gpu_init::adapters()) } else { Vec::new() };
    let best = gpu_init::best_adapter(&adapters);
    let mut indices = Vec::new();
    for choice in choices {
        let index = match choice {
            Choice::Cpu => None,
            Choice::Adapter(index) if index >= adapters.len() => {
                bail!(
                    "bench: there is no adapter {index}, there are {}; `gpu-init devices` lists them",
                    adapters.len()
                )
            }
            Choice::Adapter(index) => Some(index),
            Choice::Auto => {
                auto(best, &adapters.iter().map(|adapter| adapter.get_info()).collect::<Vec<_>>())
            }
            Choice::Gpu if best.is_none() && asked.is_empty() => {
                complain("no GPU adapter was found, so this measures the CPU alone");
                None
            }
            Choice::Gpu if best.is_none() => {
                bail!("bench: there is no adapter; install a driver, or pass --device cpu")
            }
            Choice::Gpu => best,
        };
        indices.push(index);
    }
    unique(&indices, &[])
        .into_iter()
        .map(|index| match index {
            None => Target::cpu(wanted),
            Some(index) => Target::gpu(&adapters[index], wanted),
        })
        .collect()
}

/// Counts samples.
fn bar(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("measuring [{bar:30}] {pos}/{len} {eta} left, {msg}");
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
