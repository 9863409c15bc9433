//! `gpu-init model`: every tensor of a model, allocated and filled in device memory, checked and fingerprinted.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::{Fingerprint, Plan, PlanEntry, Stats, stream_of};
use serde_json::json;

use super::backend::{Backend, Choice};
use super::output::{complain, gb_per_s, print, print_json, printable, row};
use super::progress::{bar, listen_to_ctrl_c, listener};
use super::tensor_list::TensorList;
use super::{plan_table, rules};

/// Bytes filled between two steps of the progress bar.
const BATCH: u64 = 256 << 20;

/// Initialize every tensor of a model in device memory, check all of them and print one fingerprint.
///
/// How is for the rules to say; the recipe xavier is taken unless told. Each tensor's stream is its name's, so the
/// weights depend on neither the order nor the device.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Tensor list in the form of a safetensors header: {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.
    file: PathBuf,
    #[command(flatten)]
    rules: rules::Args,
    /// Print which tensor would be initialized how, and open no device.
    #[arg(long)]
    dry_run: bool,
    /// Where: auto, cpu or an adapter's number in `gpu-init devices`.
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = args.rules.read()?;
    let list = TensorList::read(&args.file)?;
    let architecture = printable(&list.architecture.unwrap_or_else(|| "model".to_owned()));
    let tensors = list.tensors.into_iter().map(|entry| (entry.name, entry.shape, Some(entry.dtype)));
    let plan = Plan::new(tensors, &rules)?;
    let (elements, bytes, seed) = (plan.elements(), plan.bytes(), rules.seed());
    for warning in plan.warnings() {
        complain(&format!("warning: {warning}"));
    }
    let title = format!("{architecture} from {} by {}, seed {seed}\n", args.file.display(), args.rules.source());
    if args.dry_run {
        return if args.json {
            print_json(&json!({
                "model": architecture,
                "rules": args.rules.source(),
                "seed": seed,
                "tensors": plan.entries().len(),
                "elements": elements,
                "bytes": bytes,
                "warnings": plan.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "plan": plan_table::entries(&plan),
            }))
        } else {
            print(&(plan_table::table(&plan) + "\n" + &title + &plan_table::summary(&plan, &rules)))
        };
    }

    listen_to_ctrl_c()?;
    let backend = Backend::open(args.device, seed)?;
    let progress = bar("filling", bytes);
    let (mut tensors, mut seconds) = (Vec::with_capacity(plan.entries().len()), 0.0);
    for batch in batches(plan.entries()) {
        let parameters: Vec<_> = batch.iter().map(|entry| entry.parameter.clone()).collect();
        let start = Instant::now();
        let bytes = batch.iter().map(|entry| entry.fill.bytes()).sum();
        tensors.extend(backend.fill_all(&parameters, &mut listener(&progress, bytes))?);
        seconds += start.elapsed().as_secs_f64();
    }
    progress.reset();
    progress.set_message("checking");
    let (mut fingerprint, mut stats, mut disagreements) = (Fingerprint::default(), None::<Stats>, Vec::new());
    let start = Instant::now();
    for (entry, tensor) in plan.entries().iter().zip(&tensors) {
        let part = tensor.stats()?;
        if let Some(reason) = part.disagreement(&entry.fill) {
            disagreements.push(format!("{}: {reason}", entry.name));
        }
        stats = Some(stats.map_or(part, |stats| stats.join(&part)));
        fingerprint += tensor.fingerprint()?.in_model(stream_of(&entry.name));
        progress.inc(entry.fill.bytes());
    }
    let check_seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let stats = stats.context("the model has no tensors")?;

    if args.json {
        print_json(&json!({
            "model": architecture,
            "device": backend.name(),
            "rules": args.rules.source(),
            "seed": seed,
            "tensors": plan.entries().len(),
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
        let mut text = title;
        text += &row("device", backend.name());
        text += &plan_table::summary(&plan, &rules);
        text += &row(
            "time",
            format!("{seconds:.3} s to fill ({:.2} GB/s), {check_seconds:.3} s to check", gb_per_s(bytes, seconds)),
        );
        text += &row(
            "stats",
            match disagreements.len() {
                0 => format!("mean, std and range of all {} tensors agree with theory", tensors.len()),
                n => format!("{n} of {} tensors disagree with theory", tensors.len()),
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

/// Consecutive tensors of some [`BATCH`] bytes together.
fn batches(entries: &[PlanEntry]) -> impl Iterator<Item = &[PlanEntry]> {
    let mut bytes = 0;
    entries.chunk_by(move |entry, _| {
        bytes += entry.fill.bytes();
        let together = bytes < BATCH;
        if !together {
            bytes = 0;
        }
        together
    })
}
