//! Progress reports of long work, which the caller may cancel.

use std::ops::ControlFlow;

use crate::{ErrorKind, Result};

/// Called with `done` and `total` elements; returns whether to go on.
type Listener<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// Counts the elements that a call has completed.
pub(crate) struct Progress<'a> {
    listener: Option<&'a mut Listener<'a>>,
    done: u64,
    total: u64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(total: u64, listener: &'a mut Listener<'a>) -> Self {
        Progress { listener: Some(listener), done: 0, total }
    }

    /// Without progress reports.
    pub(crate) fn silent() -> Self {
        Progress { listener: None, done: 0, total: 0 }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.listener.is_none()
    }

    /// Counts `elements` as complete.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if the listener cancels.
    pub(crate) fn add(&mut self, elements: u64) -> Result<(), ErrorKind> {
        self.done += elements;
        let Progress { done, total, .. } = *self;
        match self.listener.as_mut().map(|listener| listener(done, total)) {
            Some(ControlFlow::Break(())) => Err(ErrorKind::Interrupted { done, total }),
            _ => Ok(()),
        }
    }
}
