//! `gpu-init verify`: reads a model in .safetensors files chunk by chunk and compares it with its
//! metadata and with what seed and rules give.

mod compare;
mod examine;
mod expected;
mod part;
mod ranks;
mod report;
mod rules;
mod work;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::checkpoint::read::shard::Stored;
use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::read::slices::Slices;
use crate::terminal::output::print_report;
use crate::terminal::progress::{bar, listen_to_ctrl_c, not_interrupted};
use anyhow::anyhow;
use compare::REMEDIES;
use examine::{Examination, examine};
use report::Report;
use rules::Given;
use work::Budget;

/// Read a model back and check that it has the values that seed and rules give, and the fingerprint
/// that it records.
///
/// Seed and rules are taken from the file, unless given. Exits with 1 and names the tensors if a
/// value differs or is not finite, if a fingerprint differs, or if something could not be compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file, or a folder with model.safetensors, an index and its shards, or the
    /// files of all ranks.
    model: PathBuf,
    #[command(flatten)]
    rules: rules::Args,
    /// Exit with 0 even if something could not be compared, if all else agrees; the report names
    /// it.
    #[arg(long)]
    allow_unchecked: bool,
    /// Recompute orthogonal and sparse tensors even if they are much larger than the slices in the
    /// file.
    #[arg(long)]
    allow_costly: bool,
    /// Print every tensor.
    #[arg(long)]
    verbose: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let given = Given::read(&args.rules)?;
    let slices = Slices::find(&args.model)?;
    listen_to_ctrl_c()?;
    let start = Instant::now();
    let mut budget = Budget::new(args.allow_costly);
    let examination = match &slices {
        Some(slices) => ranks::examine_all(slices, &given, &mut budget)?,
        None => whole(&args.model, &given, &mut budget)?,
    };
    not_interrupted(REMEDIES.interrupted)?;
    let report = Report {
        model: &args.model,
        ranks: slices.map(|slices| slices.world),
        examination,
        verbose: args.verbose,
        seconds: start.elapsed().as_secs_f64(),
    };
    print_report(args.json, || report.json(), || report.text())?;
    let specified = given.rules.is_some() || given.seed.is_some();
    let complaint = report.examination.complaint(specified, args.allow_unchecked);
    complaint.map_or(Ok(()), |complaint| Err(anyhow!(complaint)))
}

/// Examines a model that is not in the files of several processes.
fn whole(model: &Path, given: &Given, budget: &mut Budget) -> anyhow::Result<Examination> {
    let checkpoint = Checkpoint::open(model)?;
    let progress = bar("verifying", checkpoint.tensors().map(Stored::size).sum());
    let examination = examine(&checkpoint, given, budget, &progress)?;
    progress.finish_and_clear();
    Ok(examination)
}

/// Fails unless a model has the values and the fingerprint that its own metadata promises.
pub(crate) fn agrees_with_itself(model: &Path) -> anyhow::Result<()> {
    let given = Given { rules: None, seed: None };
    let examination = whole(model, &given, &mut Budget::new(true))?;
    examination.complaint(false, false).map_or(Ok(()), |complaint| Err(anyhow!(complaint)))
}
