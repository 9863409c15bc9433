//! A model in .safetensors files: one of them, or a folder with an index and its shards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::checkpoint::format::file_names::{INDEX, SINGLE};
use crate::checkpoint::read::index;
use crate::checkpoint::read::shard::{Shard, Stored};

/// The shards sorted by name, with their headers read and checked.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) shards: Vec<Shard>,
}

/// Whether a path names an index of shards.
pub(crate) fn is_index(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".safetensors.index.json"))
}

impl Checkpoint {
    /// Opens a .safetensors file, an index, or a folder with either.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if is_index(path) {
            return indexed(path);
        }
        let (index, single) = (path.join(INDEX), path.join(SINGLE));
        if index.exists() {
            return indexed(&index);
        }
        let is_folder = path.is_dir();
        ensure!(
            !is_folder || single.exists(),
            "cannot read the folder {}: it has neither {INDEX} nor {SINGLE}; name a file",
            path.display()
        );
        Ok(Checkpoint { shards: vec![Shard::open(if is_folder { &single } else { path })?] })
    }

    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Stored> {
        self.shards.iter().flat_map(|shard| &shard.tensors)
    }

    /// The metadata of all shards; where they differ, the first shard's.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        let all = self.shards.iter().rev().flat_map(|shard| &shard.metadata);
        all.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

fn indexed(path: &Path) -> anyhow::Result<Checkpoint> {
    let index = index::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let files: BTreeSet<&String> = index.values().collect();
    let open = |file: &&String| {
        let shard = Shard::open(&folder.join(file));
        shard.with_context(|| format!("{} names {file:?}", path.display()))
    };
    let shards = files.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    agree(&index, files.into_iter().zip(&shards))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Checkpoint { shards })
}

/// Checks that index and shards, each with its file's name, have the same tensors, each once.
fn agree<'a>(
    index: &BTreeMap<String, String>,
    shards: impl Iterator<Item = (&'a String, &'a Shard)>,
) -> anyhow::Result<()> {
    let mut homes = HashMap::new();
    for (file, shard) in shards {
        for Stored { name, .. } in &shard.tensors {
            if let Some(other) = homes.insert(name, file) {
                bail!("tensor {name:?} is in {other} and in {file}; leave one of them");
            }
            ensure!(
                index.contains_key(name),
                "tensor {name:?} in {file} is not in the index; write the index again"
            );
        }
    }
    for (tensor, file) in index {
        ensure!(
            homes.get(tensor) == Some(&file),
            "tensor {tensor:?} is not in {file}; get the shard again, or write the index again"
        );
    }
    Ok(())
}
