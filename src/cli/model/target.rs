//! Where `--out` of a model leads: to a file, or to a folder, which is made if its parent is there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::checkpoint::{of_other_worlds, rank_file};
use crate::cli::launcher::World;
use crate::cli::place::{self, names_folder};
use crate::cli::{claim, formats};

/// One file of one process.
pub(super) fn check_file(out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    if out.is_dir() {
        bail!("cannot write {shown}: it is a folder; name a file in it, or pass --max-shard-size 5GB for shards in it");
    }
    if names_folder(out) {
        let file = out.join("model.safetensors");
        bail!(
            "cannot write {shown}: it names a folder; name a file, such as {}, or pass --max-shard-size 5GB for shards \
             in a folder",
            file.display()
        );
    }
    formats::check(out, "model", "safetensors")
}

/// The file of one of several processes in a folder of all of them.
pub(super) fn rank_path(out: &Path, world: &World, force: bool) -> anyhow::Result<PathBuf> {
    if let Some(other) = of_other_worlds(out, world.size).first().filter(|_| !force) {
        bail!(
            "{} exists, and this is a model of {} processes; name another folder, or pass --force to replace the one \
             that is there",
            other.display(),
            world.size
        );
    }
    Ok(out.join(rank_file(world.rank, world.size)))
}

/// A folder to write in; removed when dropped if it was made for that and is empty.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    made: bool,
}

impl Folder {
    /// Fails unless a folder is there or can be made in one that is there.
    pub(super) fn check(path: &Path) -> anyhow::Result<Self> {
        let (shown, parent) = (path.display(), place::folder(path));
        if path.is_dir() {
            return Ok(Folder { path: path.to_owned(), made: false });
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
            bail!("cannot make the folder {shown}: there is no folder {}; make it first", parent.display());
        }
        claim::temporary(path).with_context(|| format!("cannot make the folder {shown}"))?;
        Ok(Folder { path: path.to_owned(), made: false })
    }

    pub(super) fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes it, if no other process did so.
    pub(super) fn make(&mut self) -> anyhow::Result<()> {
        match fs::create_dir(&self.path) {
            Ok(()) => self.made = true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make the folder {}", self.path.display()));
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}
