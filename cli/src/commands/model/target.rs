//! The target of `--out`: a file, or a folder, which is made if its parent exists.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use gpu_init::stream_of;
use serde_json::json;

use crate::backend::launcher::World;
use crate::checkpoint::format::file_names::{Role, role};
use crate::checkpoint::format::metadata::SHAPES;
use crate::checkpoint::output::path::{self, names_in, not_a_folder};
use crate::checkpoint::output::{claim, extension};
use crate::checkpoint::read::shard::Shard;
use crate::checkpoint::write::files::find_leftovers;
use crate::terminal::signals;

pub(super) fn check_file(out: &Path) -> anyhow::Result<()> {
    let file = out.join("model.safetensors");
    let file = file.display();
    let remedy =
        format!("name a file, such as {file}, or pass --max-shard-size 5GB for shards in it");
    not_a_folder(out, &remedy)?;
    extension::check(out, "model", "safetensors")
}

/// Fails if the files of another model are in the folder of a rank's file and not to be replaced.
/// With `force` those that one process wrote are returned: they are to go in the end.
pub(super) fn check_beside_ranks(
    out: &Path,
    world: &World,
    job: Option<u64>,
    force: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let names = names_in(out)?;
    if !force {
        if let Some(other) = of_other_worlds(&names, world.size).next() {
            let (other, size) = (out.join(other), world.size);
            bail!(
                "{} exists, and this is a model of {size} processes; name another folder, or pass --force to replace \
                 the one that is there",
                other.display()
            );
        }
        check_job(out, &names, world, job)?;
    }
    find_leftovers(out, &names, |name| role(name) == Some(Role::Whole), force)
}

/// Fails unless the files of other ranks, as far as they are there, are of the same job.
fn check_job(out: &Path, names: &[String], world: &World, job: Option<u64>) -> anyhow::Result<()> {
    let is_other = |name: &str| matches!(role(name), Some(Role::Rank { rank, world: size }) if size == world.size && rank != world.rank);
    let others = names.iter().filter(|name| is_other(name)).map(|name| out.join(name));
    // A file that records no job, or cannot be read, is for `verify` to name; the first one that
    // does speaks for all.
    let mut jobs =
        others.filter_map(|path| Some((job_of(&Shard::open(&path).ok()?.metadata)?, path)));
    if let Some((other, path)) = jobs.next() {
        ensure!(
            Some(other) == job,
            "{} exists, by another seed or other rules or of another model; name another folder, or pass --force to \
             replace rank after rank",
            path.display()
        );
    }
    Ok(())
}

/// The files that another number of processes wrote.
pub(super) fn of_other_worlds(names: &[String], world: u64) -> impl Iterator<Item = &String> {
    names.iter().filter(
        move |name| matches!(role(name), Some(Role::Rank { world: other, .. }) if other != world),
    )
}

/// The job of a model: one number for all that its processes have in common, from the metadata of
/// their files.
pub(super) fn job_of(metadata: &BTreeMap<String, String>) -> Option<u64> {
    let keys = ["stream_version", "seed", "rules", SHAPES].map(|key| metadata.get(key));
    keys.iter().all(Option::is_some).then(|| stream_of(&json!(keys).to_string()))
}

/// A folder to write in; removed on drop if it was made for that and is empty.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    made: bool,
}

impl Folder {
    /// Fails unless the folder exists or can be made in one that exists. With `make` it is made;
    /// without, none is returned if it does not exist.
    pub(super) fn find(path: &Path, make: bool) -> anyhow::Result<Option<Self>> {
        let (shown, parent) = (path.display(), path::folder(path));
        let found = |made| Ok(Some(Folder { path: path.to_owned(), made }));
        if path.is_dir() {
            return found(false);
        }
        ensure!(
            path.symlink_metadata().is_err(),
            "cannot write in {shown}: it is not a folder; name one"
        );
        ensure!(
            path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("safetensors")),
            "cannot write in {shown}: there is no such folder; make it first, or name one that is not named as a file"
        );
        ensure!(
            parent.is_dir(),
            "cannot make the folder {shown}: there is no folder {}; make it first",
            parent.display()
        );
        let context = || format!("cannot make the folder {shown}");
        claim::clear(path).with_context(context)?;
        if !make {
            // The only sure test of its parent is to write in it.
            claim::temporary(path, None).with_context(context)?;
            return Ok(None);
        }
        match signals::make(|| fs::create_dir(path), |()| path.to_owned()) {
            // Another process made it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => found(false),
            made => made.with_context(context).and_then(|()| found(true)),
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
