//! A file's place: checked before anything is computed, written beside under a temporary name, moved there whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::{NamedTempFile, TempPath};

use super::output::binary_bytes;

/// Where a file is to be.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    force: bool,
}

impl Place {
    /// Fails early if a file cannot be written there, or is there already and not to be replaced (`force`).
    pub(crate) fn check(path: &Path, force: bool) -> anyhow::Result<Self> {
        if path.is_dir() {
            bail!("cannot write {}: it is a folder; name a file in it", path.display());
        }
        // What is written beside its place and moved there would replace a link, pipe or device, not write to it.
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            bail!("cannot write {}: it is not a regular file; name one", path.display());
        }
        if path.exists() && !force {
            bail!("{} exists; name another file, or pass --force to replace it", path.display());
        }
        let place = Place { path: path.to_owned(), force };
        if !place.folder().is_dir() {
            bail!("cannot write {}: there is no folder {}; make it first", path.display(), place.folder().display());
        }
        // The only sure test of a folder is to write in it; this file goes at once.
        place.temporary()?;
        Ok(place)
    }

    /// Fails early if the disk has no room for that many bytes. What it does not tell is found out when writing.
    pub(crate) fn check_room(&self, bytes: u64) -> anyhow::Result<()> {
        match fs4::available_space(self.folder()) {
            Ok(free) if free < bytes => bail!(
                "cannot write {} in {}: {} are free; make room, or name another folder",
                binary_bytes(bytes),
                self.folder().display(),
                binary_bytes(free)
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self) -> &Path {
        folder(&self.path)
    }

    /// A file to write, in the same folder so that it can be moved; it is removed when dropped. If the process is
    /// killed its name says what it is: `model.safetensors.x1Y2z3.incomplete`.
    pub(crate) fn temporary(&self) -> anyhow::Result<NamedTempFile> {
        let mut prefix = OsString::new();
        // File systems allow names of some 255 bytes.
        if let Some(name) = self.path.file_name().filter(|name| name.len() < 200) {
            prefix.push(name);
            prefix.push(".");
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".incomplete");
        // A temporary file is private unless told; the umask still counts.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(self.folder()).with_context(|| format!("cannot write in {}", self.folder().display()))
    }

    /// Writes a small file, which is there whole or not at all.
    pub(crate) fn write(&self, contents: &[u8]) -> anyhow::Result<()> {
        let temporary = self.temporary()?;
        let written = temporary.as_file().write_all(contents).and_then(|()| temporary.as_file().sync_all());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.take(temporary.into_temp_path())
    }

    /// Moves a file that is written and synced to its place, and makes the move last.
    pub(crate) fn take(&self, temporary: TempPath) -> anyhow::Result<()> {
        let moved = if self.force { temporary.persist(&self.path) } else { temporary.persist_noclobber(&self.path) };
        moved.with_context(|| format!("cannot write {}", self.path.display()))?;
        sync_folder(self.folder())
    }

    /// Removes the file that is to be replaced, if there is one.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        if self.force { remove(&self.path) } else { Ok(()) }
    }
}

/// Removes a file that may be there, so that it stays removed.
pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => {
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
            sync_folder(folder(path))
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes names that were moved or removed in a folder survive a power cut.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("cannot sync the folder {}", folder.display()))?;
    }
    Ok(())
}
