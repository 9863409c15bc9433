//! The threads that the CPU path computes on: made at the start, as many as can be had.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayon::{ThreadBuilder, ThreadPoolBuilder};

/// Threads given back where there are fewer than wanted: one listens to signals, one writes files.
const SPARE: usize = 2;

/// Makes rayon's threads: as many as `RAYON_NUM_THREADS` says or as there are cores, whichever is
/// less. This thread is one of them, so that some can always be had.
///
/// rayon itself panics if it cannot start one of them, so they are started before it is told how
/// many there are.
pub(crate) fn start() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let wanted = wanted(std::env::var("RAYON_NUM_THREADS").ok().as_deref(), cores);
    let mut started: Vec<Sender<ThreadBuilder>> = (1..wanted).map_while(|_| waiting()).collect();
    if started.len() + 1 < wanted {
        // Those whose sender is gone end.
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

/// More threads than cores are no faster, and rayon takes its default for what is no number above
/// 0.
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
