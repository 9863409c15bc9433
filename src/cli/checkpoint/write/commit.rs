//! What is written and synced under temporary names: filled in and moved to its place.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use tempfile::TempPath;

use super::super::super::place::{Place, remove};
use super::super::INDEX;
use super::Shard;
use super::encode::Header;

/// Files that only their names are missing of. Dropped, they are removed.
#[derive(Debug)]
pub(crate) struct Finished {
    shards: Vec<Written>,
    index: Option<(Place, TempPath)>,
    leftovers: Vec<PathBuf>,
}

#[derive(Debug)]
struct Written {
    place: Place,
    header: Header,
    temporary: TempPath,
}

impl Finished {
    pub(super) fn new(
        shards: Vec<Shard>,
        headers: Vec<Header>,
        temporaries: Vec<TempPath>,
        index: Option<(Place, TempPath)>,
        leftovers: Vec<PathBuf>,
    ) -> Self {
        let written = shards.into_iter().zip(headers).zip(temporaries);
        let shards =
            written.map(|((shard, header), temporary)| Written { place: shard.place, header, temporary }).collect();
        Finished { shards, index, leftovers }
    }

    /// Puts a value in the place of a placeholder of the same length, in every shard's metadata.
    pub(crate) fn patch(self, key: &str, value: &str) -> anyhow::Result<Self> {
        for Written { place, header, temporary } in &self.shards {
            let (start, bytes) = header.patch(key, value)?;
            let write = || -> std::io::Result<()> {
                let mut file = OpenOptions::new().write(true).open(temporary)?;
                file.seek(SeekFrom::Start(start))?;
                file.write_all(&bytes)?;
                file.sync_all()
            };
            write().with_context(|| format!("cannot write {}", place.path().display()))?;
        }
        Ok(self)
    }

    /// Moves all files to their places, the index last: a folder that has one is complete. Then the files of a
    /// model that was there go.
    pub(crate) fn commit(self) -> anyhow::Result<()> {
        let Finished { shards, index, leftovers } = self;
        // An index that is there must not speak for shards that are not its own.
        if let Some((place, _)) = &index {
            place.clear()?;
        }
        for old in leftovers.iter().filter(|path| path.ends_with(INDEX)) {
            remove(old)?;
        }
        let mut moved = Vec::new();
        let result = shards.into_iter().map(|written| (written.place, written.temporary)).chain(index).try_for_each(
            |(place, temporary)| {
                moved.push(place.path().to_owned());
                place.take(temporary)
            },
        );
        if result.is_err() && moved.len() > 1 {
            // Shards without an index are of no use; the last of these is the one that was not moved.
            moved.pop();
            moved.iter().for_each(|path| _ = fs::remove_file(path));
        }
        result?;
        leftovers.iter().try_for_each(|path| remove(path))
    }
}

/// Writes the index under a temporary name.
pub(super) fn index(place: Place, shards: &[Shard]) -> anyhow::Result<(Place, TempPath)> {
    let mut map = BTreeMap::new();
    for shard in shards {
        let file = shard.place.path().file_name().unwrap_or_default().to_string_lossy();
        map.extend(shard.tensors.iter().map(|member| (member.name.as_str(), file.clone())));
    }
    let total: u64 = shards.iter().map(Shard::bytes).sum();
    let text = format!("{:#}\n", json!({ "metadata": { "total_size": total }, "weight_map": map }));
    let mut temporary = place.temporary()?;
    let written = temporary.write_all(text.as_bytes()).and_then(|()| temporary.as_file().sync_all());
    written.with_context(|| format!("cannot write {}", place.path().display()))?;
    Ok((place, temporary.into_temp_path()))
}
