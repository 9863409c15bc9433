//! Progress of a fill as Python hears it: signals, and the caller's function.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gpu_init::Error;
use pyo3::prelude::*;

use crate::error;

/// Python is asked this often at most: taking the interpreter's lock waits for other threads.
const INTERVAL: Duration = Duration::from_millis(50);

/// Hears of progress while the interpreter's lock is released.
pub(crate) struct Listener {
    progress: Option<Py<PyAny>>,
    heard: Instant,
    /// What a signal's handler or the caller's function raised.
    raised: Option<PyErr>,
}

impl Listener {
    pub(crate) fn new(progress: Option<Py<PyAny>>) -> Self {
        Listener { progress, heard: Instant::now(), raised: None }
    }

    /// Runs the handlers of signals, such as Ctrl-C, and calls the caller's function.
    pub(crate) fn hear(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if done < total && self.heard.elapsed() < INTERVAL {
            return ControlFlow::Continue(());
        }
        let heard = Python::attach(|py| {
            py.check_signals()?;
            self.progress.as_ref().map_or(Ok(()), |it| it.call1(py, (done, total)).map(drop))
        });
        self.heard = Instant::now();
        match heard {
            Ok(()) => ControlFlow::Continue(()),
            Err(raised) => {
                self.raised = Some(raised);
                ControlFlow::Break(())
            }
        }
    }

    /// The result of a call that `hear` followed: what was raised comes first.
    pub(crate) fn result<T>(self, result: Result<T, Error>) -> PyResult<T> {
        match self.raised {
            Some(raised) => Err(raised),
            None => result.map_err(error::of),
        }
    }
}
