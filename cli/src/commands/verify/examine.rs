//! Examines a checkpoint, a model or one rank's slices: compares its metadata with all its
//! elements.

use std::collections::{BTreeMap, HashSet};
use std::path::Display;

use anyhow::Context;
use gpu_init::{Fingerprint, Initializer, STREAM_VERSION, TensorSpec, stream_of};
use indicatif::ProgressBar;

use crate::backend::units::UNIT;
use crate::checkpoint::format::dtypes::fillable;
use crate::checkpoint::format::metadata::{SHAPES, source_ties, ties};
use crate::checkpoint::format::shapes::shapes_fingerprint;
use crate::checkpoint::read::blocks::Block;
use crate::checkpoint::read::shard::{Shard, Stored};
use crate::checkpoint::read::shards::Checkpoint;
use crate::commands::rules::Sourced;
use crate::commands::verify::compare::{Compared, Pass, Passes};
use crate::commands::verify::expected::Expected;
use crate::commands::verify::part::Part;
use crate::commands::verify::rules::Given;
use crate::commands::verify::work::Budget;

/// A tensor and the findings about its elements; none if its type cannot be filled.
pub(super) struct Examined {
    pub(super) stored: Stored,
    /// Whether the elements are what the rules give; none if unknown.
    pub(super) matches: Option<bool>,
    pub(super) compared: Option<Compared>,
}

/// The findings about a model, or about the slices of one rank.
pub(super) struct Examination {
    pub(super) files: usize,
    pub(super) tensors: Vec<Examined>,
    pub(super) fingerprint: Fingerprint,
    /// The fingerprint in the metadata.
    pub(super) recorded: Option<String>,
    /// The fingerprint of all names, types and shapes of the whole model.
    pub(super) shapes: Fingerprint,
    /// The seed and the source of the rules; none if there are no rules.
    pub(super) rules: Option<(u64, String)>,
    /// Whether all elements are what the rules give; none if unknown.
    pub(super) matches: Option<bool>,
    /// All problems, each with the tensor's name.
    pub(super) problems: Vec<String>,
    /// All that was compared with nothing.
    pub(super) unchecked: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Examination {
    /// Whether all agrees; none if there is no problem, but not all was compared.
    pub(super) fn agrees(&self) -> Option<bool> {
        match (&self.problems[..], &self.unchecked[..]) {
            ([], []) => Some(true),
            ([], _) => None,
            _ => Some(false),
        }
    }

    /// One line on the problems, if there are any, and the remedy.
    pub(super) fn complaint(&self, specified: bool, allow_unchecked: bool) -> Option<String> {
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

/// The first problems and the number of the others: another seed changes every tensor.
fn first(all: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = all.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > MOST {
        text += &format!("; and {} more, which --json lists", all.len() - MOST);
    }
    text
}

/// What a checkpoint records, and what is expected of it.
struct Claims<'a> {
    checkpoint: &'a Checkpoint,
    metadata: BTreeMap<String, String>,
    part: Option<Part>,
    rules: Option<Sourced>,
    /// Whether the rules are the command line's.
    given: bool,
    /// The expected tensors; none without rules of this program's stream version.
    expected: Option<Expected>,
    /// The fingerprint of all names, types and shapes of the whole model.
    shapes: Fingerprint,
}

pub(super) fn examine(
    checkpoint: &Checkpoint,
    given: &Given,
    budget: &mut Budget,
    progress: &ProgressBar,
) -> anyhow::Result<Examination> {
    let shown =
        checkpoint.shards.first().map(|shard| shard.path.display().to_string()).unwrap_or_default();
    let context = || format!("cannot verify {shown}");
    let claims = Claims::of(checkpoint, given).with_context(context)?;
    let mut differences = Vec::new();
    if let Some(expected) = &claims.expected {
        for entry in checkpoint.tensors().filter_map(|stored| expected.of(stored)) {
            budget.take(entry).with_context(context)?;
        }
        differences = expected.problems(checkpoint.tensors(), &claims.metadata);
    }
    let tensors = claims.read(progress).with_context(context)?;
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
        files: checkpoint.shards.len(),
        fingerprint,
        recorded: claims.metadata.get("fingerprint").cloned(),
        shapes: claims.shapes,
        rules: claims.rules.map(|Sourced { rules, source, .. }| (rules.seed(), source)),
        matches,
        problems,
        unchecked,
        metadata: claims.metadata,
        tensors,
    })
}

impl<'a> Claims<'a> {
    fn of(checkpoint: &'a Checkpoint, given: &Given) -> anyhow::Result<Self> {
        let metadata = checkpoint.metadata();
        let part = Part::of(&metadata)?;
        let rules = given.or_recorded(&metadata)?;
        let described = |stored: &'a Stored| (&stored.name[..], stored.dtype, &stored.shape[..]);
        let names: HashSet<&str> = match &part {
            Some(part) => part.described().map(|(name, ..)| name).collect(),
            None => checkpoint.tensors().map(|stored| stored.name.as_str()).collect(),
        };
        let ties: Vec<_> = ties(&metadata, |name| names.contains(name)).collect();
        let of_source = source_ties(&metadata, &ties)?.into_iter();
        let of_source = of_source.map(|(alias, owner)| (owner, alias));
        let tied = ties.iter().copied();
        let shapes = match &part {
            Some(part) => shapes_fingerprint(part.described(), tied),
            None => shapes_fingerprint(checkpoint.tensors().map(described), tied),
        };
        let expected = match &rules {
            Some(Sourced { rules, .. }) if is_of_this_stream(&metadata) => {
                let rules = rules.clone().with_tied(of_source);
                Some(Expected::new(checkpoint.tensors(), part.as_ref(), &ties, &rules)?)
            }
            _ => None,
        };
        let given = given.rules.is_some();
        Ok(Claims { checkpoint, metadata, part, rules, given, expected, shapes })
    }

