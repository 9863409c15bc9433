//! The threads of the CPU path, started at the beginning, as many as the system allows.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayon::{ThreadBuilder, ThreadPoolBuilder};

/// Threads released if fewer than wanted could be started: one listens to signals, one writes
/// files.
const SPARE: usize = 2;

/// Starts rayon's threads: as many as `RAYON_NUM_THREADS` says or as there are cores, whichever is
/// less. This thread is one of them, so that there is always one.
///
/// rayon panics if it cannot start a thread, so they are started before its pool is built.
pub(crate) fn start() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let wanted = wanted(std::env::var("RAYON_NUM_THREADS").ok().as_deref(), cores);
    let mut started: Vec<Sender<ThreadBuilder>> = (1..wanted).map_while(|_| waiting()).collect();
    if started.len() + 1 < wanted {
        // A thread ends when its sender is dropped.
        started.truncate(started.len().saturating_sub(SPARE));
    }
    let pool = ThreadPoolBuilder::new().num_threads(started.len() + 1).use_current_thread();
    let started = Mutex::new(started);
    let built = pool
        .spawn_handler(|thread| {
            let waiting = started.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let sent = waiting.is_some_and(|waiting| waiting.send(thread).is_ok());
            if sent { Ok(()) } else { Err(std::io::ErrorKind::WouldBlock.into()) }
        })
        .build_global();
    debug_assert!(built.is_ok(), "{built:?}");
}

/// A thread that waits to become one of rayon's.
fn waiting() -> Option<Sender<ThreadBuilder>> {
    let (sender, receiver) = channel::<ThreadBuilder>();
    let run = move || _ = receiver.recv().map(ThreadBuilder::run);
    thread::Builder::new().spawn(run).ok().map(|_| sender)
}

/// More threads than cores are no faster. Like rayon, takes the default for anything but a number
/// above 0.
fn wanted(asked: Option<&str>, cores: usize) -> usize {
    asked
        .and_then(|text| text.trim().parse().ok())
        .filter(|&threads| threads > 0)
        .map_or(cores, |threads: usize| threads.min(cores))
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn never_more_threads_than_cores() {
        for (asked, expected) in [
            (None, 8),
            (Some("3"), 3),
            (Some(" 8 "), 8),
            (Some("0"), 8),
            (Some("-1"), 8),
            (Some("many"), 8),
            (Some("100000"), 8),
            (Some("99999999999999999999999"), 8),
        ] {
            assert_eq!(wanted(asked, 8), expected, "{asked:?}");
        }
    }
}
