//! Paths: whether a file can be written there, and the names in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// Fails if a path names a folder, existing or not; `remedy` says what to do.
pub(crate) fn not_a_folder(path: &Path, remedy: &str) -> anyhow::Result<()> {
    let is = match path.is_dir() {
        true => "is",
        false if names_folder(path) => "names",
        false => return Ok(()),
    };
    bail!("cannot write {}: it {is} a folder; {remedy}", path.display())
}

/// Fails unless a path names a file that can exist.
pub(crate) fn check_path(path: &Path) -> anyhow::Result<()> {
    not_a_folder(path, "name a file in it")?;
    let (shown, folder) = (path.display(), folder(path));
    // A file moved there would replace a link, pipe or device instead of writing to it.
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            bail!("cannot write {shown}: it is a link; name the file that it leads to")
        }
        Ok(metadata) if !metadata.is_file() => {
            bail!("cannot write {shown}: it is not a regular file; name one")
        }
        Err(error) if error.kind() == ErrorKind::InvalidFilename => bail!(
            "cannot write {shown}: the file system has no names like that ({error}); \
             name another file"
        ),
        _ => {}
    }
    let is_there = folder.is_dir();
    ensure!(
        is_there,
        "cannot write {shown}: there is no folder {}; make it first",
        folder.display()
    );
    Ok(())
}

/// Whether a path can only be a folder, existing or not: `a/`, `a/.`, `..` or nothing.
fn names_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none_or(|name| !text.ends_with(name.as_encoded_bytes()))
}

/// Removes a file if it exists, and makes the removal survive a power cut.
pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => {
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
            sync_folder(folder(path))
        }
    }
}

/// The names in a folder that are text, sorted.
pub(crate) fn names_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let names = fs::read_dir(folder).and_then(|entries| {
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect::<io::Result<Vec<_>>>()
    });
    let mut names =
        names.with_context(|| format!("cannot read the folder {}", folder.display()))?;
    names.sort();
    Ok(names)
}

/// The folder of a file, which need not exist yet.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes renames and removals in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    // Other systems cannot open a folder as a file.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("cannot sync the folder {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_folders_are_known_by_their_text() {
        for path in ["a/", "a/b//", "a/.", "a./.", "..", "a/..", ".", "/", ""] {
            assert!(names_folder(Path::new(path)), "{path:?}");
        }
        for path in ["a", "./a", "a/b", "a//b", ".a", "a.", "..a", "/a"] {
            assert!(!names_folder(Path::new(path)), "{path:?}");
        }
    }
}
