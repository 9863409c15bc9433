//! `gpu-init model`: every tensor of a model, allocated and filled in device memory, checked and fingerprinted.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::{DType, Fill, Fingerprint, Initializer, Parameter, Stats, stream_of};
use serde_json::json;

use super::backend::{Backend, Choice};
use super::output::{binary_bytes, gb_per_s, grouped, print, print_json, printable, row};
use super::progress::{bar, listen_to_ctrl_c, listener};
use super::tensor_list::{Entry, TensorList};

/// Bytes filled between two steps of the progress bar.
const BATCH: u64 = 256 << 20;

/// Initialize every tensor of a model in device memory, check all of them and print one fingerprint.
///
/// Two or more dimensions: Xavier normal. Norm weights: one. Other vectors and scalars: zero. Each tensor's
/// stream is its name's, so the weights depend on neither the order nor the device.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Tensor list in the form of a safetensors header: {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.
    file: PathBuf,
    /// The element type of all tensors, instead of the file's: f32, f16 or bf16.
    #[arg(long)]
    dtype: Option<DType>,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where: auto, cpu or an adapter's number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// One tensor: what it is and what it is to be.
struct Planned {
    name: String,
    parameter: Parameter,
    initializer: Initializer,
    fill: Fill,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let list = TensorList::read(&args.file)?;
    let architecture = printable(&list.architecture.unwrap_or_else(|| "model".to_owned()));
    let plan = list.tensors.into_iter().map(|entry| planned(entry, args)).collect::<anyhow::Result<Vec<_>>>()?;
    let total = |of: fn(&Planned) -> u64| {
        plan.iter()
            .map(of)
            .try_fold(0u64, u64::checked_add)
            .context("the model's size overflows 64 bits; check its shapes")
    };
    let (elements, bytes) = (total(|tensor| tensor.fill.len)?, total(|tensor| tensor.fill.bytes())?);

    listen_to_ctrl_c()?;
    let backend = Backend::open(args.device, args.seed)?;
    let progress = bar("filling", bytes);
    let (mut tensors, mut seconds) = (Vec::with_capacity(plan.len()), 0.0);
    for batch in batches(&plan) {
        let parameters: Vec<_> = batch.iter().map(|tensor| tensor.parameter.clone()).collect();
        let start = Instant::now();
        let bytes = batch.iter().map(|tensor| tensor.fill.bytes()).sum();
        tensors.extend(backend.fill_all(&parameters, &mut listener(&progress, bytes))?);
        seconds += start.elapsed().as_secs_f64();
    }
    progress.reset();
    progress.set_message("checking");
    let (mut fingerprint, mut stats, mut disagreements) = (Fingerprint::default(), None::<Stats>, Vec::new());
    let start = Instant::now();
    for (planned, tensor) in plan.iter().zip(&tensors) {
        let part = tensor.stats()?;
        if let Some(reason) = part.disagreement(&planned.fill) {
            disagreements.push(format!("{}: {reason}", planned.name));
        }
        stats = Some(stats.map_or(part, |stats| stats.join(&part)));
        fingerprint += tensor.fingerprint()?.in_model(stream_of(&planned.name));
        progress.inc(planned.fill.bytes());
    }
    let check_seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let stats = stats.context("the model has no tensors")?;

