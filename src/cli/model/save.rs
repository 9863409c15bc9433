//! `--out`: where the model goes, and what its files say of themselves.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::{Fingerprint, HostTensor, Parameter, PlanEntry, STREAM_VERSION};
use serde_json::{Value, json};

use super::Work;
use crate::cli::checkpoint::{
    Files, Finished, Planned, RESERVED, SHAPES, SLICES, SOURCE_TIES, leftovers_beside_ranks, rank_file,
    shapes_fingerprint,
};
use crate::cli::launcher::World;
use crate::cli::place::{Place, remove};

/// Files to be written, checked before anything is computed.
pub(super) struct Output {
    files: Files,
    /// Rank 0's list of all processes' slices.
    slices: Option<Place>,
    /// Files of a model that one process wrote, which rank 0 removes when this one is there.
    leftovers: Vec<PathBuf>,
}

/// Files that are written, but not yet in their place.
pub(super) struct Written {
    finished: Finished,
    slices: Option<Place>,
    leftovers: Vec<PathBuf>,
}

impl Output {
    pub(super) fn plan(out: &Path, work: &Work) -> anyhow::Result<Self> {
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
        check_ties(out, work)?;
        let args = work.args;
        let (mut path, mut slices, mut leftovers) = (out.to_owned(), None::<PathBuf>, Vec::new());
        if let Some(World { rank, size, .. }) = work.world.as_ref().filter(|_| work.is_shared()) {
            // Processes on other machines may make it at the same time.
            fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
            path = out.join(rank_file(*rank, *size));
            slices = (*rank == 0).then(|| out.join(SLICES));
            leftovers = leftovers_beside_ranks(out, args.force)?;
        }
        let max_shard_size = args.max_shard_size.filter(|_| !work.is_shared());
        let files = Files::plan(&path, max_shard_size, &tensors, args.force)?;
        let slices = slices.map(|path| Place::check(&path, args.force)).transpose()?;
        Ok(Output { files, slices, leftovers })
    }

    pub(super) fn write(
        self,
        work: &Work,
        produce: impl FnMut(usize, Range<u64>) -> anyhow::Result<HostTensor>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Written> {
        let finished = self.files.write(&metadata(work)?, produce, progress)?;
        Ok(Written { finished, slices: self.slices, leftovers: self.leftovers })
    }
}

impl Written {
    pub(super) fn commit(self, work: &Work, fingerprint: Fingerprint) -> anyhow::Result<()> {
        self.finished.patch("fingerprint", &fingerprint.to_string())?.commit()?;
        if let (Some(place), Some(world)) = (self.slices, &work.world) {
            place.write(&serde_json::to_vec_pretty(&slices(work, world.size)?)?)?;
            self.leftovers.iter().try_for_each(|path| remove(path))?;
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

/// What makes the weights again: seed, stream version and rules; a fingerprint that is not known yet; names that share
/// a tensor with another one; for one process of several, which slices it has.
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
    // A layer's number or a bias' fan_in may hang on an alias of a tensor that this process has nothing of.
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
        let whole: serde_json::Map<String, Value> = work.whole.entries().iter().map(whole).collect();
        metadata.insert("whole".to_owned(), Value::from(whole).to_string());
    }
    Ok(metadata)
}

/// The fingerprint of all names, types and shapes, which is the same in every file of the model.
fn shapes(work: &Work) -> Fingerprint {
    let entries = || work.whole.entries().iter();
    let described =
        |entry: &PlanEntry| (entry.name.clone(), entry.fill.dtype.to_string(), entry.parameter.shape().clone());
    let tensors: Vec<_> = entries().map(described).collect();
    let tensors = tensors.iter().map(|(name, dtype, shape)| (name.as_str(), dtype.as_str(), shape.dims()));
    let ties = entries().flat_map(|entry| entry.aliases.iter().map(|alias| (alias.as_str(), entry.name.as_str())));
    shapes_fingerprint(tensors, ties)
}

/// For each tensor its shape and the file of each of its slices.
fn slices(work: &Work, size: u64) -> anyhow::Result<Value> {
    let mut tensors = serde_json::Map::new();
    for entry in work.whole.entries() {
        let (shape, dim) = (entry.parameter.shape().dims(), entry.shard_dim.unwrap_or(0));
        let about = json!({ "shape": shape, "dtype": entry.fill.dtype.to_string(), "dim": dim, "slices": [] });
        tensors.insert(entry.name.clone(), about);
    }
    for rank in 0..size {
        for entry in work.whole.shard(rank, size)?.entries() {
            let (start, end) = along(&entry.parameter, entry.shard_dim.unwrap_or(0))?;
            let slice = json!({ "file": rank_file(rank, size), "start": start, "end": end });
            if let Some(Value::Array(slices)) = tensors.get_mut(&entry.name).map(|about| &mut about["slices"]) {
                slices.push(slice);
            }
        }
    }
    Ok(json!({ "world_size": size, "total_size": work.whole.bytes(), "tensors": tensors }))
}

/// What a parameter has of a dimension; of none, 0..1.
fn along(parameter: &Parameter, dim: usize) -> anyhow::Result<(u64, u64)> {
    Ok(parameter.local_ranges()?.get(dim).map_or((0, 1), |range| (range.start, range.end)))
}