    fn read(&self, progress: &ProgressBar) -> anyhow::Result<Vec<Examined>> {
        let shards = self.checkpoint.shards.iter();
        let examined = shards.map(|shard| self.read_shard(shard, progress));
        Ok(examined.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn read_shard(&self, shard: &Shard, progress: &ProgressBar) -> anyhow::Result<Vec<Examined>> {
        let passes = shard.tensors.iter().map(|stored| self.pass(stored));
        let passes = passes.collect::<anyhow::Result<Vec<_>>>()?;
        // Others are not read.
        let is_read: Vec<bool> = passes.iter().map(Option::is_some).collect();
        let passes: Vec<_> = passes.into_iter().flatten().collect();
        let tensors: Vec<_> = passes.iter().map(|pass| pass.stored).collect();
        let mut passes = Passes::new(passes);
        Block::for_each(&shard.path, &tensors, UNIT, |block| {
            passes.examine(block)?;
            progress.inc(block.len());
            Ok(())
        })?;
        let mut compared = passes.finish();
        let examined = shard.tensors.iter().zip(is_read).map(|(stored, is_read)| {
            let compared = if is_read { compared.next() } else { None };
            let rules = self.expected.as_ref().filter(|rules| !rules.keeps(&stored.name));
            let matches = compared.as_ref().zip(rules).map(|(compared, rules)| {
                rules.of(stored).is_some() && compared.differences(&stored.name).is_empty()
            });
            Examined { stored: stored.clone(), matches, compared }
        });
        Ok(examined.collect())
    }

    /// How a tensor's elements are examined; none if they are neither compared nor fingerprinted.
    fn pass(&self, stored: &'a Stored) -> anyhow::Result<Option<Pass<'_>>> {
        let slice = match &self.part {
            Some(part) => part.locate(stored)?,
            None => TensorSpec::new(&stored.shape[..], Initializer::zeros()),
        };
        let rules = self.expected.as_ref();
        let wanted = match fillable(stored.dtype) {
            None => rules.is_some_and(|rules| rules.keeps(&stored.name)),
            Some(_) => !rules.is_some_and(|rules| rules.is_unruled(&stored.name)),
        };
        let expected = rules.and_then(|rules| rules.of(stored));
        Ok(wanted.then(|| Pass::new(stored, slice, expected)))
    }

    /// The values that files record for a key.
    fn recorded(&self, key: &str) -> impl Iterator<Item = (Display<'_>, &str)> {
        let files = self.checkpoint.shards.iter();
        files.filter_map(move |shard| {
            Some((shard.path.display(), shard.metadata.get(key)?.as_str()))
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
        let weights = self.recorded("fingerprint").filter(|(_, recorded)| *recorded != is);
        let weights = weights.map(|(path, recorded)| {
            format!("{path}: the fingerprint recorded is {recorded}, that of the weights {is}")
        });
        let others = self.recorded(SHAPES).filter(|(_, recorded)| *recorded != shapes);
        let others = others.map(|(path, recorded)| {
            format!("{path}: names, dtypes and shapes are not those recorded: {SHAPES} is {recorded}, theirs {shapes}")
        });
        weights.chain(others).collect()
    }

    /// All that was compared with nothing.
    fn unchecked(&self, tensors: &[Examined]) -> Vec<String> {
        let mut unchecked = Vec::new();
        if self.part.as_ref().map_or(tensors.is_empty(), |part| part.described().len() == 0) {
            unchecked
                .push("there are no tensors to compare; name a model that has some".to_owned());
        }
        if self.rules.is_none() && self.recorded("fingerprint").next().is_none() {
            let what = "neither rules nor a fingerprint are recorded, so no element was compared with anything; pass \
                        --rules or --recipe";
            unchecked.push(what.to_owned());
        } else if !self.given && self.recorded(SHAPES).next().is_none() {
            let what = "no shapes are recorded, and neither the fingerprint nor the file's own rules tells them, so they \
                        were compared with nothing; pass --rules or --recipe";
            unchecked.push(what.to_owned());
        }
        let is_kept = |one: &&Examined| {
            self.expected.as_ref().is_some_and(|rules| rules.keeps(&one.stored.name))
        };
        let kept: Vec<_> = tensors.iter().filter(is_kept).collect();
        if let ([first, ..], None) = (&kept[..], self.recorded("fingerprint").next()) {
            unchecked.push(format!(
                "{} of {} tensors, {:?} first, are kept by the rules, and no fingerprint is recorded, so they were compared \
                 with nothing",
                kept.len(),
                tensors.len(),
                first.stored.name
            ));
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
