//! How far long work is, told to whoever asked, who may end it.

use std::ops::ControlFlow;

use crate::{ErrorKind, Result};

/// Hears how many elements are done, of how many, and says whether to go on.
type Listener<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// Elements done of a call's.
pub(crate) struct Progress<'a> {
    listener: Option<&'a mut Listener<'a>>,
    done: u64,
    total: u64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(total: u64, listener: &'a mut Listener<'a>) -> Self {
        Progress { listener: Some(listener), done: 0, total }
    }

    /// Nobody listens.
    pub(crate) fn silent() -> Self {
        Progress { listener: None, done: 0, total: 0 }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.listener.is_none()
    }

    /// So many more elements are done.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if the listener broke off.
    pub(crate) fn add(&mut self, elements: u64) -> Result<(), ErrorKind> {
        self.done += elements;
        let Progress { done, total, .. } = *self;
        match self.listener.as_mut().map(|listener| listener(done, total)) {
            Some(ControlFlow::Break(())) => Err(ErrorKind::Interrupted { done, total }),
            _ => Ok(()),
        }
    }
}