    if args.json {
        print_json(&json!({
            "model": architecture,
            "device": backend.name(),
            "seed": args.seed,
            "tensors": plan.len(),
            "elements": elements,
            "parameters": elements,
            "bytes": bytes,
            "seconds": seconds,
            "gb_per_s": gb_per_s(bytes, seconds),
            "check_seconds": check_seconds,
            "mean": stats.mean,
            "std": stats.std,
            "min": stats.min,
            "max": stats.max,
            "nan": stats.nan,
            "infinite": stats.infinite,
            "agrees": disagreements.is_empty(),
            "disagreements": disagreements,
            "fingerprint": fingerprint.to_string(),
        }))?;
    } else {
        let mut text = format!("{architecture} from {}, seed {}\n", args.file.display(), args.seed);
        text += &row("device", backend.name());
        text += &row("tensors", plan.len());
        for (initializer, rule) in RULES {
            let same: Vec<_> = plan.iter().filter(|tensor| tensor.initializer == initializer).collect();
            let elements = same.iter().map(|tensor| tensor.fill.len).sum();
            text += &row(
                "",
                format!("{:>5} {:<14} {:>14}  {rule}", same.len(), initializer.to_string(), grouped(elements)),
            );
        }
        text += &row("parameters", grouped(elements));
        text += &row("bytes", format!("{} ({})", grouped(bytes), binary_bytes(bytes)));
        text += &row(
            "time",
            format!("{seconds:.3} s to fill ({:.2} GB/s), {check_seconds:.3} s to check", gb_per_s(bytes, seconds)),
        );
        text += &row(
            "stats",
            match disagreements.len() {
                0 => format!("mean, std and range of all {} tensors agree with theory", plan.len()),
                n => format!("{n} of {} tensors disagree with theory", plan.len()),
            },
        );
        text += &row("fingerprint", fingerprint);
        print(&text)?;
    }
    if !disagreements.is_empty() {
        bail!("{}; try --device cpu, and please report this", disagreements.join("; "));
    }
    Ok(())
}

/// The rules, for the report.
const RULES: [(Initializer, &str); 3] = [
    (Initializer::XAVIER_NORMAL, "two or more dimensions"),
    (Initializer::ONES, "norm weights"),
    (Initializer::ZEROS, "other vectors"),
];

fn planned(entry: Entry, args: &Args) -> anyhow::Result<Planned> {
    let Entry { name, dtype, shape } = entry;
    let initializer = match shape.len() {
        0 | 1 if is_norm_weight(&name) => Initializer::ONES,
        0 | 1 => Initializer::ZEROS,
        _ => Initializer::XAVIER_NORMAL,
    };
    let dtype = args.dtype.unwrap_or(dtype);
    let parameter = Parameter::new(shape, initializer).name(&name).dtype(dtype);
    let fill = parameter.resolve(args.seed, 0).with_context(|| format!("tensor {name:?}"))?;
    Ok(Planned { name, parameter, initializer, fill })
}

/// Whether a vector of that name scales a normalization: its weight, gamma or scale, where the name speaks of
/// a norm (LayerNorm, normalization, ln_1, bn2, torchvision's downsample.1), and BatchNorm's running_var.
fn is_norm_weight(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut segments: Vec<&str> = name.split(['.', '/']).collect();
    let last = segments.pop().unwrap_or_default();
    let speaks_of_norm = segments.iter().enumerate().any(|(i, segment)| {
        let short = segment.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
        segment.contains("norm")
            || matches!(short, "ln" | "bn" | "gn")
            || segment.starts_with("ln_")
            || (i > 0 && *segment == "1" && segments[i - 1] == "downsample")
    });
    match last {
        "weight" | "gamma" | "scale" | "g" => speaks_of_norm,
        "running_var" => true,
        _ => false,
    }
}

/// Consecutive tensors of some [`BATCH`] bytes together.
fn batches(plan: &[Planned]) -> impl Iterator<Item = &[Planned]> {
    let mut bytes = 0;
    plan.chunk_by(move |tensor, _| {
        bytes += tensor.fill.bytes();
        let together = bytes < BATCH;
        if !together {
            bytes = 0;
        }
        together
    })
}

#[cfg(test)]
mod tests {
    use super::is_norm_weight;

    #[test]
    fn norm_weights_are_told_by_name() {
        for name in [
            "transformer.h.0.ln_1.weight",
            "transformer.ln_f.weight",
            "bert.encoder.layer.0.attention.output.LayerNorm.weight",
            "resnet.embedder.embedder.normalization.weight",
            "model.layers.0.input_layernorm.weight",
            "layer1.0.bn2.weight",
            "layer1.0.downsample.1.weight",
            "model/h0/ln_1/g",
            "encoder.norm.gamma",
            "bn1.running_var",
        ] {
            assert!(is_norm_weight(name), "{name}");
        }
        for name in [
            "fc.bias",
            "ln_1.bias",
            "bn1.running_mean",
            "prelu.weight",
            "weight",
            "",
            "downsample.0.weight",
            "plain.1.weight",
        ] {
            assert!(!is_norm_weight(name), "{name}");
        }
    }
}
