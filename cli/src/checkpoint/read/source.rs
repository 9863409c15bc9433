//! `gpu-init model SOURCE`: the tensors of a model, from whatever kind of file lists them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::checkpoint::format::metadata;
use crate::checkpoint::read::input;
use crate::checkpoint::read::list::{self, Entry, Source};
use crate::checkpoint::read::shard::Stored;
use crate::checkpoint::read::shards::{self, Checkpoint};
use crate::checkpoint::read::slices::Slices;

/// Reads a tensor list, the header of a .safetensors file, or the headers of a folder's shards.
pub(crate) fn read(path: &Path) -> anyhow::Result<Source> {
    let shown = path.display();
    ensure!(
        !path.is_dir() || Slices::find(path)?.is_none(),
        "{shown} has the files of several processes, which cannot be a SOURCE; name a model in one file or in shards"
    );
    let source = if path.is_dir() || shards::is_index(path) {
        of_checkpoint(Checkpoint::open(path)?)
    } else {
        let mut file = input::open(path).with_context(|| format!("cannot open {shown}"))?;
        let mut start = Vec::new();
        let read = file.by_ref().take(8).read_to_end(&mut start);
        read.with_context(|| format!("cannot read {shown}"))?;
        if is_safetensors(&start, path) {
            of_checkpoint(Checkpoint::open(path)?)
        } else {
            list::read(start.chain(file)).with_context(|| format!("cannot read {shown}"))?
        }
    };
    ensure!(!source.tensors.is_empty(), "{shown} lists no tensors; name a model that has some");
    Ok(source)
}

/// A header's length has zeros among its eight bytes, JSON text has none; otherwise the name
/// decides.
fn is_safetensors(start: &[u8], path: &Path) -> bool {
    let json = start.trim_ascii_start().starts_with(b"{");
    let length = start.len() == 8 && start.contains(&0);
    let is_named = || path.extension().is_some_and(|it| it.eq_ignore_ascii_case("safetensors"));
    length || !json && is_named()
}

fn of_checkpoint(checkpoint: Checkpoint) -> Source {
    let metadata = checkpoint.metadata();
    let mut tensors = Vec::new();
    for Stored { name, dtype, shape, .. } in checkpoint.tensors().cloned() {
        tensors.push(Entry { name, dtype: Some(dtype), shape });
    }
    let ties = add_tied(&mut tensors, &metadata);
    let architecture = metadata.get("architecture").cloned();
    Source { tensors, ties, architecture, checkpoint: Some(checkpoint) }
}

/// Adds the names that the metadata ties, as they were listed when the model was made.
fn add_tied(
    tensors: &mut Vec<Entry>,
    metadata: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let by_name: HashMap<&str, &Entry> =
        tensors.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let (mut aliases, mut ties) = (Vec::new(), Vec::new());
    for (alias, owner) in metadata::ties(metadata, |name| by_name.contains_key(name)) {
        let Entry { dtype, shape, .. } = by_name[owner];
        aliases.push(Entry { name: alias.to_owned(), dtype: *dtype, shape: shape.clone() });
        ties.push((owner.to_owned(), alias.to_owned()));
    }
    tensors.append(&mut aliases);
    ties
}
