//! Ctrl-C and SIGTERM: work ends between two of its steps, or the process is ended if a step takes
//! too long.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::terminal::output::complain;

/// Number of the first signal; 0 until then.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Every temporary file of this process, and the folder that it made, existing or not, in the order
/// of creation.
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Held while files get their names, and by the thread that ends the process, so that the two
/// exclude each other.
static ENDING: Mutex<()> = Mutex::new(());

/// Steps under way that cannot be interrupted.
static ENDLESS: AtomicU32 = AtomicU32::new(0);

/// Runs a step that does not ask [`go_on`]: meanwhile a signal ends the process at once on Unix;
/// elsewhere the second one does, as always.
pub(crate) fn endless<T>(step: impl FnOnce() -> T) -> T {
    ENDLESS.fetch_add(1, Ordering::Relaxed);
    let done = step();
    ENDLESS.fetch_sub(1, Ordering::Relaxed);
    done
}

/// Returns `Break` after a signal.
pub(crate) fn go_on() -> ControlFlow<()> {
    exit_code().map_or(ControlFlow::Continue(()), |_| ControlFlow::Break(()))
}

/// The exit code that shells report for a process ended by a signal: 130 for Ctrl-C, 143 for
/// SIGTERM. None without a signal.
pub(crate) fn exit_code() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::Relaxed);
    (signal != 0).then_some(128 + signal as u8)
}

/// Makes a file, or an empty folder, that is removed if a signal ends the process before it is
/// removed, renamed or filled.
pub(crate) fn make<T>(
    make: impl FnOnce() -> io::Result<T>,
    path: impl FnOnce(&T) -> PathBuf,
) -> io::Result<T> {
    // The lock keeps the process from ending before the file is listed.
    let mut temporaries = locked(&TEMPORARIES);
    let made = make()?;
    temporaries.push(path(&made));
    Ok(made)
}

/// Keeps signals from ending the process while the guard is held.
pub(crate) fn hold() -> MutexGuard<'static, ()> {
    locked(&ENDING)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes files, and folders that are then empty.
fn remove(temporaries: &[PathBuf]) {
    // A folder was made before its files.
    for path in temporaries.iter().rev() {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    }
}

/// Ends the process as if its work had been interrupted between two steps.
fn end(signal: i32) -> ! {
    let _held = hold();
    remove(&locked(&TEMPORARIES));
    complain("error: interrupted; what was not saved as a whole is not kept");
    exit(128 + signal)
}
#[cfg(unix)]
use unix::exit;
#[cfg(unix)]
pub(crate) use unix::listen_to_ctrl_c;

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use anyhow::Context;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;

    use super::{ENDLESS, SIGNAL, end};

    /// Without destructors: other threads, also of a driver, still run.
    pub(super) use signal_hook::low_level::exit;

    /// Time for the work to end by itself: a step of a large orthogonal matrix may take seconds.
    const GRACE: Duration = Duration::from_secs(10);

    /// Signals within this time count as one: launchers and `timeout` repeat the terminal's.
    const ONE_PRESS: Duration = Duration::from_millis(500);

    /// From here on [`go_on`](super::go_on) reports signals. If no thread can be started they end
    /// the process, as by default.
    pub(crate) fn listen_to_ctrl_c() -> anyhow::Result<()> {
        let (sender, receiver) = mpsc::channel();
        let listener = thread::Builder::new().name("signals".to_owned());
        if listener.spawn(move || _ = receiver.recv().map(listen)).is_ok() {
            let signals =
                Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen to Ctrl-C")?;
            sender.send(signals).context("cannot listen to Ctrl-C")?;
        }
        // A file beyond `ulimit -f` is a write error and does not end the process.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).context("cannot listen to signals")?;
        Ok(())
    }

    fn listen(mut signals: Signals) {
        let Some(signal) = signals.forever().next() else { return };
        SIGNAL.store(signal, Ordering::Relaxed);
        let since = Instant::now();
        loop {
            let again = signals.pending().next().is_some() && since.elapsed() > ONE_PRESS;
            if again || since.elapsed() > GRACE || ENDLESS.load(Ordering::Relaxed) > 0 {
                end(signal);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(not(unix))]
use std::process::exit;

/// From here on [`go_on`] reports Ctrl-C; a second one ends the process.
#[cfg(not(unix))]
pub(crate) fn listen_to_ctrl_c() -> anyhow::Result<()> {
    use anyhow::Context;
    const INTERRUPT: i32 = 2;
    let hear = || match SIGNAL.swap(INTERRUPT, Ordering::Relaxed) {
        0 => {}
        signal => end(signal),
    };
    ctrlc::set_handler(hear).context("cannot listen to Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_made_goes_last_and_only_if_it_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (made, file) = (folder.path().join("made"), folder.path().join("made/file"));
        for others in [false, true] {
            fs::create_dir(&made).unwrap();
            fs::write(&file, "").unwrap();
            if others {
                fs::write(made.join("another process' file"), "").unwrap();
            }
            remove(&[made.clone(), file.clone(), folder.path().join("nothing")]);
            assert_eq!((made.exists(), file.exists()), (others, false));
        }
    }
}
