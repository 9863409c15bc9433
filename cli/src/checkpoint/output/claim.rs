//! Claims: one process at a time writes a file, or the files of a model in a folder.
//!
//! A claim is an empty file beside the destination, `NAME.x1Y2z3.incomplete`, locked until the work
//! is done and removed last. A killed process loses its locks, so the next one removes its claim
//! and its temporary files. Ranks of one model do not exclude each other: their claims name the
//! same job, `NAME.JOB.x1Y2z3.incomplete`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use fs4::{FileExt, TryLockError};
use gpu_init::stream_of;
use tempfile::{NamedTempFile, TempPath};

use crate::checkpoint::format::file_names::{Role, role};
use crate::checkpoint::output::path::{check_path, folder, names_in};
use crate::terminal::signals;

const SUFFIX: &str = ".incomplete";
/// Random characters in a temporary file's name.
const RANDOM: usize = 6;
/// Hexadecimal digits of a job.
const DIGITS: usize = 16;

/// The exclusive right to write a file or a model. Its file is removed on drop.
#[derive(Debug)]
pub(crate) struct Claim {
    _locked: NamedTempFile,
}

impl Claim {
    /// Claims the file `path`, or all files of the model that it belongs to; fails if another
    /// process has claimed them. Files that killed processes left are removed. A rank passes its
    /// `job`, a number that all processes of one model share: claims of the same job are
    /// compatible.
    pub(crate) fn take(path: &Path, job: Option<u64>) -> anyhow::Result<Self> {
        check_path(path)?;
        let ours = label(path) + &job.map(|job| format!(".{job:0DIGITS$x}")).unwrap_or_default();
        let _turn = lock_folder(folder(path));
        let left = left(path, &ours)?;
        let locked = new_file(path, &ours, None)?;
        // Some file systems have no locks.
        let _ = FileExt::try_lock(locked.as_file());
        remove(&left);
        Ok(Claim { _locked: locked })
    }
}

/// Removes what killed processes left beside `path`; fails if a process writes there.
pub(crate) fn clear(path: &Path) -> anyhow::Result<()> {
    let _turn = lock_folder(folder(path));
    remove(&left(path, &label(path))?);
    Ok(())
}

/// A new temporary file beside `path`, readable by nobody who may not read the file it replaces.
pub(crate) fn temporary(path: &Path, replaced: Option<&Path>) -> anyhow::Result<NamedTempFile> {
    new_file(path, &label(path), replaced)
}

/// Links a file to a temporary name beside `path`.
pub(crate) fn link(file: &Path, path: &Path) -> io::Result<TempPath> {
    Ok(make(path, &label(path), |name| fs::hard_link(file, name))?.into_temp_path())
}

fn new_file(path: &Path, label: &str, replaced: Option<&Path>) -> anyhow::Result<NamedTempFile> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    // Other systems' permissions only say whether a file is read-only.
    #[cfg(unix)]
    if let Some(metadata) = replaced.and_then(|path| fs::metadata(path).ok()) {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        // This process has to write it, though.
        options.mode(metadata.permissions().mode() & 0o777 | 0o600);
    }
    #[cfg(not(unix))]
    let _ = replaced;
    make(path, label, |name| options.open(name))
        .with_context(|| format!("cannot write in {}", folder(path).display()))
}

