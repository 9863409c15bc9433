//! Writing a model: planned and checked before anything is computed, streamed to temporary files,
//! moved to its place whole.

mod commit;
mod encode;
mod split;
mod steps;
mod stream;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::{DType, HostTensor};

pub(crate) use self::commit::Finished;
use self::commit::Index;
pub(crate) use self::split::is_shard;
use crate::checkpoint::place::{Place, folder, names_in};
use crate::checkpoint::role::{Role, role};
use crate::checkpoint::{INDEX, SINGLE, dtypes};

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
    /// Plans one file `out`, or shards of at most `max_shard_size` bytes of data in the folder
    /// `out`; a tensor beyond that has a shard of its own. No tensors are a file of metadata: what
    /// a process writes that has no part of any. All that can be known to fail fails here.
    pub(crate) fn plan(
        out: &Path,
        max_shard_size: Option<u64>,
        tensors: &[Planned<'_>],
        force: bool,
    ) -> anyhow::Result<Self> {
        let mut members = Vec::with_capacity(tensors.len());
        let (mut names, mut total) = (HashSet::new(), 0u64);
        for (tensor, &Planned { name, dtype, shape }) in tensors.iter().enumerate() {
            let bytes = dtypes::bytes(dtypes::stored(dtype), shape)
                .with_context(|| format!("tensor {name:?}"))?;
            total = total
                .checked_add(bytes)
                .context("the model's size overflows 64 bits; check its shapes")?;
            if !names.insert(name) {
                bail!("cannot write {}: the name {name:?} comes twice; rename one", out.display());
            }
            members.push(Member {
                tensor,
                name: name.to_owned(),
                dtype,
                shape: shape.to_vec(),
                bytes,
            });
        }
        let files = match max_shard_size {
            None => {
                let shards = vec![Shard::new(Place::check(out, force)?, members)];
                // By its usual name it is its folder's model.
                let leftovers = match out.file_name().is_some_and(|name| name == SINGLE) {
                    true => leftovers(
                        folder(out),
                        |name| name != SINGLE && role(name).is_some(),
                        force,
                    )?,
                    false => Vec::new(),
                };
                Files { shards, index: None, usual: vec![], leftovers }
            }
            Some(limit) => {
                Self::sharded(out, split::split(members, |member| member.bytes, limit), force)?
            }
        };
        if let Some(shard) = files.shards.first() {
            shard.place.check_room(total)?;
        }
        Ok(files)
    }

    fn sharded(folder: &Path, members: Vec<Vec<Member>>, force: bool) -> anyhow::Result<Self> {
        let count = members.len();
        if count == 0 {
            bail!("cannot write shards to {}: there are no tensors", folder.display());
        }
        let index = Place::check(&folder.join(if count == 1 { SINGLE } else { INDEX }), force)?;
        let path = |i, version| folder.join(split::file_name(i, count, version));
        let is_free =
            |version: &u32| (0..count).all(|i| path(i, *version).symlink_metadata().is_err());
        let mut members = members.into_iter().enumerate();
        let files = if count == 1 {
            let shards = members
                .map(|(_, members)| members)
                .next()
                .map(|members| Shard::new(index, members));
            Files {
                shards: shards.into_iter().collect(),
                index: None,
                usual: vec![],
                leftovers: vec![],
            }
        } else {
            let version = if force { (0..).find(is_free).unwrap_or(0) } else { 0 };
            let place = |i| {
                Place::among_others(&path(i, version), force)
                    .map(|place| place.replacing(&path(i, 0)))
            };
            let shard = |(i, members)| Ok(Shard::new(place(i)?, members));
            let shards = members.by_ref().map(shard).collect::<anyhow::Result<_>>()?;
            let usual =
                if version == 0 { vec![] } else { (0..count).map(|i| path(i, 0)).collect() };
            Files { shards, index: Some(index), usual, leftovers: vec![] }
        };
        let places =
            files.shards.iter().map(|shard| &shard.place).chain(&files.index).map(Place::path);
        let replaced: HashSet<&Path> =
            places.chain(files.usual.iter().map(PathBuf::as_path)).collect();
        let is_other = |name: &str| role(name).is_some() && !replaced.contains(&*folder.join(name));
        let leftovers = leftovers(folder, is_other, force)?;
        Ok(Files { leftovers, ..files })
    }

    /// Writes everything under temporary names, pieces of tensors one after the other: `produce` is
    /// called with a tensor's number in the plan and a range of its elements, shard by shard.
    /// `metadata` goes into every shard's `__metadata__`; what is known only afterwards has a
    /// placeholder there of the same length, and [`Finished::patch`] puts the value in its place.
    /// Names that share another's data are left out of the plan and listed there, `{alias: name}`,
    /// as Hugging Face does.
    pub(crate) fn write(
        self,
        metadata: &BTreeMap<String, String>,
        produce: impl FnMut(usize, Range<u64>) -> anyhow::Result<HostTensor>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Finished> {
        let Files { shards, index, usual, leftovers } = self;
        let headers = shards
            .iter()
            .map(|shard| encode::header(metadata, shard))
            .collect::<anyhow::Result<Vec<_>>>()?;
        // The index first: it is small, and a disk that has no room for it has none for the rest.
        let index = index.map(|place| Index::new(place, &shards, &usual)).transpose()?;
        let temporaries = stream::stream(&shards, &headers, produce, progress)?;
        Ok(Finished::new(shards, headers, temporaries, index, leftovers))
    }
}

impl Shard {
    fn new(place: Place, mut tensors: Vec<Member>) -> Self {
        // The widest types first, so that every tensor is aligned, as in files that the crate
        // safetensors writes.
        tensors.sort_by_key(|member| std::cmp::Reverse(member.dtype.size()));
        Shard { place, tensors }
    }

    fn bytes(&self) -> u64 {
        self.tensors.iter().map(|member| member.bytes).sum()
    }
}

/// Files of a model of one process in the folder for those of several. With `force` they are to go
/// once the new model is there, else they are an error.
pub(crate) fn leftovers_beside_ranks(folder: &Path, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    leftovers(folder, |name| role(name) == Some(Role::Whole), force)
}

/// Files of another model in a folder, by their names, the index first: while it is there, readers
/// take that model for the folder's.
fn leftovers(
    folder: &Path,
    is_other: impl Fn(&str) -> bool,
    force: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let names =
        names_in(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut found: Vec<_> =
        names.iter().filter(|name| is_other(name)).map(|name| folder.join(name)).collect();
    found.sort_by_key(|path| !path.ends_with(INDEX));
    match found.first().filter(|_| !force) {
        Some(path) => {
            bail!(
                "{} exists; name another folder, or pass --force to replace the model that is there",
                path.display()
            )
        }
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests;
