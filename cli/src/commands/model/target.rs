//! Where `--out` of a model leads: to a file, or to a folder, which is made if its parent is there.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gpu_init::stream_of;
use serde_json::json;

use crate::backend::launcher::World;
use crate::checkpoint::place;
use crate::checkpoint::place::{names_in, not_a_folder};
use crate::checkpoint::{Role, SHAPES, Shard, of_other_worlds, role};
use crate::checkpoint::{claim, formats};
use crate::terminal::signals;

/// One file of one process.
pub(super) fn check_file(out: &Path) -> anyhow::Result<()> {
    let file = out.join("model.safetensors");
    let remedy = format!(
        "name a file, such as {}, or pass --max-shard-size 5GB for shards in it",
        file.display()
    );
    not_a_folder(out, &remedy)?;
    formats::check(out, "model", "safetensors")
}

/// Fails if the files of another number of processes are in a folder, and not to be replaced.
pub(super) fn check_worlds(out: &Path, world: &World, force: bool) -> anyhow::Result<()> {
    if let Some(other) = of_other_worlds(out, world.size).first().filter(|_| !force) {
        bail!(
            "{} exists, and this is a model of {} processes; name another folder, or pass --force to replace the one \
             that is there",
            other.display(),
            world.size
        );
    }
    Ok(())
}

/// Fails unless the files of other ranks, as far as they are there, are of the same job.
pub(super) fn check_job(out: &Path, world: &World, job: u64, force: bool) -> anyhow::Result<()> {
    let is_other = |name: &str| matches!(role(name), Some(Role::Rank { rank, world: size }) if size == world.size && rank != world.rank);
    let names = if force { Vec::new() } else { names_in(out).unwrap_or_default() };
    let others = names.iter().filter(|name| is_other(name)).map(|name| out.join(name));
    // One that records no job, or cannot be read, is for `verify` to name; the first one that does
    // speaks for all.
    let jobs = others.filter_map(|path| Some((job_of(&Shard::open(&path).ok()?.metadata)?, path)));
    match jobs.into_iter().next() {
        Some((other, path)) if other != job => bail!(
            "{} exists, by another seed or other rules or of another model; name another folder, or pass --force to \
             replace rank after rank",
            path.display()
        ),
        _ => Ok(()),
    }
}

/// One number for all that the processes of a model have in common, by what their files record.
pub(super) fn job_of(metadata: &BTreeMap<String, String>) -> Option<u64> {
    let keys = ["stream_version", "seed", "rules", SHAPES].map(|key| metadata.get(key));
    keys.iter().all(Option::is_some).then(|| stream_of(&json!(keys).to_string()))
}

/// A folder to write in; removed when dropped if it was made for that and is empty.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    made: bool,
}

impl Folder {
    /// Fails unless a folder is there or can be made in one that is there. It is made if `make`
    /// says so; none if it is not there otherwise.
    pub(super) fn find(path: &Path, make: bool) -> anyhow::Result<Option<Self>> {
        let (shown, parent) = (path.display(), place::folder(path));
        if path.is_dir() {
            return Ok(Some(Folder { path: path.to_owned(), made: false }));
        }
        if path.symlink_metadata().is_ok() {
            bail!("cannot write in {shown}: it is not a folder; name one");
        }
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")) {
            bail!(
                "cannot write in {shown}: there is no such folder; make it first, or name one that is not named as a file"
            );
        }
        if !parent.is_dir() {
            bail!(
                "cannot make the folder {shown}: there is no folder {}; make it first",
                parent.display()
            );
        }
        let context = || format!("cannot make the folder {shown}");
        claim::clear(path).with_context(context)?;
        if !make {
            // The only sure test of its parent.
            claim::temporary(path, None).with_context(context)?;
            return Ok(None);
        }
        match signals::make(|| fs::create_dir(path), |()| path.to_owned()) {
            Ok(()) => Ok(Some(Folder { path: path.to_owned(), made: true })),
            // Another process did so.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(Some(Folder { path: path.to_owned(), made: false }))
            }
            Err(error) => Err(error).with_context(context),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}
