//! `--out`: where the model goes, and what its files say of themselves.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::{Fingerprint, HostTensor, PlanEntry, STREAM_VERSION};
use serde_json::{Value, json};

use crate::backend::launcher::World;
use crate::checkpoint::claim::Claim;
use crate::checkpoint::place;
use crate::checkpoint::place::Place;
use crate::checkpoint::{
    Files, Finished, INDEX, Planned, RESERVED, SHAPES, SLICES, SOURCE_TIES, leftovers_beside_ranks,
    of_other_worlds, rank_file, shapes_fingerprint,
};
use crate::commands::model::Work;
use crate::commands::model::slices::List;
use crate::commands::model::target::{Folder, check_file, check_job, check_worlds, job_of};
use crate::terminal::signals;

/// Files to be written, checked before anything is computed.
pub(super) struct Output {
    files: Files,
    /// Rank 0's list of all processes' slices.
    slices: Option<Place>,
    /// Files of a model that one process wrote, which rank 0 removes when this one is there.
    leftovers: Vec<PathBuf>,
    /// That no other process writes there; none in a dry run. Fields are dropped in their order:
    /// the claim goes after all files, and the folder, which has to be empty for that, after the
    /// claim.
    claim: Option<Claim>,
    /// The folder that they are in, unless it is one file.
    folder: Option<Folder>,
}

/// Files that are written, but not yet in their place.
pub(super) struct Written {
    finished: Finished,
    slices: Option<Place>,
    leftovers: Vec<PathBuf>,
    _claim: Option<Claim>,
    _folder: Option<Folder>,
}

