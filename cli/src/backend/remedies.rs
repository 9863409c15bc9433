//! What a command says where a fill fails: the library knows neither its words nor its flags.

use anyhow::anyhow;
use gpu_init::{Error, ErrorKind};

pub(crate) struct Remedies {
    /// After Ctrl-C: what is left, and what to do.
    pub(crate) interrupted: &'static str,
    /// Whether the elements that were done are counted.
    pub(crate) counted: bool,
    /// What needs less host memory.
    pub(crate) memory: &'static str,
}

impl Remedies {
    pub(crate) fn explain(&self, error: Error) -> anyhow::Error {
        let Remedies { interrupted, counted, memory } = self;
        match *error.kind() {
            // "After all of all elements" would say that they are there.
            ErrorKind::Interrupted { done, total, .. } if *counted && done < total => {
                anyhow!("interrupted after {done} of {total} elements; {interrupted}")
            }
            ErrorKind::Interrupted { .. } => anyhow!("interrupted; {interrupted}"),
            ErrorKind::HostOutOfMemory { bytes, .. } => {
                anyhow!("{bytes} bytes of host memory cannot be had; {memory}")
            }
            _ => error.into(),
        }
    }
}
