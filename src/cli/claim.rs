//! One process at a time writes a file, or the files of a model in a folder.
//!
//! The sign of it is a temporary file beside the place, `NAME.x1Y2z3.incomplete`, whose lock is held until the work is
//! done. A process that is killed loses its locks, so whoever comes next removes its temporary files. Processes that
//! each write their part of one model do not exclude one another.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use fs4::{FileExt, TryLockError};
use gpu_init::stream_of;
use tempfile::{NamedTempFile, TempPath};

use super::checkpoint::{Role, role};
use super::place::folder;
use super::signals;

const SUFFIX: &str = ".incomplete";
/// Random characters in a temporary file's name.
const RANDOM: usize = 6;

/// The locked file, under its temporary or its final name.
#[derive(Debug)]
pub(crate) struct Claim {
    locked: File,
    temporary: PathBuf,
}

impl Claim {
    /// Claims the file `path`, whose folder is there, and gives a temporary file for it.
    pub(crate) fn take(path: &Path) -> anyhow::Result<(Self, NamedTempFile)> {
        let (folder, ours) = (folder(path), label(path));
        let _turn = turn(folder);
        let others = temporaries(folder).into_iter().filter(|(_, theirs)| excludes(&ours, theirs));
        let mut left = Vec::new();
        for (other, _) in others {
            match state(&other)? {
                State::Held => bail!(
                    "cannot write {}: another process writes {} there; wait until it has ended, or name another place",
                    path.display(),
                    other.display()
                ),
                State::Left => left.push(other),
                State::Unknown => {}
            }
        }
        let temporary = temporary(path)?;
        let locked = temporary.as_file().try_clone().with_context(|| format!("cannot write {}", path.display()))?;
        // Some file systems have no locks.
        let _ = FileExt::try_lock(&locked);
        // One that another user left may have to stay.
        left.iter().for_each(|path| _ = fs::remove_file(path));
        Ok((Claim { locked, temporary: temporary.path().to_owned() }, temporary))
    }

    /// Whether it is this file that is locked.
    pub(crate) fn is_on(&self, temporary: &Path) -> bool {
        self.temporary == temporary
    }

    /// The locked file, to be written.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.locked.try_clone()
    }
}

/// A new temporary file beside `path`.
pub(crate) fn temporary(path: &Path) -> anyhow::Result<NamedTempFile> {
    let prefix = label(path) + ".";
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    // A temporary file is private unless asked for; the umask still counts.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let made =
        builder.tempfile_in(folder(path)).with_context(|| format!("cannot write in {}", folder(path).display()))?;
    signals::remove_at_end(made.path());
    Ok(made)
}

/// A file's second name, under a temporary one beside `path`.
pub(crate) fn link(file: &Path, path: &Path) -> io::Result<TempPath> {
    let prefix = label(path) + ".";
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    let made = builder.make_in(folder(path), |name| fs::hard_link(file, name))?;
    signals::remove_at_end(made.path());
    Ok(made.into_temp_path())
}

/// What a file's temporary ones begin with. File systems allow names of some 255 bytes.
fn label(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.len() < 200 { name.into_owned() } else { format!("{:016x}", stream_of(&name)) }
}

/// Whether two files may not be written at the same time: they are the same, or of two models in one folder.
fn excludes(ours: &str, theirs: &str) -> bool {
    ours == theirs
        || match (role(ours), role(theirs)) {
            (Some(Role::Rank { world: ours }), Some(Role::Rank { world: theirs })) => ours != theirs,
            (ours, theirs) => ours.is_some() && theirs.is_some(),
        }
}

/// The temporary files in a folder, each with its label. Of a folder that cannot be listed there are none.
fn temporaries(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // Opening another kind of file may wait for ever.
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| Some((entry.path(), labelled(&entry.file_name())?.to_owned()))).collect()
}

/// The label in a temporary file's name.
fn labelled(name: &OsStr) -> Option<&str> {
    let (label, random) = name.to_str()?.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    (random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(label)
}

/// Whose a temporary file is.
enum State {
    /// A process writes it.
    Held,
    /// The process is gone.
    Left,
    /// The file is gone, or its file system has no locks.
    Unknown,
}

fn state(path: &Path) -> anyhow::Result<State> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Unknown),
        file => {
            file.with_context(|| format!("cannot tell whether a process still writes {}; remove it", path.display()))?
        }
    };
    Ok(match FileExt::try_lock_shared(&file) {
        Ok(()) => State::Left,
        Err(TryLockError::WouldBlock) => State::Held,
        Err(TryLockError::Error(_)) => State::Unknown,
    })
}

/// Locks a folder for the moment in which processes look at it and make their own sign: of two that start at the same
/// time one goes on. Where folders cannot be locked both may give up, never both go on.
fn turn(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    for _ in 0..200 {
        match FileExt::try_lock(&file) {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(_)) => break,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_in_one_folder_exclude_each_other_and_ranks_of_one_do_not() {
        let (single, index, shard) =
            ("model.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors");
        let (rank, other) = ("model-rank-00001-of-00004.safetensors", "model-rank-00000-of-00004.safetensors");
        let smaller = "model-rank-00000-of-00002.safetensors";
        for (a, b, expected) in [
            (single, single, true),
            (single, index, true),
            (index, shard, true),
            (index, rank, true),
            (rank, rank, true),
            (rank, other, false),
            (rank, smaller, true),
            (rank, single, true),
            ("a.safetensors", "b.safetensors", false),
            ("a.safetensors", single, false),
            ("a.npy", "a.npy", true),
        ] {
            assert_eq!((excludes(a, b), excludes(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn a_claim_is_held_until_it_is_dropped_and_what_is_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let other = folder.path().join("a.npy.aB3xYz.incomplete");
        let kept = ["a.npy.aB3xYz.incomplete.bak", "a.npy.ab-xyz.incomplete", "b.npy.aB3xYz.incomplete"];
        fs::write(&other, "left by a kill").unwrap();
        kept.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let (claim, temporary) = Claim::take(&path).unwrap();
        assert!(!other.exists(), "nobody holds it");
        assert!(kept.iter().all(|name| folder.path().join(name).exists()), "none is a temporary file of a.npy");
        let refused = Claim::take(&folder.path().join("./a.npy")).unwrap_err().to_string();
        assert!(refused.contains("a.npy.") && refused.contains("wait until"), "{refused}");
        assert!(Claim::take(&folder.path().join("c.npy")).is_ok());
        temporary.persist(&path).unwrap();
        drop(claim);
        Claim::take(&path).unwrap();
    }

    /// Between the files' creation and their locks, of which only the folder's turn keeps others away.
    #[test]
    fn of_many_that_start_at_once_one_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let path = folder.path().join("model.safetensors");
            let claims: Vec<_> = thread::scope(|scope| {
                let take = || Claim::take(&path).ok();
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(claims.len(), 1);
        }
    }

    #[test]
    fn long_names_have_short_labels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ä".repeat(120) + ".npy");
        let (claim, _temporary) = Claim::take(&path).unwrap();
        assert!(Claim::take(&path).is_err() && Claim::take(&folder.path().join("ö".repeat(120) + ".npy")).is_ok());
        drop(claim);
    }
}
