//! Writing a model: planned and checked before anything is computed, streamed to temporary files, moved to its
//! place whole.

mod commit;
mod encode;
mod split;
mod steps;
mod stream;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::{DType, HostTensor};

pub(crate) use self::commit::Finished;
use self::commit::Index;
pub(crate) use self::split::is_shard;
use super::super::place::{Make, Place};
use super::role::{Role, role};
use super::{INDEX, SINGLE, dtypes};

/// A tensor to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned<'a> {
    pub(crate) name: &'a str,
    pub(crate) dtype: DType,
    pub(crate) shape: &'a [usize],
}

/// The files to be written.
#[derive(Debug)]
pub(crate) struct Files {
    shards: Vec<Shard>,
    /// Where the index goes, if there are several shards.
    index: Option<Place>,
    /// The shards' usual names, if a model is there that has them.
    usual: Vec<PathBuf>,
    /// Files of another model in the folder, which go when this one is there.
    leftovers: Vec<PathBuf>,
}

/// One .safetensors file to be written.
#[derive(Debug)]
struct Shard {
    place: Place,
    /// In the order of their data.
    tensors: Vec<Member>,
}

/// A tensor in a shard.
#[derive(Debug)]
struct Member {
    /// Its number in the plan.
    tensor: usize,
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    bytes: u64,
}

impl Files {
    /// Plans one file `out`, or shards of at most `max_shard_size` bytes of data in the folder `out`; a tensor
    /// beyond that has a shard of its own. No tensors are a file of metadata: what a process writes that has no part of
    /// any. All that can be known to fail fails here. `make` checks or claims the place of the file that is written last.
    pub(crate) fn plan(
        out: &Path,
        max_shard_size: Option<u64>,
        tensors: &[Planned<'_>],
        force: bool,
        make: Make,
    ) -> anyhow::Result<Self> {
        let mut members = Vec::with_capacity(tensors.len());
        let (mut names, mut total) = (HashSet::new(), 0u64);
        for (tensor, &Planned { name, dtype, shape }) in tensors.iter().enumerate() {
            let bytes = dtypes::bytes(dtypes::stored(dtype), shape).with_context(|| format!("tensor {name:?}"))?;
            total = total.checked_add(bytes).context("the model's size overflows 64 bits; check its shapes")?;
            if !names.insert(name) {
                bail!("cannot write {}: the name {name:?} comes twice; rename one", out.display());
            }
            members.push(Member { tensor, name: name.to_owned(), dtype, shape: shape.to_vec(), bytes });
        }
        let files = match max_shard_size {
            None => {
                let shards = vec![Shard::new(make(out, force)?, members)];
                Files { shards, index: None, usual: vec![], leftovers: vec![] }
            }
            Some(limit) => Self::sharded(out, split::split(members, |member| member.bytes, limit), force, make)?,
        };
        if let Some(shard) = files.shards.first() {
            shard.place.check_room(total)?;
        }
        Ok(files)
    }

    fn sharded(folder: &Path, members: Vec<Vec<Member>>, force: bool, make: Make) -> anyhow::Result<Self> {
        let count = members.len();
        if count == 0 {
            bail!("cannot write shards to {}: there are no tensors", folder.display());
        }
        let index = make(&folder.join(if count == 1 { SINGLE } else { INDEX }), force)?;
        let path = |i, version| folder.join(split::file_name(i, count, version));
        let is_free = |version: &u32| (0..count).all(|i| path(i, *version).symlink_metadata().is_err());
        let mut members = members.into_iter().enumerate();
        let files = if count == 1 {
            let shards = members.map(|(_, members)| members).next().map(|members| Shard::new(index, members));
            Files { shards: shards.into_iter().collect(), index: None, usual: vec![], leftovers: vec![] }
        } else {
            let version = if force { (0..).find(is_free).unwrap_or(0) } else { 0 };
            let shard = |(i, members)| Ok(Shard::new(Place::among_others(&path(i, version), force)?, members));
            let shards = members.by_ref().map(shard).collect::<anyhow::Result<_>>()?;
            let usual = if version == 0 { vec![] } else { (0..count).map(|i| path(i, 0)).collect() };
            Files { shards, index: Some(index), usual, leftovers: vec![] }
        };
        let leftovers = files.leftovers(folder)?;
        if let Some(other) = leftovers.first().filter(|_| !force) {
            bail!(
                "{} exists; name another folder, or pass --force to replace the model that is there",
                other.display()
            );
        }
        Ok(Files { leftovers, ..files })
    }

    /// Files of the names that a model's have, that will not be replaced.
    fn leftovers(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let places = self.shards.iter().map(|shard| &shard.place).chain(&self.index).map(Place::path);
        let replaced: HashSet<&Path> = places.chain(self.usual.iter().map(PathBuf::as_path)).collect();
        let read = || -> std::io::Result<Vec<PathBuf>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(folder)? {
                let name = entry?.file_name();
                let Some(name) = name.to_str() else { continue };
                let path = folder.join(name);
                if role(name) == Some(Role::Whole) && !replaced.contains(&*path) {
                    found.push(path);
                }
            }
            // An index goes before the shards that it names.
            found.sort_by_key(|path| !path.ends_with(INDEX));
            Ok(found)
        };
        read().with_context(|| format!("cannot read the folder {}", folder.display()))
    }

    /// Writes everything under temporary names, pieces of tensors one after the other: `produce` is called with a
    /// tensor's number in the plan and a range of its elements, shard by shard. `metadata` goes into every shard's
    /// `__metadata__`; what is known only afterwards has a placeholder there of the same length, and
    /// [`Finished::patch`] puts the value in its place. Names that share another's data are left out of the plan and
    /// listed there, `{alias: name}`, as Hugging Face does.
    pub(crate) fn write(
        self,
        metadata: &BTreeMap<String, String>,
        produce: impl FnMut(usize, Range<u64>) -> anyhow::Result<HostTensor>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Finished> {
        let Files { shards, index, usual, leftovers } = self;
        let headers = shards.iter().map(|shard| encode::header(metadata, shard)).collect::<anyhow::Result<Vec<_>>>()?;
        // The index first: it is small, and a disk that has no room for it has none for the rest.
        let index = index.map(|place| Index::new(place, &shards, &usual)).transpose()?;
        let temporaries = stream::stream(&shards, &headers, produce, progress)?;
        Ok(Finished::new(shards, headers, temporaries, index, leftovers))
    }
}

impl Shard {
    fn new(place: Place, mut tensors: Vec<Member>) -> Self {
        // The widest types first, so that every tensor is aligned, as in files that the crate safetensors writes.
        tensors.sort_by_key(|member| std::cmp::Reverse(member.dtype.size()));
        Shard { place, tensors }
    }

    fn bytes(&self) -> u64 {
        self.tensors.iter().map(|member| member.bytes).sum()
    }
}

#[cfg(test)]
mod tests;
