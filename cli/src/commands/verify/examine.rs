//! Examines a checkpoint, a model or one rank's slices: compares its metadata with all its
//! elements.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use anyhow::Context;
use gpu_init::{Fingerprint, STREAM_VERSION, stream_of};
use indicatif::ProgressBar;

use crate::checkpoint::format::metadata::SHAPES;
use crate::checkpoint::format::shapes::shapes_fingerprint;
use crate::checkpoint::read::chunks::Chunks;
use crate::checkpoint::read::shard::Stored;
use crate::checkpoint::read::shards::Checkpoint;
use crate::commands::verify::compare;
use crate::commands::verify::examination::{Examination, Examined};
use crate::commands::verify::expected::{Expected, Ties};
use crate::commands::verify::part::{self, Part};
use crate::commands::verify::rules::{Given, Sourced};
use crate::commands::verify::work::Budget;

/// What a checkpoint records, and what is expected of it.
struct Claims {
    metadata: BTreeMap<String, String>,
    part: Option<Part>,
    rules: Option<Sourced>,
    /// Whether the rules are the command line's.
    given: bool,
    /// The expected tensors; none without rules of this program's stream version.
    expected: Option<Expected>,
    /// The fingerprint of all names, types and shapes of the whole model.
    shapes: Fingerprint,
    /// The recorded fingerprints of weights and of shapes, each with its file.
    fingerprints: Vec<(PathBuf, String)>,
    shapes_recorded: Vec<(PathBuf, String)>,
}

/// Examines every tensor of a checkpoint, which is a model or one rank's slices.
pub(super) fn examine(
    checkpoint: Checkpoint,
    given: &Given,
    budget: &mut Budget,
    progress: &ProgressBar,
) -> anyhow::Result<Examination> {
    let shown =
        checkpoint.shards.first().map(|shard| shard.path.display().to_string()).unwrap_or_default();
    let context = || format!("cannot verify {shown}");
    let claims = Claims::of(&checkpoint, given).with_context(context)?;
    let (files, stored) =
        (checkpoint.shards.len(), || checkpoint.shards.iter().flat_map(|shard| &shard.tensors));
    let mut differences = Vec::new();
    if let Some(expected) = &claims.expected {
        for entry in stored().filter_map(|stored| expected.of(stored)) {
            budget.take(entry).with_context(context)?;
        }
        differences = expected.problems(stored(), &claims.metadata);
    }
    let tensors = read(checkpoint, &claims, progress).with_context(context)?;
    let compared =
        || tensors.iter().filter_map(|one| Some((&one.stored.name, one.compared.as_ref()?)));
    differences.extend(compared().flat_map(|(name, compared)| compared.differences(name)));
    let matches = claims.expected.as_ref().map(|_| differences.is_empty());
    let not_finite = compared().filter_map(|(name, compared)| compared.not_finite(name));
    let fingerprint =
        compared().map(|(name, compared)| compared.fingerprint.in_model(stream_of(name))).sum();

    // Ranks have tensors with the same names.
    let rank = claims.part.as_ref().map(|part| format!("rank {}: ", part.rank)).unwrap_or_default();
    let whose = |what: String| rank.clone() + &what;
    let mut problems: Vec<String> = claims.other_version(&shown).into_iter().collect();
    problems.extend(not_finite.chain(differences).map(whose));
    problems.extend(claims.unlike_recorded(fingerprint));
    let unchecked = claims.unchecked(&tensors).into_iter().map(whose).collect();
    Ok(Examination {
        files,
        fingerprint,
        recorded: claims.metadata.get("fingerprint").cloned(),
        shapes: claims.shapes,
        recorded_shapes: claims.metadata.get(SHAPES).cloned(),
        rules: claims.rules.map(|Sourced { rules, source }| (rules.seed(), source)),
        matches,
        problems,
        unchecked,
        metadata: claims.metadata,
        tensors,
    })
}

/// Reads every element.
fn read(
    checkpoint: Checkpoint,
    claims: &Claims,
    progress: &ProgressBar,
) -> anyhow::Result<Vec<Examined>> {
    let Claims { part, expected, .. } = claims;
    let mut tensors = Vec::new();
    for shard in checkpoint.shards {
        let mut chunks = Chunks::open(&shard)?;
        for stored in shard.tensors {
            let offsets = part::locate(part.as_ref(), &stored)?;
            let entry = expected.as_ref().and_then(|expected| expected.of(&stored));
            let compared = compare::tensor(&mut chunks, &stored, &offsets, entry, progress)?;
            let matches = compared.as_ref().zip(expected.as_ref());
            let matches = matches.map(|(compared, _)| {
                entry.is_some() && compared.differences(&stored.name).is_empty()
            });
            tensors.push(Examined { stored, matches, compared });
        }
    }
    Ok(tensors)
}

