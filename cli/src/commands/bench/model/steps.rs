//! One sample of every step and every limit.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use gpu_init::Fingerprint;

use crate::backend::device::Backend;
use crate::checkpoint::output::path::remove;
use crate::commands::bench::measure::Spread;
use crate::commands::bench::model::limits;
use crate::commands::model::{self, Outcome, Output, Work};
use crate::commands::verify;
use crate::terminal::signals;

/// A step of the work, or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One value to a plain vector, of which no page was touched before.
    PlainMemory,
    /// One value to the same memory again.
    Memory,
    /// One value to new tensors.
    NewMemory,
    Fill,
    Check,
    Disk,
    Save,
    Read,
    Verify,
}

pub(super) type Seconds = Vec<(Step, Spread)>;

pub(super) struct Steps<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) backend: &'a Backend,
    /// The file to save it as.
    pub(super) out: Option<&'a Path>,
    /// The model's, once it has been filled.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Steps<'_> {
    /// Runs each step once, in the same order every time.
    pub(super) fn run(&mut self) -> anyhow::Result<Vec<(Step, f64)>> {
        let Steps { work, backend, .. } = *self;
        let (plan, mut seconds) = (work.plan(), Vec::new());
        if backend.is_on_host() {
            let [new, again] = limits::plain_memory(plan.bytes())?;
            seconds.extend([(Step::PlainMemory, new), (Step::Memory, again)]);
        }
        seconds.push((Step::NewMemory, limits::new_memory(backend, plan.entries())?));
        let outcome = model::in_memory(work, backend)?;
        let (fill, check) = (outcome.fill_seconds, outcome.check_seconds);
        self.agree(outcome)?;
        seconds.extend([(Step::Fill, fill), (Step::Check, check)]);
        if let Some(out) = self.out {
            seconds.extend(self.saved(out)?);
        }
        Ok(seconds)
    }

    /// Saves the model and verifies it. The file is removed.
    fn saved(&mut self, out: &Path) -> anyhow::Result<[(Step, f64); 4]> {
        let Steps { work, backend, .. } = *self;
        let start = Instant::now();
        let planned = Output::plan(out, work)?.context("there is nothing to save")?;
        let planning = start.elapsed().as_secs_f64();
        let disk = limits::disk(out, work.bytes())?;
        // The file was not there before, and is this run's own from here on.
        signals::make(|| Ok(()), |()| out.to_owned())?;
        let saved = Saved(out);
        let start = Instant::now();
        let outcome = model::saved(work, backend, planned)?;
        let save = planning + start.elapsed().as_secs_f64();
        self.agree(outcome)?;
        let read = limits::read(out)?;
        let start = Instant::now();
        verify::agrees_with_itself(out)?;
        let verify = start.elapsed().as_secs_f64();
        drop(saved);
        Ok([(Step::Disk, disk), (Step::Save, save), (Step::Read, read), (Step::Verify, verify)])
    }

    /// Fails unless the model is what its rules say, and the same as before.
    fn agree(&mut self, outcome: Outcome) -> anyhow::Result<()> {
        let Outcome { fingerprint, disagreements, .. } = outcome;
        if !disagreements.is_empty() {
            bail!("{}; try --device cpu, and please report this", disagreements.join("; "));
        }
        match self.fingerprint.replace(fingerprint) {
            Some(other) if other != fingerprint => {
                bail!(
                    "bench: the model had the fingerprint {other}, and now {fingerprint}; please report this"
                )
            }
            _ => Ok(()),
        }
    }
}

/// A file that is removed on drop.
struct Saved<'a>(&'a Path);

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        let _ = remove(self.0);
    }
}
