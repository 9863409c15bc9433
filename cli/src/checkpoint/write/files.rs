//! The files of a model to be written: one, or shards and their index.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use safetensors::Dtype;

use crate::checkpoint::format::dtypes;
use crate::checkpoint::format::file_names::{INDEX, SINGLE, role, shard_file};
use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::output::path::{folder, names_in};
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::write::commit::{Finished, Index, Written};
use crate::checkpoint::write::shard::{Member, Shard};
use crate::checkpoint::write::stream::Chunk;
use crate::checkpoint::write::{encode, split, stream};

/// A tensor to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) name: &'a str,
    pub(crate) dtype: Dtype,
    pub(crate) shape: &'a [usize],
}

/// The files to be written.
#[derive(Debug)]
pub(crate) struct Files {
    /// At least one.
    shards: Vec<Shard>,
    /// The index, if there are several shards.
    index: Option<Destination>,
    /// The shards' usual names, if an existing model has them.
    usual: Vec<PathBuf>,
    /// Files of another model in the folder, removed when this one is complete.
    leftovers: Vec<PathBuf>,
}

impl Files {
    /// Plans one file `out`, or shards of at most `max_shard_size` bytes of data in the folder
    /// `out`; a larger tensor has a shard of its own. Without tensors the file has metadata only,
    /// as that of a rank without a slice. All that can be known to fail fails here.
    pub(crate) fn plan(
        out: &Path,
        max_shard_size: Option<u64>,
        tensors: &[Planned<'_>],
        force: bool,
    ) -> anyhow::Result<Self> {
        let members = members(out, tensors)?;
        let mut bytes = members.iter().map(|member| member.bytes);
        let total = bytes.try_fold(0u64, |total, bytes| total.checked_add(bytes));
        let total = total.context("the model's size overflows 64 bits; check its shapes")?;
        let files = match max_shard_size {
            None => Self::single(out, members, force)?,
            Some(limit) => {
                let mut shards = split::split(members, |member| member.bytes, limit);
                match shards.len() {
                    0 => bail!("cannot write shards to {}: there are no tensors", out.display()),
                    1 => Self::single(&out.join(SINGLE), shards.remove(0), force)?,
                    _ => Self::sharded(out, shards, force)?,
                }
            }
        };
        files.shards[0].destination.check_room(total)?;
        Ok(files)
    }

    fn single(out: &Path, members: Vec<Member>, force: bool) -> anyhow::Result<Self> {
        let shards = vec![Shard::new(Destination::check(out, force)?, members)];
        let mut leftovers = Vec::new();
        // A file of this name is its folder's model.
        if out.file_name().is_some_and(|name| name == SINGLE) {
            let (folder, is_other) = (folder(out), |name: &str| name != SINGLE);
            leftovers = find_leftovers(folder, &names_in(folder)?, is_other, force)?;
        }
        Ok(Files { shards, index: None, usual: vec![], leftovers })
    }

    fn sharded(folder: &Path, members: Vec<Vec<Member>>, force: bool) -> anyhow::Result<Self> {
        let (count, index) = (members.len(), Destination::check(&folder.join(INDEX), force)?);
        let paths = |version| -> Vec<PathBuf> {
            (0..count).map(|i| folder.join(shard_file(i, count, version))).collect()
        };
        let is_free =
            |&version: &u32| paths(version).iter().all(|path| path.symlink_metadata().is_err());
        let version = if force { (0..).find(is_free).unwrap_or(0) } else { 0 };
        let (ours, mut usual) = (paths(version), paths(0));
        let shard = |((members, path), usual): ((_, &PathBuf), &PathBuf)| {
            let destination = Destination::among_others(path, force)?;
            Ok(Shard::new(destination.replacing(usual), members))
        };
        let shards = members.into_iter().zip(&ours).zip(&usual).map(shard);
        let shards = shards.collect::<anyhow::Result<_>>()?;
        let ours: HashSet<&Path> =
            ours.iter().chain(&usual).map(PathBuf::as_path).chain([index.path()]).collect();
        let is_other = |name: &str| !ours.contains(&*folder.join(name));
        let leftovers = find_leftovers(folder, &names_in(folder)?, is_other, force)?;
        if version == 0 {
            usual.clear();
        }
        Ok(Files { shards, index: Some(index), usual, leftovers })
    }

    /// Writes everything under temporary names, chunk by chunk: `produce` is called with a tensor's
    /// number among `tensors`, a range of its elements and spare bytes, shard by shard. `metadata` is written to
    /// every shard's `__metadata__`; a value that is known only afterwards has a placeholder of the
    /// same length, which [`Finished::patch`] replaces. Names that share another's data are left
    /// out of the plan and listed there, `{alias: name}`, as Hugging Face does.
    pub(crate) fn write(
        self,
        metadata: &BTreeMap<String, String>,
        produce: impl FnMut(usize, Range<u64>, Bytes) -> anyhow::Result<Chunk>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Finished> {
        let Files { shards, index, usual, leftovers } = self;
        let headers = shards
            .iter()
            .map(|shard| encode::header(metadata, shard))
            .collect::<anyhow::Result<Vec<_>>>()?;
        // The index first: it is small, and a disk without space for it has none for the rest.
        let index =
            index.map(|destination| Index::new(destination, &shards, &usual)).transpose()?;
        let temporaries = stream::stream(&shards, &headers, produce, progress)?;
        let written = shards.into_iter().zip(headers).zip(temporaries);
        let written =
            written.map(|((shard, header), temporary)| Written { shard, header, temporary });
        Ok(Finished { shards: written.collect(), index, leftovers })
    }
}

/// Sizes of tensors, whose names are unique.
fn members(out: &Path, tensors: &[Planned<'_>]) -> anyhow::Result<Vec<Member>> {
    let mut names = HashSet::new();
    let mut members = Vec::with_capacity(tensors.len());
    for (tensor, &Planned { name, dtype, shape }) in tensors.iter().enumerate() {
        let bytes = dtypes::bytes(dtype, shape).with_context(|| format!("tensor {name:?}"))?;
        if !names.insert(name) {
            bail!("cannot write {}: the name {name:?} comes twice; rename one", out.display());
        }
        members.push(Member { tensor, name: name.to_owned(), dtype, shape: shape.to_vec(), bytes });
    }
    Ok(members)
}

/// The files of another model among `names`, the files of a folder: those of a model for which
/// `is_other` holds, the index first, since readers take its model for the folder's. With `force`
/// they are to go once the new model is there, else they are an error.
pub(crate) fn find_leftovers(
    folder: &Path,
    names: &[String],
    is_other: impl Fn(&str) -> bool,
    force: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let others = names.iter().filter(|name| role(name).is_some() && is_other(name));
    let mut found: Vec<_> = others.map(|name| folder.join(name)).collect();
    found.sort_by_key(|path| !path.ends_with(INDEX));
    if let (Some(path), false) = (found.first(), force) {
        let path = path.display();
        bail!(
            "{path} exists; name another folder, or pass --force to replace the model that is there"
        );
    }
    Ok(found)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