impl Claims {
    fn of(checkpoint: &Checkpoint, given: &Given) -> anyhow::Result<Self> {
        let metadata = checkpoint.metadata();
        let part = Part::of(&metadata)?;
        let rules = given.or_recorded(&metadata)?;
        let stored = || checkpoint.shards.iter().flat_map(|shard| &shard.tensors);
        let described =
            |stored: &Stored| (stored.name.clone(), stored.dtype.to_string(), stored.shape.clone());
        let tensors: Vec<(String, String, Vec<usize>)> = match &part {
            Some(part) => part.described().collect(),
            None => stored().map(described).collect(),
        };
        let names: HashSet<&str> = tensors.iter().map(|(name, ..)| name.as_str()).collect();
        let ties = Ties::of(&metadata, |name| names.contains(name))?;
        let described =
            tensors.iter().map(|(name, dtype, shape)| (name.as_str(), dtype.as_str(), &shape[..]));
        let shapes = shapes_fingerprint(described, ties.all.iter().copied());
        let expected = match &rules {
            Some(rules) if is_of_this_stream(&metadata) => {
                Some(Expected::new(stored(), part.as_ref(), &ties, rules)?)
            }
            _ => None,
        };
        let recorded = |key: &str| {
            let files = checkpoint.shards.iter();
            files
                .filter_map(|shard| Some((shard.path.clone(), shard.metadata.get(key)?.clone())))
                .collect()
        };
        let [fingerprints, shapes_recorded] = ["fingerprint", SHAPES].map(recorded);
        Ok(Claims {
            metadata,
            part,
            rules,
            given: given.has_rules(),
            expected,
            shapes,
            fingerprints,
            shapes_recorded,
        })
    }

    /// A problem if the rules are for another version of the stream.
    fn other_version(&self, shown: &str) -> Option<String> {
        let version = self.metadata.get("stream_version")?;
        (self.rules.is_some() && !is_of_this_stream(&self.metadata)).then(|| {
            format!(
                "{shown}: its stream version is {version} and this program's {STREAM_VERSION}, so only the gpu-init \
                 that wrote it knows what seed and rules give"
            )
        })
    }

    /// Problems with recorded fingerprints. Every file records those of the whole model, or of the
    /// rank's slices.
    fn unlike_recorded(&self, fingerprint: Fingerprint) -> Vec<String> {
        let (is, shapes) = (fingerprint.to_string(), self.shapes.to_string());
        let weights = self.fingerprints.iter().filter(|(_, recorded)| *recorded != is).map(
            |(path, recorded)| {
                format!(
                    "{}: the fingerprint recorded is {recorded}, that of the weights {is}",
                    path.display()
                )
            },
        );
        let shapes = self.shapes_recorded.iter().filter(|(_, recorded)| *recorded != shapes).map(|(path, recorded)| {
            let path = path.display();
            format!("{path}: names, dtypes and shapes are not those recorded: {SHAPES} is {recorded}, theirs {shapes}")
        });
        weights.chain(shapes).collect()
    }

    /// All that was compared with nothing.
    fn unchecked(&self, tensors: &[Examined]) -> Vec<String> {
        let mut unchecked = Vec::new();
        if self.part.as_ref().map_or(tensors.is_empty(), |part| part.whole.is_empty()) {
            unchecked
                .push("there are no tensors to compare; name a model that has some".to_owned());
        }
        if self.rules.is_none() && self.fingerprints.is_empty() {
            let what = "neither rules nor a fingerprint are recorded, so no element was compared with anything; pass \
                        --rules or --recipe";
            unchecked.push(what.to_owned());
        } else if !self.given && self.shapes_recorded.is_empty() {
            let what = "no shapes are recorded, and neither the fingerprint nor the file's own rules tells them, so they \
                        were compared with nothing; pass --rules or --recipe";
            unchecked.push(what.to_owned());
        }
        let others: Vec<_> = tensors.iter().filter(|one| one.compared.is_none()).collect();
        if let [Examined { stored: Stored { name, dtype, .. }, .. }, ..] = others[..] {
            let count = others.len();
            unchecked.push(format!(
                "{count} of {} tensors, {name:?} of {dtype} first, are of types that no rules fill and \
                were not compared",
                tensors.len()
            ));
        }
        unchecked
    }
}

fn is_of_this_stream(metadata: &BTreeMap<String, String>) -> bool {
    metadata.get("stream_version").is_none_or(|version| *version == STREAM_VERSION.to_string())
}
