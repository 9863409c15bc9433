//! `gpu-init fill`: one tensor, its speed, its statistics beside theory, its fingerprint.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::{DType, Fill, Fingerprint, Initializer, Layout, Shape, Stats, TensorSpec};
use serde_json::json;

use crate::backend::choice::Choice;
use crate::backend::device::{Backend, Filled};
use crate::backend::memory;
use crate::backend::remedies::Remedies;
use crate::checkpoint::output::claim::Claim;
use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::output::extension;
use crate::checkpoint::output::path::not_a_folder;
use crate::checkpoint::write::npy;
use crate::terminal::histogram::histogram;
use crate::terminal::output::{add_stats, binary_bytes, gb_per_s, grouped, print, print_json, row};
use crate::terminal::progress::{bar, listen_to_ctrl_c, listener};

const REMEDIES: Remedies = Remedies {
    interrupted: "fill again to have the tensor",
    counted: true,
    memory: "fill a smaller tensor or dtype, or save it by `gpu-init model --out`, which streams what it can",
};

/// The number of values that the histogram shows.
const SAMPLE: u64 = 1 << 16;

/// Fill one tensor and print its statistics and fingerprint.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to fill with: xavier-normal, kaiming-uniform, glorot-normal, zeros, pytorch-linear...
    /// with options as in "kaiming_normal(mode=fan_out, nonlinearity=relu)" or "uniform(a=-1,
    /// b=1)".
    #[arg(long, default_value = "xavier-normal")]
    init: Initializer,
    /// Dimensions, outermost first: 4096x11008.
    #[arg(long, value_parser = parse_shape)]
    shape: Shape,
    /// The element type: f32, f16, bf16, f64, f8_e4m3, f8_e5m2; i8 to i64, u8 to u64 and bool for
    /// zeros, ones, constant and arange.
    #[arg(long, default_value = "f32")]
    dtype: DType,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The tensor's name, such as layers.0.q_proj.weight, which decides its stream.
    #[arg(long, conflicts_with = "stream", allow_hyphen_values = true)]
    name: Option<String>,
    /// The stream by its number.
    #[arg(long, default_value_t = 0)]
    stream: u64,
    /// Multiplies the standard deviation of xavier-normal and xavier-uniform.
    #[arg(long, allow_negative_numbers = true)]
    gain: Option<f64>,
    /// The mean, which is added to every value.
    #[arg(long, allow_negative_numbers = true)]
    mean: Option<f64>,
    /// The order of the shape's axes: pytorch, keras, jax, transposed, grouped(groups=4) or
    /// axes(input=1, output=[-2, -1], batch=0).
    #[arg(long, default_value = "pytorch")]
    layout: Layout,
    /// The device: auto (a GPU, or else the CPU), gpu (an adapter of any kind), cpu, or an
    /// adapter's number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// Save the tensor as .npy (bf16 as uint16 words and 8-bit floats as uint8, since .npy has
    /// neither).
    #[arg(long, value_name = "FILE.npy")]
    out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "out")]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn parse_shape(text: &str) -> Result<Shape, String> {
    let dim = |dim: &str| {
        let parsed = dim.trim().parse::<usize>();
        parsed.map_err(|error| format!("dimension {dim:?}: {error}; write it as 4096x11008"))
    };
    text.split(['x', 'X', ',']).map(dim).collect::<Result<Vec<_>, _>>().map(Into::into)
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let parameter = parameter(args)?;
    let initializer = parameter.initializer();
    let fill = parameter.resolve(args.seed, 0)?;
    // Before there are files that a signal has to remove.
    listen_to_ctrl_c()?;
    let destination =
        args.out.as_deref().map(|path| destination(path, args.force, fill.bytes())).transpose()?;
    let backend = Backend::open(args.device, args.seed, None)?;
    if backend.is_on_host() {
        check_memory(&parameter, &fill, destination.is_some())?;
    }
    let start = Instant::now();
    let bar = bar("filling", fill.bytes());
    let tensor = backend.fill(&parameter, &mut listener(&bar, fill.bytes()), &REMEDIES)?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    let (fingerprint, stats) = backend.examine_one(&tensor, true)?;
    let stats = stats.context("no statistics were taken")?;
    if let Some((destination, _)) = &destination {
        npy::save(destination, args.shape.dims(), &tensor, args.dtype)?;
    }
    let report = Report { args, initializer, backend: &backend, fill, seconds, stats, fingerprint };
    if args.json {
        print_json(&report.json())?;
    } else {
        print(&report.text(&tensor)?)?;
    }
    if let Some(reason) = report.stats.disagreement(&report.fill) {
        bail!(
            "the tensor is not what was asked for: {reason}; try --device cpu, and please report this"
        );
    }
    Ok(())
}