impl Output {
    /// From here on no other process writes there, unless this is a dry run. None for a dry run
    /// whose folder is not there yet: it has nothing in the way.
    pub(super) fn plan(out: &Path, work: &Work) -> anyhow::Result<Option<Self>> {
        check_ties(out, work)?;
        let args = work.args;
        let world = work.world.as_ref().filter(|_| work.is_shared());
        if let (Some(_), Some(World { size, launcher, .. })) = (args.max_shard_size, world) {
            bail!(
                "--max-shard-size is for one process, and {launcher} says {size}, which write a file each; leave it out"
            );
        }
        let mut folder = None;
        if world.is_some() || args.max_shard_size.is_some() {
            folder = Folder::find(out, !args.dry_run)?;
            if folder.is_none() {
                return Ok(None);
            }
        } else {
            check_file(out)?;
        }
        let path = world
            .map_or_else(|| out.to_owned(), |world| out.join(rank_file(world.rank, world.size)));
        let claimed = if args.max_shard_size.is_some() { out.join(INDEX) } else { path.clone() };
        let job = world.map(|_| job(work)).transpose()?;
        let claim = (!args.dry_run).then(|| Claim::take(&claimed, job)).transpose()?;
        let mut leftovers = Vec::new();
        if let Some(world) = world {
            check_worlds(out, world, args.force)?;
            check_job(out, world, job.unwrap_or_default(), args.force)?;
            leftovers = leftovers_beside_ranks(out, args.force)?;
        }
        let shapes = work
            .plan
            .entries()
            .iter()
            .map(|entry| Ok(entry.parameter.local_shape()?.dims().to_vec()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tensors: Vec<_> = work
            .plan
            .entries()
            .iter()
            .zip(&shapes)
            .map(|(entry, shape)| Planned { name: &entry.name, dtype: entry.fill.dtype, shape })
            .collect();
        let files = Files::plan(&path, args.max_shard_size, &tensors, args.force)?;
        let mut slices = None;
        if let Some(World { size, .. }) = world.filter(|world| world.rank == 0) {
            List::new(work, *size)?;
            slices = Some(Place::among_others(&out.join(SLICES), args.force)?);
        }
        Ok(Some(Output { files, slices, leftovers, claim, folder }))
    }

    pub(super) fn write(
        self,
        work: &Work,
        produce: impl FnMut(usize, Range<u64>) -> anyhow::Result<HostTensor>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Written> {
        let finished = self.files.write(&metadata(work)?, produce, progress)?;
        let (claim, folder) = (self.claim, self.folder);
        Ok(Written {
            finished,
            slices: self.slices,
            leftovers: self.leftovers,
            _claim: claim,
            _folder: folder,
        })
    }
}

impl Written {
    pub(super) fn commit(self, work: &Work, fingerprint: Fingerprint) -> anyhow::Result<()> {
        let finished = self.finished.patch("fingerprint", &fingerprint.to_string())?;
        // A signal ends the process before this or after it.
        let _held = signals::hold();
        finished.commit()?;
        if let (Some(place), Some(world)) = (self.slices, &work.world) {
            place.write_with(|file| {
                Ok(serde_json::to_writer_pretty(file, &List::new(work, world.size)?)?)
            })?;
            let others = of_other_worlds(place::folder(place.path()), world.size);
            self.leftovers.iter().chain(&others).try_for_each(|path| place::remove(path))?;
        }
        Ok(())
    }
}

/// Tied names are written as keys of the metadata, beside our own.
fn check_ties(out: &Path, work: &Work) -> anyhow::Result<()> {
    for entry in work.whole.entries() {
        if let Some(alias) = entry.aliases.iter().find(|alias| RESERVED.contains(&alias.as_str())) {
            let (shown, owner) = (out.display(), &entry.name);
            bail!(
                "cannot write {shown}: {alias:?} is tied to {owner:?}, and the file's metadata has a key {alias:?} of its \
                 own; name {alias:?} first in `tied`, or rename it"
            );
        }
    }
    Ok(())
}

/// What makes the weights again: seed, stream version and rules; a fingerprint that is not known
/// yet; names that share a tensor with another one; for one process of several, which slices it
/// has.
fn metadata(work: &Work) -> anyhow::Result<BTreeMap<String, String>> {
    let mut metadata: BTreeMap<String, String> = [
        ("format", "pt".to_owned()),
        ("generator", concat!("gpu-init ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("architecture", work.architecture.clone()),
        ("seed", work.rules.seed().to_string()),
        ("stream_version", STREAM_VERSION.to_string()),
        ("rules", work.text.clone()),
        ("fingerprint", "-".repeat(16)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    metadata.insert(SHAPES.to_owned(), shapes(work).to_string());
    if !work.source_ties.is_empty() {
        metadata.insert(SOURCE_TIES.to_owned(), serde_json::to_string(&work.source_ties)?);
    }
    // A layer's number or a bias' fan_in may hang on an alias of a tensor that this process has
    // nothing of.
    for entry in work.whole.entries() {
        metadata.extend(entry.aliases.iter().map(|alias| (alias.clone(), entry.name.clone())));
    }
    if let Some(World { rank, size, .. }) = work.world.as_ref().filter(|_| work.is_shared()) {
        metadata.insert("rank".to_owned(), rank.to_string());
        metadata.insert("world_size".to_owned(), size.to_string());
        // Shapes of the whole tensors, of which the file has slices.
        let whole = |entry: &PlanEntry| {
            let shape = entry.parameter.shape().dims();
            (entry.name.clone(), json!({ "dtype": entry.fill.dtype.to_string(), "shape": shape }))
        };
        let whole: serde_json::Map<String, Value> =
            work.whole.entries().iter().map(whole).collect();
        metadata.insert("whole".to_owned(), Value::from(whole).to_string());
    }
    Ok(metadata)
}

/// [`job_of`] the files that are to be written.
fn job(work: &Work) -> anyhow::Result<u64> {
    job_of(&metadata(work)?).context("a model without metadata; please report this")
}

/// The fingerprint of all names, types and shapes, which is the same in every file of the model.
fn shapes(work: &Work) -> Fingerprint {
    let entries = || work.whole.entries().iter();
    let described = |entry: &PlanEntry| {
        (entry.name.clone(), entry.fill.dtype.to_string(), entry.parameter.shape().clone())
    };
    let tensors: Vec<_> = entries().map(described).collect();
    let tensors =
        tensors.iter().map(|(name, dtype, shape)| (name.as_str(), dtype.as_str(), shape.dims()));
    let ties = entries()
        .flat_map(|entry| entry.aliases.iter().map(|alias| (alias.as_str(), entry.name.as_str())));
    shapes_fingerprint(tensors, ties)
}
