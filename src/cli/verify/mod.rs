//! `gpu-init verify`: a model in .safetensors files, read piece by piece and held against what it says of itself and
//! what seed and rules give.

mod compare;
mod expected;
mod part;
mod ranks;
mod report;
mod rules;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::{Fingerprint, STREAM_VERSION, stream_of};
use indicatif::ProgressBar;

use super::checkpoint::{Checkpoint, Pieces, Slices, Stored};
use super::output::{print, print_json};
use super::progress::{bar, listen_to_ctrl_c};
use compare::Compared;
use expected::Expected;
use part::Part;
use report::Report;
use rules::Given;

/// Read a model back and say whether it is what seed and rules give, and has the fingerprint that it says.
///
/// Seed and rules are those that the file records, unless told. Exits with 1, and names the tensors, if a value is not
/// the one they give or not finite, or the fingerprint is another one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A .safetensors file, or a folder with model.safetensors, an index and its shards, or the files of all ranks.
    model: PathBuf,
    #[command(flatten)]
    rules: rules::Args,
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
    /// The seed of the rules and where they are from; none if there are no rules.
    rules: Option<(u64, String)>,
    /// Whether all is as they give; none if that cannot be said.
    matches: Option<bool>,
    /// All that is wrong, each with its name.
    problems: Vec<String>,
    metadata: BTreeMap<String, String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let given = Given::read(&args.rules)?;
    let slices = Slices::find(&args.model)?;
    listen_to_ctrl_c()?;
    let start = Instant::now();
    let examination = match &slices {
        Some(slices) => ranks::examine_all(slices, &given)?,
        None => {
            let checkpoint = Checkpoint::open(&args.model)?;
            let tensors = checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
            let progress = bar("verifying", tensors.map(|stored| stored.bytes.end - stored.bytes.start).sum());
            let examination = examine(checkpoint, &given, &progress)?;
            progress.finish_and_clear();
            examination
        }
    };
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
    match report.examination.complaint(given.is_told()) {
        Some(complaint) => bail!("{complaint}"),
        None => Ok(()),
    }
}

/// Every tensor of a checkpoint, which is all of a model or one process' part.
fn examine(checkpoint: Checkpoint, given: &Given, progress: &ProgressBar) -> anyhow::Result<Examination> {
    let metadata = checkpoint.metadata();
    let shown = checkpoint.shards.first().map(|shard| shard.path.display().to_string()).unwrap_or_default();
    let context = || format!("cannot verify {shown}");
    let part = Part::of(&metadata).with_context(context)?;
    let rules = given.or_recorded(&metadata).with_context(context)?;
    let mut problems = Vec::new();
    let version = metadata.get("stream_version").filter(|version| **version != STREAM_VERSION.to_string());
    if let Some(version) = version.filter(|_| rules.is_some()) {
        problems.push(format!(
            "{shown}: its stream version is {version} and this program's {STREAM_VERSION}, so only the gpu-init that \
             wrote it knows what seed and rules give"
        ));
    }
    let stored = || checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
    let expected = match &rules {
        Some(rules) if version.is_none() => {
            Some(Expected::new(stored(), &metadata, part.as_ref(), rules).with_context(context)?)
        }
        _ => None,
    };
    // Ranks have tensors of the same names.
    let rank = part.as_ref().map(|part| format!("rank {}: ", part.rank)).unwrap_or_default();
    let whose = |problem: String| rank.clone() + &problem;
    let mut differences: Vec<String> =
        expected.as_ref().map(|expected| expected.problems(stored(), &metadata)).unwrap_or_default();

    let files = checkpoint.shards.len();
    let (mut tensors, mut recorded) = (Vec::new(), Vec::new());
    for shard in checkpoint.shards {
        let mut pieces = Pieces::open(&shard)?;
        recorded.extend(shard.metadata.get("fingerprint").map(|fingerprint| (shard.path, fingerprint.clone())));
        for stored in shard.tensors {
            let places = part::places(part.as_ref(), &stored).with_context(context)?;
            let entry = expected.as_ref().and_then(|expected| expected.of(&stored));
            let compared = compare::tensor(&mut pieces, &stored, &places, entry, progress)?;
            let mut matches = None;
            if let Some(compared) = &compared {
                let found = compared.differences(&stored.name);
                matches = expected.as_ref().map(|_| entry.is_some() && found.is_empty());
                problems.extend(compared.not_finite(&stored.name).map(whose));
                differences.extend(found);
            }
            tensors.push(Examined { stored, matches, compared });
        }
    }
    let compared = tensors.iter().filter_map(|one| Some((stream_of(&one.stored.name), one.compared.as_ref()?)));
    let fingerprint = compared.map(|(stream, compared)| compared.fingerprint.in_model(stream)).sum::<Fingerprint>();
    let matches = expected.map(|_| differences.is_empty());
    problems.extend(differences.into_iter().map(whose));
    // Every shard has the whole model's.
    let text = fingerprint.to_string();
    for (path, recorded) in recorded.into_iter().filter(|(_, recorded)| *recorded != text) {
        let shown = path.display();
        problems.push(format!("{shown}: the fingerprint recorded is {recorded}, that of the weights {text}"));
    }
    Ok(Examination {
        files,
        tensors,
        fingerprint,
        recorded: metadata.get("fingerprint").cloned(),
        rules: rules.map(|rules| (rules.rules.seed(), rules.source)),
        matches,
        problems,
        metadata,
    })
}

impl Examination {
    /// One line on what is wrong, if anything is, and what to do.
    fn complaint(&self, told: bool) -> Option<String> {
        /// Another seed makes every tensor another one, and the report has them all.
        const MOST: usize = 5;
        let problems = &self.problems;
        if problems.is_empty() {
            return None;
        }
        let mut text = problems.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
        if problems.len() > MOST {
            text += &format!("; and {} more, which --json lists", problems.len() - MOST);
        }
        let remedy = if told && self.matches == Some(false) { "pass the seed and rules that made it, or " } else { "" };
        Some(format!("{text}; {remedy}write the model again"))
    }
}
