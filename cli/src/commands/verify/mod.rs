//! `gpu-init verify`: a model in .safetensors files, read piece by piece and held against what it
//! says of itself and what seed and rules give.

mod compare;
mod examine;
mod expected;
mod part;
mod ranks;
mod report;
mod rules;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use gpu_init::Fingerprint;

use crate::checkpoint::{Checkpoint, Slices, Stored};
use crate::terminal::output::{print, print_json};
use crate::terminal::progress::{bar, listen_to_ctrl_c, not_interrupted};
use compare::{Compared, NO_REPORT};
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

/// A tensor and what its elements say; nothing if they are of a type that cannot be filled.
struct Examined {
    stored: Stored,
    /// Whether they are what the rules give; none if that cannot be said.
    matches: Option<bool>,
    compared: Option<Compared>,
}

/// A model, or the part of one that one of several processes has.
struct Examination {
    files: usize,
    tensors: Vec<Examined>,
    fingerprint: Fingerprint,
    /// The one in the metadata.
    recorded: Option<String>,
    /// Of all names, types and shapes of the whole model.
    shapes: Fingerprint,
    recorded_shapes: Option<String>,
    /// The seed of the rules and where they are from; none if there are no rules.
    rules: Option<(u64, String)>,
    /// Whether all is as they give; none if that cannot be said.
    matches: Option<bool>,
    /// All that is wrong, each with its name.
    problems: Vec<String>,
    /// All that was not compared with anything.
    unchecked: Vec<String>,
    metadata: BTreeMap<String, String>,
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
    not_interrupted(NO_REPORT)?;
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

impl Examination {
    /// Whether all is as it should be; none if nothing is wrong, but not all was compared.
    fn agrees(&self) -> Option<bool> {
        match (&self.problems[..], &self.unchecked[..]) {
            ([], []) => Some(true),
            ([], _) => None,
            _ => Some(false),
        }
    }

    /// One line on what is wrong, if anything is, and what to do.
    fn complaint(&self, specified: bool, allow_unchecked: bool) -> Option<String> {
        let (what, remedy) = match self.agrees() {
            Some(true) => return None,
            None if allow_unchecked => return None,
            None => (&self.unchecked, "or --allow-unchecked if that is as it should be"),
            Some(false) if specified && self.matches == Some(false) => {
                (&self.problems, "pass the seed and rules that made it, or write the model again")
            }
            Some(false) => (&self.problems, "write the model again"),
        };
        Some(format!("{}; {remedy}", first(what)))
    }
}

/// The first ones, and how many more there are: another seed makes every tensor another one.
fn first(all: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = all.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > MOST {
        text += &format!("; and {} more, which --json lists", all.len() - MOST);
    }
    text
}
