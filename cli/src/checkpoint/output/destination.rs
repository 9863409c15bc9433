//! Destinations of files: checked before anything is computed, written beside under a temporary
//! name, and moved there as a whole.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::{NamedTempFile, TempPath};

use crate::checkpoint::output::claim::{self, Claim};
use crate::checkpoint::output::path::{check_path, folder, sync_folder};
use crate::terminal::output::binary_bytes;

/// The path that a file is written to.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    path: PathBuf,
    force: bool,
    /// The file whose permissions the new one takes, if it exists.
    replaced: PathBuf,
}

impl Destination {
    /// Fails early if a file cannot be written there, or exists and is not to be replaced
    /// (`force`).
    pub(crate) fn check(path: &Path, force: bool) -> anyhow::Result<Self> {
        let destination = Self::among_others(path, force)?;
        // The only sure test of a folder is to write in it; this file is removed at once.
        destination.temporary()?;
        Ok(destination)
    }

    /// Checks and claims: until the claim is dropped no other process of this program writes there.
    pub(crate) fn claim(path: &Path, force: bool) -> anyhow::Result<(Self, Claim)> {
        let claim = Claim::take(path, None)?;
        Ok((Self::check(path, force)?, claim))
    }

    /// Checks a destination in a folder that was checked for another file.
    pub(crate) fn among_others(path: &Path, force: bool) -> anyhow::Result<Self> {
        check_path(path)?;
        ensure!(
            force || !path.exists(),
            "{} exists; name another file, or pass --force to replace it",
            path.display()
        );
        Ok(Destination { path: path.to_owned(), force, replaced: path.to_owned() })
    }

    /// The same destination, for a file that will replace the file `path` in the end.
    pub(crate) fn replacing(self, path: &Path) -> Self {
        Destination { replaced: path.to_owned(), ..self }
    }

    /// Fails early if the disk has less free space than `bytes`. Where the free space is unknown,
    /// writing fails.
    pub(crate) fn check_room(&self, bytes: u64) -> anyhow::Result<()> {
        let (folder, free) = (self.folder(), fs4::available_space(self.folder()));
        let free = free.unwrap_or(u64::MAX);
        ensure!(
            free >= bytes,
            "cannot write {} in {}: {} are free; free some space, or name another folder",
            binary_bytes(bytes),
            folder.display(),
            binary_bytes(free)
        );
        Ok(())
    }

    /// Whether two destinations are the same file, by whatever paths.
    pub(crate) fn is_same(&self, other: &Destination) -> bool {
        let real = |destination: &Destination| destination.folder().canonicalize().ok();
        self.path.file_name() == other.path.file_name()
            && real(self).is_some_and(|folder| real(other) == Some(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self) -> &Path {
        folder(&self.path)
    }

    /// A file to write, in the same folder so that it can be moved; removed on drop. If the process
    /// is killed, its name says what it is: `model.safetensors.x1Y2z3.incomplete`.
    pub(crate) fn temporary(&self) -> anyhow::Result<NamedTempFile> {
        claim::temporary(&self.path, self.force.then_some(&self.replaced))
    }

    /// Writes a file atomically.
    pub(crate) fn write(&self, contents: &[u8]) -> anyhow::Result<()> {
        self.write_with(|file| Ok(file.write_all(contents)?))
    }

    /// Writes a file atomically, from contents that need not be in memory at once.
    pub(crate) fn write_with(
        &self,
        write: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.take(self.write_beside(write)?)?;
        self.sync()
    }

    /// Writes and syncs a file under a temporary name.
    pub(crate) fn write_beside(
        &self,
        write: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<()>,
    ) -> anyhow::Result<TempPath> {
        let temporary = self.temporary()?;
        let written = || -> anyhow::Result<()> {
            // Small, since a process without memory for it would be aborted.
            let mut file = BufWriter::with_capacity(1 << 16, temporary.as_file());
            write(&mut file)?;
            file.flush()?;
            Ok(temporary.as_file().sync_all()?)
        };
        written().with_context(|| {
            format!("cannot write {}, and nothing of it is kept", self.path.display())
        })?;
        Ok(temporary.into_temp_path())
    }

    /// Makes moved files survive a power cut.
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        sync_folder(self.folder())
    }

    /// Moves a file that is written and synced to this path, with the permissions of the file it
    /// replaces.
    pub(crate) fn take(&self, temporary: TempPath) -> anyhow::Result<()> {
        let moved = if self.force {
            keep_mode(&self.replaced, &temporary)?;
            temporary.persist(&self.path)
        } else {
            temporary.persist_noclobber(&self.path)
        };
        moved.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Gives `new` the permissions of the file that it replaces, if there is one.
fn keep_mode(old: &Path, new: &Path) -> anyhow::Result<()> {
    // Other systems' permissions only say whether a file is read-only.
    if cfg!(unix)
        && let Ok(metadata) = fs::metadata(old)
    {
        let kept = fs::set_permissions(new, metadata.permissions());
        kept.with_context(|| format!("cannot keep the permissions of {}", old.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From its first byte on.
    #[test]
    #[cfg(unix)]
    fn what_replaces_a_private_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mode_of = |metadata: fs::Metadata| metadata.permissions().mode() & 0o777;
        for (mode, expected) in [(0o600, 0o600), (0o400, 0o600), (0o440, 0o640), (0o000, 0o600)] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let beside =
                Destination::among_others(&folder.path().join("b"), true).unwrap().replacing(&path);
            for destination in [Destination::check(&path, true).unwrap(), beside] {
                let now = mode_of(destination.temporary().unwrap().as_file().metadata().unwrap());
                // A umask takes more from it.
                assert_eq!((now & !expected, now & 0o600), (0, 0o600), "{mode:o} {now:o}");
                destination.write(b"new").unwrap();
                assert_eq!(mode_of(fs::metadata(destination.path()).unwrap()), mode);
            }
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn places_are_the_same_by_any_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        let at = |path: &str| Destination::check(&folder.path().join(path), false).unwrap();
        assert!(at("a").is_same(&at("./a")) && at("a").is_same(&at("b/../a")));
        assert!(!at("a").is_same(&at("c")) && !at("a").is_same(&at("b/a")));
    }
}
