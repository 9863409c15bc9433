//! Threads in processes that Python forks, such as the workers of a data loader: those of the process
//! before are not there, and rayon would wait for them.

use std::process;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The process that has rayon's own threads.
static FIRST: OnceLock<u32> = OnceLock::new();

/// The threads of a forked process, by its number.
static FORKED: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Runs `work`, which rayon divides among threads that this process has.
pub(crate) fn with_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let process = process::id();
    if *FIRST.get_or_init(|| process) == process {
        return work();
    }
    match threads_of(process) {
        Some(threads) => threads.install(work),
        None => work(),
    }
}

/// The threads of a forked process; `None` if none can be created.
fn threads_of(process: u32) -> Option<Arc<ThreadPool>> {
    let mut forked = FORKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, threads)) = forked.as_ref().filter(|(of, _)| *of == process) {
        return Some(Arc::clone(threads));
    }
    let threads = Arc::new(ThreadPoolBuilder::new().build().ok()?);
    let before = forked.replace((process, Arc::clone(&threads)));
    // Dropping the threads of the process before would wait for them.
    std::mem::forget(before);
    Some(threads)
}