/// Makes a file with a temporary name; it is removed on drop and when a signal ends the process.
fn make<T>(
    path: &Path,
    label: &str,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<NamedTempFile<T>> {
    let prefix = format!("{label}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    signals::make(|| builder.make_in(folder(path), make), |made| made.path().to_owned())
}

/// The start of the names of a file's temporary files. File systems allow names of some 255 bytes.
fn label(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.len() < 200 { name.into_owned() } else { format!("{:016x}", stream_of(&name)) }
}

/// Splits a label into the file's name and, for a rank's claim, its job.
fn name_and_job(label: &str) -> (&str, Option<&str>) {
    let is_job =
        |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rank =
        label.rsplit_once('.').filter(|(name, _)| matches!(role(name), Some(Role::Rank { .. })));
    rank.filter(|(_, job)| is_job(job)).map_or((label, None), |(name, job)| (name, Some(job)))
}

/// Whether two ranks belong to different jobs. Temporary files do not name theirs.
fn of_two_jobs(ours: &str, theirs: &str) -> bool {
    let jobs = name_and_job(ours).1.zip(name_and_job(theirs).1);
    jobs.is_some_and(|(ours, theirs)| ours != theirs)
}

/// Whether two files must not be written at the same time: they are the same, or belong to two
/// models in one folder.
fn excludes(ours: &str, theirs: &str) -> bool {
    let (one, other) = (name_and_job(ours).0, name_and_job(theirs).0);
    one == other
        || match (role(one), role(other)) {
            (Some(Role::Rank { world: one, .. }), Some(Role::Rank { world: other, .. })) => {
                one != other || of_two_jobs(ours, theirs)
            }
            // Rank 0 writes the list of all slices.
            (Some(Role::Rank { rank, .. }), Some(Role::Slices))
            | (Some(Role::Slices), Some(Role::Rank { rank, .. })) => rank == 0,
            (one, other) => one.is_some() && other.is_some(),
        }
}

/// Finds what killed processes left beside `path`; fails if a process writes there.
fn left(path: &Path, ours: &str) -> anyhow::Result<Vec<PathBuf>> {
    let (folder, mut left, mut unknown) = (folder(path), Vec::new(), Ok(()));
    // Nothing is known about a folder that cannot be listed.
    for name in names_in(folder).unwrap_or_default() {
        let Some(theirs) = labelled(&name).filter(|theirs| excludes(ours, theirs)) else {
            continue;
        };
        let other = folder.join(&name);
        match is_held(&other) {
            Ok(Some(true)) => {
                let whose = match of_two_jobs(ours, theirs) {
                    true => ", a rank of a model of another seed, rules or shapes",
                    false => "",
                };
                bail!(
                    "cannot write {}: another process writes {} there{whose}; wait until it has ended, or name another \
                     destination",
                    path.display(),
                    other.display()
                )
            }
            Ok(Some(false)) => left.push(other),
            Ok(None) => {}
            Err(error) => unknown = unknown.and(Err(error)),
        }
    }
    unknown.map(|()| left)
}

/// A file that another user left may have to stay.
fn remove(left: &[PathBuf]) {
    left.iter().for_each(|path| _ = fs::remove_file(path));
}

/// The label in a temporary file's name.
fn labelled(name: &str) -> Option<&str> {
    let (label, random) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    (random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then_some(label)
}

/// Whether a process writes a temporary file. None if the file is gone or not a temporary file, or
/// if its file system has no locks.
fn is_held(path: &Path) -> anyhow::Result<Option<bool>> {
    // Opening a pipe may block forever.
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| {
            format!("cannot tell whether a process still writes {}; remove it", path.display())
        })?,
    };
    Ok(match FileExt::try_lock_shared(&file) {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    })
}

/// Locks a folder while a process lists it and adds its claim, so that of two that start at the
/// same time one continues. Where folders cannot be locked both may fail, but never both continue.
fn lock_folder(folder: &Path) -> Option<File> {
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
    use crate::checkpoint::format::file_names::rank_file;
    use crate::checkpoint::output::destination::Destination;

    #[test]
    fn models_in_one_folder_exclude_each_other_and_ranks_of_one_do_not() {
        let [single, index, list] =
            ["model.safetensors", "model.safetensors.index.json", "model.slices.json"];
        let shard = "model-00001-of-00002.safetensors";
        let [rank, other, smaller] = [(1, 4), (0, 4), (0, 2)].map(|(i, n)| rank_file(i, n));
        let [rank, other, smaller] = [&*rank, &other, &smaller];
        let job = |name: &str, job: u64| format!("{name}.{job:016x}");
        let (ours, same, different) = (job(rank, 1), job(other, 1), job(other, 2));
        for (a, b, expected) in [
            (single, single, true),
            (single, index, true),
            (index, shard, true),
            (index, rank, true),
            (rank, rank, true),
            (rank, other, false),
            (rank, smaller, true),
            (rank, single, true),
            (&ours, &same, false),
            (&ours, &different, true),
            (&ours, other, false),
            (&ours, &job(rank, 2), true),
            (&ours, rank, true),
            (&ours, &job(smaller, 1), true),
            (&ours, index, true),
            (&same, list, true),
            (&ours, list, false),
            (list, index, true),
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
        let kept =
            ["a.npy.aB3xYz.incomplete.bak", "a.npy.ab-xyz.incomplete", "b.npy.aB3xYz.incomplete"];
        fs::write(&other, "left by a kill").unwrap();
        let path_of = |name: &&str| folder.path().join(name);
        kept.iter().for_each(|name| fs::write(path_of(name), "").unwrap());
        let (destination, claim) = Destination::claim(&path, true).unwrap();
        assert!(!other.exists(), "nobody holds it");
        let all_kept = kept.iter().all(|name| path_of(name).exists());
        assert!(all_kept, "none is a temporary file of a.npy");
        let check_refused = || {
            let refused = Claim::take(&path_of(&"./a.npy"), None).unwrap_err().to_string();
            assert!(refused.contains("a.npy.") && refused.contains("wait until"), "{refused}");
        };
        check_refused();
        assert!(Claim::take(&folder.path().join("c.npy"), None).is_ok());
        let temporary = destination.temporary().unwrap();
        check_refused();
        assert!(temporary.path().exists(), "it is not taken for one that was left");
        drop(temporary);
        destination.write(b"first").unwrap();
        drop(destination);
        check_refused();
        drop(claim);
        Claim::take(&path, None).unwrap();
        let names = names_in(folder.path()).unwrap();
        assert_eq!(names.len(), 1 + kept.len(), "the claim's file is gone: {names:?}");
    }

    #[test]
    fn ranks_of_two_jobs_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let rank = |rank: u64, world: u64| folder.path().join(rank_file(rank, world));
        let _first = Claim::take(&rank(0, 4), Some(7)).unwrap();
        let list = temporary(&folder.path().join("model.slices.json"), None).unwrap();
        let _second = Claim::take(&rank(1, 4), Some(7)).unwrap();
        assert!(list.path().exists(), "rank 0 writes it");
        for (path, job) in [(rank(2, 4), 8), (rank(0, 4), 7), (rank(0, 2), 7)] {
            let refused = Claim::take(&path, Some(job)).unwrap_err().to_string();
            let of_another = refused.contains("of another seed, rules or shapes; wait until");
            assert_eq!(of_another, job == 8, "{refused}");
            assert!(refused.contains("another process writes"), "{refused}");
        }
    }

    #[test]
    fn what_is_left_beside_a_folder_and_of_a_list_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let left = path("out.aB3xYz.incomplete");
        fs::write(&left, "").unwrap();
        clear(&path("out")).unwrap();
        assert!(!left.exists());
        let claim = Claim::take(&path("out"), None).unwrap();
        assert!(clear(&path("out")).is_err(), "a file of that name is written");
        drop(claim);
        for claimed in [&*rank_file(0, 2), "model.safetensors"] {
            let left = path("model.slices.json.aB3xYz.incomplete");
            fs::write(&left, "").unwrap();
            drop(Claim::take(&path(&rank_file(1, 2)), Some(1)).unwrap());
            assert!(left.exists(), "it may be rank 0's");
            Claim::take(&path(claimed), None).unwrap();
            assert!(!left.exists(), "{claimed}");
        }
    }

    /// Only the folder's lock protects the time between a claim's creation and its lock.
    #[test]
    fn of_many_that_start_at_once_one_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let path = folder.path().join("model.safetensors");
            let claims: Vec<_> = thread::scope(|scope| {
                let take = || Claim::take(&path, None).ok();
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
        let claim = Claim::take(&path, None).unwrap();
        let other = folder.path().join("ö".repeat(120) + ".npy");
        assert!(Claim::take(&path, None).is_err() && Claim::take(&other, None).is_ok());
        drop(claim);
    }
}
