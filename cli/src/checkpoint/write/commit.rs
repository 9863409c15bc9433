//! Files that are written and synced under temporary names: patched, and moved to their
//! destinations.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use tempfile::TempPath;

use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::write::encode::Header;
use crate::checkpoint::write::shard::Shard;
use crate::checkpoint::write::steps::{Step, Steps};

/// Complete files that still have temporary names. They are removed on drop.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(super) shards: Vec<Written>,
    pub(super) index: Option<Index>,
    pub(super) leftovers: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Written {
    pub(super) shard: Shard,
    pub(super) header: Header,
    pub(super) temporary: TempPath,
}

/// The index under a temporary name.
#[derive(Debug)]
pub(crate) struct Index {
    destination: Destination,
    temporary: TempPath,
    /// The shards' usual names, if they have others, and an index with the usual names.
    usual: Option<(Vec<PathBuf>, TempPath)>,
}

impl Finished {
    /// Replaces a placeholder of the same length in every shard's metadata.
    pub(crate) fn patch(self, key: &str, value: &str) -> anyhow::Result<Self> {
        for Written { shard, header, temporary } in &self.shards {
            let (start, bytes) = header.patch(key, value)?;
            let write = || -> std::io::Result<()> {
                let mut file = File::options().write(true).open(temporary)?;
                file.seek(SeekFrom::Start(start))?;
                file.write_all(&bytes)?;
                file.sync_all()
            };
            let path = shard.destination.path();
            write().with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(self)
    }

    /// Moves all files to their destinations, the index last: a folder with an index is complete.
    /// Then the files of the previous model are removed.
    pub(crate) fn commit(self) -> anyhow::Result<()> {
        self.steps().apply(Destination::sync)
    }

    pub(crate) fn steps(self) -> Steps {
        let Finished { shards, index, leftovers } = self;
        let moves =
            shards.into_iter().map(|written| (written.shard.destination, written.temporary));
        let mut publish: Vec<_> = moves.collect();
        let (mut rename, mut other_names, mut usual_names) = (vec![], vec![], vec![]);
        if let Some(Index { destination, temporary, usual }) = index {
            if let Some((names, temporary)) = usual {
                let files = publish.iter().map(|(destination, _)| destination.path().to_owned());
                other_names.extend(files);
                usual_names = names;
                let links = other_names.iter().cloned().zip(usual_names.iter().cloned());
                rename.extend(links.map(|(file, name)| Step::Link { file, name }));
                rename.push(Step::Move(destination.clone(), temporary));
            }
            publish.push((destination, temporary));
        }
        let renamed = [&other_names[..], &leftovers].concat();
        let not_renamed = [&usual_names[..], &leftovers].concat();
        Steps { publish, rename, renamed, not_renamed }
    }
}

impl Index {
    /// Writes the index of shards under a temporary name, and another with their usual names if
    /// those differ.
    pub(crate) fn new(
        destination: Destination,
        shards: &[Shard],
        usual: &[PathBuf],
    ) -> anyhow::Result<Self> {
        let paths: Vec<_> = shards.iter().map(|shard| shard.destination.path()).collect();
        let temporary = write(&destination, shards, &paths)?;
        let mut index = Index { destination, temporary, usual: None };
        if !usual.is_empty() {
            let paths: Vec<_> = usual.iter().map(PathBuf::as_path).collect();
            index.usual = Some((usual.to_vec(), write(&index.destination, shards, &paths)?));
        }
        Ok(index)
    }
}

fn write(destination: &Destination, shards: &[Shard], paths: &[&Path]) -> anyhow::Result<TempPath> {
    let mut map = BTreeMap::new();
    for (shard, path) in shards.iter().zip(paths) {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        map.extend(shard.tensors.iter().map(|member| (member.name.as_str(), file.clone())));
    }
    let total: u64 = shards.iter().map(Shard::bytes).sum();
    let text = format!("{:#}\n", json!({ "metadata": { "total_size": total }, "weight_map": map }));
    destination.write_beside(|file| Ok(file.write_all(text.as_bytes())?))
}
