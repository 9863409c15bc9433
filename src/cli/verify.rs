//! `gpu-init verify`: a model in .safetensors files, read piece by piece and held against what it says of itself.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use gpu_init::{Fingerprint, Stats, stream_of};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::checkpoint::{Checkpoint, Measured, Pieces, Stored};
use super::output::{binary_bytes, gb_per_s, grouped, print, print_json, printable, row};

/// Read a model back, compute its fingerprint and compare it with the one in its metadata.
///
/// Exits with 1, and names the tensors, if a value is not finite or the fingerprint is another one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file, or a folder with model.safetensors or an index and its shards.
    model: PathBuf,
    /// Print every tensor.
    #[arg(long)]
    verbose: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// A tensor and what its elements say; nothing if they are of a type that cannot be filled.
struct Examined<'a> {
    stored: &'a Stored,
    measured: Option<Measured>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::open(&args.model)?;
    let start = Instant::now();
    let examined = examine(&checkpoint)?;
    let seconds = start.elapsed().as_secs_f64();
    let metadata = checkpoint.metadata();
    let measured = || examined.iter().filter_map(|one| one.measured.map(|measured| (one.stored, measured)));
    let fingerprint: Fingerprint =
        measured().map(|(stored, measured)| measured.fingerprint.in_model(stream_of(&stored.name))).sum();
    let stats = measured().map(|(_, measured)| measured.stats).reduce(|all, one| all.join(&one));
    let (elements, others) = (stats.map_or(0, |stats| stats.count), examined.len() - measured().count());
    let bytes = examined.iter().map(|one| one.stored.bytes.end - one.stored.bytes.start).sum();
    let recorded = metadata.get("fingerprint");
    let problems = problems(&checkpoint, &examined, fingerprint);

    if args.json {
        let mut report = json!({
            "model": args.model.display().to_string(),
            "files": checkpoint.shards.len(),
            "tensors": examined.len(),
            "not_checked": others,
            "elements": elements,
            "bytes": bytes,
            "seconds": seconds,
            "gb_per_s": gb_per_s(bytes, seconds),
            "mean": stats.map(|stats| stats.mean),
            "std": stats.map(|stats| stats.std),
            "min": stats.map(|stats| stats.min),
            "max": stats.map(|stats| stats.max),
            "nan": stats.map(|stats| stats.nan),
            "infinite": stats.map(|stats| stats.infinite),
            "metadata": metadata,
            "fingerprint": fingerprint.to_string(),
            "recorded_fingerprint": recorded,
            "agrees": problems.is_empty(),
            "problems": problems,
        });
        if args.verbose {
            report["each"] = examined.iter().map(Examined::json).collect();
        }
        print_json(&report)?;
    } else {
        let mut text = format!("{}\n", printable(&args.model.display().to_string()));
        if args.verbose {
            text.extend(examined.iter().map(Examined::line));
        }
        let not_checked = if others == 0 { String::new() } else { format!(", {others} of other types not checked") };
        text += &row("tensors", format!("{}{not_checked}", examined.len()));
        text += &row("elements", grouped(elements));
        text += &row("bytes", format!("{} ({})", grouped(bytes), binary_bytes(bytes)));
        text += &row("time", format!("{seconds:.3} s ({:.2} GB/s)", gb_per_s(bytes, seconds)));
        if let Some(Stats { mean, std, min, max, nan, infinite, .. }) = stats {
            text += &row("values", format!("mean {mean:.6e}, std {std:.6e}, {min:e} to {max:e}"));
            text += &row("NaN, inf", format!("{nan}, {infinite}"));
        }
        text += &row(
            "fingerprint",
            match recorded {
                Some(recorded) if *recorded == fingerprint.to_string() => format!("{fingerprint}, as recorded"),
                Some(recorded) => format!("{fingerprint}, recorded {}", printable(recorded)),
                None => format!("{fingerprint}, none recorded"),
            },
        );
        print(&text)?;
    }
    if !problems.is_empty() {
        bail!("{}; write the model again", problems.join("; "));
    }
    Ok(())
}

fn examine(checkpoint: &Checkpoint) -> anyhow::Result<Vec<Examined<'_>>> {
    let all = || checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
    let bytes = all().map(|stored| stored.bytes.end - stored.bytes.start).sum();
    let progress = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(
        "reading   [{bar:40}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left",
    )?);
    let mut examined = Vec::new();
    for shard in &checkpoint.shards {
        let mut pieces = Pieces::open(shard)?;
        for stored in &shard.tensors {
            examined.push(Examined { stored, measured: pieces.measure(stored, |bytes| progress.inc(bytes))? });
        }
    }
    progress.finish_and_clear();
    Ok(examined)
}

/// What is wrong, each with its name. What seed and rules give is to be held against `examined` here too.
fn problems(checkpoint: &Checkpoint, examined: &[Examined<'_>], fingerprint: Fingerprint) -> Vec<String> {
    let mut problems = Vec::new();
    for Examined { stored, measured } in examined {
        let Some(Measured { stats: Stats { nan, infinite, .. }, .. }) = measured else { continue };
        if (*nan, *infinite) != (0, 0) {
            problems.push(format!("{}: {nan} NaN, {infinite} infinite", stored.name));
        }
    }
    let fingerprint = fingerprint.to_string();
    for shard in &checkpoint.shards {
        // Every shard has the whole model's.
        if let Some(recorded) = shard.metadata.get("fingerprint").filter(|recorded| **recorded != fingerprint) {
            let shown = shard.path.display();
            problems
                .push(format!("{shown}: the fingerprint recorded is {recorded}, that of the weights {fingerprint}"));
        }
    }
    problems
}

impl Examined<'_> {
    fn json(&self) -> serde_json::Value {
        let Examined { stored, measured } = self;
        json!({
            "name": stored.name,
            "dtype": stored.dtype.to_string(),
            "shape": stored.shape,
            "fingerprint": measured.map(|measured| measured.fingerprint.to_string()),
            "mean": measured.map(|measured| measured.stats.mean),
            "std": measured.map(|measured| measured.stats.std),
            "min": measured.map(|measured| measured.stats.min),
            "max": measured.map(|measured| measured.stats.max),
            "nan": measured.map(|measured| measured.stats.nan),
            "infinite": measured.map(|measured| measured.stats.infinite),
        })
    }

    fn line(&self) -> String {
        let Examined { stored, measured } = self;
        let measured = match measured {
            Some(Measured { fingerprint, stats: Stats { mean, std, min, max, .. } }) => {
                format!("{fingerprint}  mean {mean:>13.6e}  std {std:.6e}  {min:e} to {max:e}")
            }
            None => "not checked".to_owned(),
        };
        format!("  {:<4} {:<20} {measured}  {}\n", stored.dtype.to_string(), format!("{:?}", stored.shape), stored.name)
    }
}
