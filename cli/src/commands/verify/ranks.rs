//! Examines the files of several processes: each of them, and whether together they are one model.

use anyhow::{Context, bail, ensure};
use gpu_init::Fingerprint;

use crate::checkpoint::format::file_names::SLICES;
use crate::checkpoint::format::metadata::{SHAPES, SOURCE_TIES};
use crate::checkpoint::read::shard::Shard;
use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::read::slices::Slices;
use crate::commands::verify::examine::{Examination, examine};
use crate::commands::verify::part::Part;
use crate::commands::verify::rules::Given;
use crate::commands::verify::work::Budget;
use crate::terminal::progress::bar;

/// Keys whose values all files of a model share.
const COMMON: [&str; 7] =
    ["seed", "rules", "stream_version", "world_size", "whole", SHAPES, SOURCE_TIES];

/// Examines every rank's file by its own metadata, one after the other.
pub(super) fn examine_all(
    slices: &Slices,
    given: &Given,
    budget: &mut Budget,
) -> anyhow::Result<Examination> {
    let (files, bytes) = slices.files()?;
    let progress = bar("verifying", bytes);
    let mut all: Option<Examination> = None;
    for (path, rank) in files.iter().zip(0u64..) {
        let shard = Shard::open(path)?;
        let shown = path.display();
        let mut problems = slices.problems(rank, &shard);
        let part = Part::of(&shard.metadata).with_context(|| format!("cannot verify {shown}"))?;
        let Some(part) = part else {
            bail!("cannot verify {shown}: it records no rank; write it again as its name says")
        };
        let Part { rank: recorded, world, .. } = part;
        ensure!(
            (recorded, world) == (rank, slices.world),
            "cannot verify {shown}: it records rank {recorded} of {world}; write it again as its name says"
        );
        if !slices.agrees_with(part.described()) {
            problems
                .push(format!("{shown}: the whole model that it records is not that of {SLICES}"));
        }
        let mut one = examine(&Checkpoint { shards: vec![shard] }, given, budget, &progress)?;
        one.problems.append(&mut problems);
        all = Some(match all {
            Some(all) => all.join(one, &shown.to_string()),
            None => one,
        });
    }
    progress.finish_and_clear();
    let Some(mut all) = all else { bail!("{SLICES} is of no ranks; write the model again") };
    // Only of the first rank.
    for key in ["rank", "fingerprint"] {
        all.metadata.remove(key);
    }
    Ok(all)
}

impl Examination {
    /// Adds the findings about another rank's file, `shown`.
    fn join(mut self, mut other: Examination, shown: &str) -> Self {
        for key in COMMON {
            if self.metadata.get(key) != other.metadata.get(key) {
                self.problems.push(format!("{shown}: its {key} is not rank 0's"));
            }
        }
        self.problems.append(&mut other.problems);
        self.unchecked.append(&mut other.unchecked);
        self.files += other.files;
        self.tensors.append(&mut other.tensors);
        self.fingerprint += other.fingerprint;
        self.recorded = sum(self.recorded, other.recorded);
        self.matches = match (self.matches, other.matches) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        self
    }
}

/// The ranks' fingerprints add up to the whole's, and so do the recorded ones.
fn sum(a: Option<String>, b: Option<String>) -> Option<String> {
    let parse = |text: String| u64::from_str_radix(&text, 16).ok().map(Fingerprint);
    Some((parse(a?)? + parse(b?)?).to_string())
}
