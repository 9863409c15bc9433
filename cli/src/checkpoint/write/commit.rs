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
    shards: Vec<Written>,
    index: Option<Index>,
    leftovers: Vec<PathBuf>,
}

#[derive(Debug)]
struct Written {
    destination: Destination,
    header: Header,
    temporary: TempPath,
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
    pub(crate) fn new(
        shards: Vec<Shard>,
        headers: Vec<Header>,
        temporaries: Vec<TempPath>,
        index: Option<Index>,
        leftovers: Vec<PathBuf>,
    ) -> Self {
        let written = shards.into_iter().zip(headers).zip(temporaries);
        let shards = written
            .map(|((shard, header), temporary)| Written {
                destination: shard.destination,
                header,
                temporary,
            })
            .collect();
        Finished { shards, index, leftovers }
    }

    /// Replaces a placeholder of the same length in every shard's metadata.
    pub(crate) fn patch(self, key: &str, value: &str) -> anyhow::Result<Self> {
        for Written { destination, header, temporary } in &self.shards {
            let (start, bytes) = header.patch(key, value)?;
            let write = || -> std::io::Result<()> {
                let mut file = File::options().write(true).open(temporary)?;
                file.seek(SeekFrom::Start(start))?;
                file.write_all(&bytes)?;
                file.sync_all()
            };
            write().with_context(|| format!("cannot write {}", destination.path().display()))?;
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
        let mut steps = Steps { leftovers, ..Steps::default() };
        for Written { destination, temporary, .. } in shards {
            steps.publish.push(Step::Move(destination, temporary));
        }
        let Some(Index { destination, temporary, usual }) = index else { return steps };
        if let Some((names, temporary)) = usual {
            let moves = steps.publish.iter();
            steps.renamed = moves
                .filter_map(Step::destination)
                .map(|destination| destination.path().to_owned())
                .collect();
            let link = |(file, name): (&PathBuf, &PathBuf)| Step::Link {
                file: file.clone(),
                name: name.clone(),
            };
            steps.rename = steps.renamed.iter().zip(&names).map(link).collect();
            steps.rename.push(Step::Move(destination.clone(), temporary));
            steps.usual = names;
        }
        steps.publish.push(Step::Move(destination, temporary));
        steps
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
    let mut temporary = destination.temporary()?;
    let written =
        temporary.write_all(text.as_bytes()).and_then(|()| temporary.as_file().sync_all());
    written.with_context(|| format!("cannot write {}", destination.path().display()))?;
    Ok(temporary.into_temp_path())
}