fn destination(path: &Path, force: bool, bytes: u64) -> anyhow::Result<(Destination, Claim)> {
    not_a_folder(path, &format!("name a file, such as {}", path.join("weights.npy").display()))?;
    extension::check(path, "fill", "npy")?;
    let (destination, claim) = Destination::claim(path, force)?;
    destination.check_room(bytes)?;
    Ok((destination, claim))
}

fn check_memory(parameter: &TensorSpec, fill: &Fill, saved: bool) -> anyhow::Result<()> {
    let slices = if saved { memory::SLICES.min(fill.bytes()) } else { 0 };
    let scratch = memory::scratch(parameter, fill);
    let needed = fill.bytes().saturating_add(scratch).saturating_add(slices);
    memory::check("fill", needed, REMEDIES.memory)
}

fn parameter(args: &Args) -> gpu_init::Result<TensorSpec> {
    let mut initializer = args.init;
    if let Some(gain) = args.gain {
        initializer = initializer.gain(gain)?;
    }
    if let Some(mean) = args.mean {
        initializer = initializer.mean(mean)?;
    }
    let parameter = TensorSpec::new(&args.shape, initializer)
        .dtype(args.dtype)
        .layout(args.layout.clone())
        .stream(args.stream);
    Ok(match &args.name {
        Some(name) => parameter.name(name),
        None => parameter,
    })
}

/// Seven significant digits; zero as "0".
fn number(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.6e}") }
}

struct Report<'a> {
    args: &'a Args,
    initializer: Initializer,
    backend: &'a Backend,
    fill: Fill,
    seconds: f64,
    stats: Stats,
    fingerprint: Fingerprint,
}

impl Report<'_> {
    fn json(&self) -> serde_json::Value {
        let Report { args, fill, seconds, .. } = self;
        let (distribution, (low, high)) = (fill.distribution, fill.distribution.bounds());
        let (mean, std) = (distribution.mean(), distribution.std());
        let mut report = json!({
            "device": self.backend.name(),
            "init": self.initializer.to_string(),
            "shape": args.shape.dims(),
            "dtype": fill.dtype.to_string(),
            "seed": fill.seed,
            "stream": fill.stream,
            "elements": fill.len,
            "bytes": fill.bytes(),
            "seconds": seconds,
            "gb_per_s": gb_per_s(fill.bytes(), *seconds),
            "expected": { "mean": mean, "std": std, "min": low, "max": high },
            "agrees": self.stats.disagreement(fill).is_none(),
            "fingerprint": self.fingerprint.to_string(),
            "name": args.name,
            "out": args.out.as_ref().map(|path| path.display().to_string()),
        });
        add_stats(&mut report, Some(&self.stats));
        report
    }

    fn text(&self, tensor: &Filled) -> anyhow::Result<String> {
        let Report { args, fill, stats, initializer, seconds, .. } = self;
        let (distribution, (low, high)) = (fill.distribution, fill.distribution.bounds());
        let (mean, std) = (distribution.mean(), distribution.std());
        let name = match &args.name {
            Some(name) => format!("name {name}"),
            None => format!("stream {}", fill.stream),
        };
        let mut text =
            format!("{initializer} {} {}, seed {}, {name}\n", args.shape, fill.dtype, fill.seed);
        let speed = gb_per_s(fill.bytes(), *seconds);
        text += &row("device", self.backend.describe(args.device));
        text += &row("elements", format!("{} ({})", grouped(fill.len), binary_bytes(fill.bytes())));
        text += &row("time", format!("{seconds:.6} s ({speed:.2} GB/s)"));
        for (label, measured, expected) in [
            ("", "measured".to_owned(), "expected".to_owned()),
            ("mean", number(stats.mean), number(mean)),
            ("std", number(stats.std), number(std)),
            ("min", number(stats.min), format!(">= {}", number(low))),
            ("max", number(stats.max), format!("<= {}", number(high))),
            ("NaN, inf", format!("{}, {}", stats.nan, stats.infinite), "0, 0".to_owned()),
        ] {
            text += &row(label, format!("{measured:>14}  {expected:>14}"));
        }
        if std > 0.0 {
            let sample = tensor.read(0..fill.len.min(SAMPLE))?.to_f32();
            let reach = (high - mean).min(4.0 * std);
            text += &format!("  first {} values:\n", grouped(sample.len() as u64));
            text += &histogram(&sample, mean - reach, mean + reach);
        }
        text += &row("fingerprint", self.fingerprint);
        if let Some(path) = &args.out {
            let words = npy::substitute(fill.dtype).map(|words| {
                format!(" ({words}: .npy has no {})", fill.dtype.to_string().to_lowercase())
            });
            text += &row("saved", format!("{}{}", path.display(), words.unwrap_or_default()));
        }
        Ok(text)
    }
}
