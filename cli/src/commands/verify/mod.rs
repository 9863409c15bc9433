//! `gpu-init verify`: a model in .safetensors files, read piece by piece and held against what it
//! says of itself and what seed and rules give.

mod compare;
mod examination;
mod examine;
mod expected;
mod part;
mod ranks;
mod report;
mod rules;
mod work;

use std::path::PathBuf;
use std::time::Instant;

use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::read::slices::Slices;
use crate::terminal::output::{print, print_json};
use crate::terminal::progress::{bar, listen_to_ctrl_c, not_interrupted};
use anyhow::bail;
use compare::REMEDIES;
use examine::examine;
use report::Report;
use rules::Given;
use work::Budget;

/// Read a model back and say whether it is what seed and rules give, and has the fingerprint that
/// it says.
///
/// Seed and rules are those that the file records, unless given. Exits with 1, and names the
/// tensors, if a value is not the one they give or not finite, or a fingerprint is another one; and
/// where something could not be compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file, or a folder with model.safetensors, an index and its shards, or the
    /// files of all ranks.
    model: PathBuf,
    #[command(flatten)]
    rules: rules::Args,
    /// Exit with 0 although something was compared with nothing, if all else agrees; the report
    /// says what it is.
    #[arg(long)]
    allow_unchecked: bool,
    /// Make orthogonal and sparse tensors again however much larger they are than the slices that
    /// the file has.
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
        None => {
            let checkpoint = Checkpoint::open(&args.model)?;
            let tensors = checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
            let progress =
                bar("verifying", tensors.map(|stored| stored.bytes.end - stored.bytes.start).sum());
            let examination = examine(checkpoint, &given, &mut budget, &progress)?;
            progress.finish_and_clear();
            examination
        }
    };
    not_interrupted(REMEDIES.interrupted)?;
    let report = Report {
        model: &args.model,
        ranks: slices.map(|slices| slices.world),
        examination,
        seconds: start.elapsed().as_secs_f64(),
    };
    if args.json {
        print_json(&report.json(args.verbose))?;
    } else {
        print(&report.text(args.verbose))?;
    }
    match report.examination.complaint(given.is_specified(), args.allow_unchecked) {
        Some(complaint) => bail!("{complaint}"),
        None => Ok(()),
    }
}
