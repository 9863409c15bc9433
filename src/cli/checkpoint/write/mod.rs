//! Writing a model: planned and checked before anything is computed, streamed to temporary files, moved to its
//! place whole.

mod commit;
mod encode;
mod split;
mod stream;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::{DType, HostTensor};

pub(crate) use self::commit::Finished;
use super::super::place::Place;
use super::slices::is_rank_file;
use super::{INDEX, SINGLE, SLICES, dtypes};

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
    /// any. All that can be known to fail fails here.
    pub(crate) fn plan(
        out: &Path,
        max_shard_size: Option<u64>,
        tensors: &[Planned<'_>],
        force: bool,
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
        if max_shard_size.is_none() && out.is_dir() {
            let shown = out.display();
            bail!(
                "cannot write {shown}: it is a folder; name a file in it, or pass --max-shard-size 5GB for shards in it"
            );
        }
        if max_shard_size.is_some() && !out.is_dir() {
            bail!("cannot write shards to {}: there is no such folder; make it first", out.display());
        }
        let files = match max_shard_size {
            None => {
                Files { shards: shards(vec![members], |_| Place::check(out, force))?, index: None, leftovers: vec![] }
            }
            Some(limit) => Self::sharded(out, split::split(members, |member| member.bytes, limit), force)?,
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
        let name = |i| if count == 1 { SINGLE.to_owned() } else { split::file_name(i, count) };
        let place = |name: &str| Place::check(&folder.join(name), force);
        let shards = shards(members, |i| place(&name(i)))?;
        let index = (count > 1).then(|| place(INDEX)).transpose()?;
        let replaced = |name: &str| {
            let path = folder.join(name);
            name == INDEX && index.is_some() || shards.iter().any(|shard| shard.place.path() == path)
        };
        let other = |name: &str| is_of_one_process(name) && !replaced(name) || name == SLICES || is_rank_file(name);
        let leftovers = leftovers(folder, other, force)?;
        Ok(Files { shards, index, leftovers })
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
        let Files { shards, index, leftovers } = self;
        let headers = shards.iter().map(|shard| encode::header(metadata, shard)).collect::<anyhow::Result<Vec<_>>>()?;
        // The index first: it is small, and a disk that has no room for it has none for the rest.
        let index = index.map(|place| commit::index(place, &shards)).transpose()?;
        let temporaries = stream::stream(&shards, &headers, produce, progress)?;
        Ok(Finished::new(shards, headers, temporaries, index, leftovers))
    }
}

impl Shard {
    fn bytes(&self) -> u64 {
        self.tensors.iter().map(|member| member.bytes).sum()
    }
}

fn shards(members: Vec<Vec<Member>>, place: impl Fn(usize) -> anyhow::Result<Place>) -> anyhow::Result<Vec<Shard>> {
    let shard = |(i, mut tensors): (usize, Vec<Member>)| {
        // The widest types first, so that every tensor is aligned, as in files that the crate safetensors writes.
        tensors.sort_by_key(|member| std::cmp::Reverse(member.dtype.size()));
        Ok(Shard { place: place(i)?, tensors })
    };
    members.into_iter().enumerate().map(shard).collect()
}

/// Whether a file has the name of one of a model that one process has written.
fn is_of_one_process(name: &str) -> bool {
    matches!(name, SINGLE | INDEX) || split::is_file_name(name)
}

/// Files of a model of one process in the folder for those of several, the index first: while it is there, readers
/// take that model for the folder's. With `force` they are to go once the new model is there, else they are an error.
pub(crate) fn leftovers_beside_ranks(folder: &Path, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = leftovers(folder, is_of_one_process, force)?;
    found.sort_by_key(|path| !path.ends_with(INDEX));
    Ok(found)
}

/// Files of another model in a folder, by their names.
fn leftovers(folder: &Path, other: impl Fn(&str) -> bool, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        Ok(names.iter().filter(|name| name.to_str().is_some_and(&other)).map(|name| folder.join(name)).collect())
    };
    let found = read().with_context(|| format!("cannot read the folder {}", folder.display()))?;
    match found.first().filter(|_| !force) {
        Some(path) => {
            bail!("{} exists; name another folder, or pass --force to replace the model that is there", path.display())
        }
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests;
