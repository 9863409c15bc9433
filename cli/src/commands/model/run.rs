//! Fills a plan: all at once in device memory, or tensor by tensor on the way into files.

use std::ops::Range;
use std::time::Instant;

use anyhow::anyhow;
use gpu_init::{Fingerprint, PlanEntry, Stats, stream_of};

use crate::backend::device::{Backend, Filled};
use crate::backend::remedies::Remedies;
use crate::backend::units::{self, joined};
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::write::stream::Chunk;
use crate::commands::model::save::Output;
use crate::commands::model::work::Work;
use crate::terminal::progress::{bar, go_on, listener, not_interrupted};

/// In the words of someone who saves a model or prints its fingerprint.
const REMEDIES: Remedies = Remedies {
    interrupted: "what was not saved as a whole is not kept",
    counted: false,
    memory: "--out streams tensor by tensor, and a smaller dtype or several processes need less",
};

/// Tensors examined together, between two steps of the progress bar.
const TOGETHER: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) fingerprint: Fingerprint,
    /// The statistics of all elements, if they were checked.
    pub(super) stats: Option<Stats>,
    /// Tensors that disagree with their rule, and how; if they were checked.
    pub(crate) disagreements: Vec<String>,
    pub(crate) fill_seconds: f64,
    /// The time for fingerprints and statistics; not counted separately where files are written.
    pub(crate) check_seconds: f64,
}

impl Outcome {
    fn add(&mut self, entry: &PlanEntry, fingerprint: Fingerprint, stats: Option<Stats>) {
        self.fingerprint += fingerprint.in_model(stream_of(&entry.name));
        if let Some(part) = stats {
            let disagreement = part.disagreement(&entry.fill);
            self.disagreements
                .extend(disagreement.map(|reason| format!("{}: {reason}", entry.name)));
            self.stats = joined(self.stats, stats);
        }
    }
}

/// Fills every tensor in memory of its own, where all stay until the end.
pub(crate) fn in_memory(work: &Work, backend: &Backend) -> anyhow::Result<Outcome> {
    let (entries, mut outcome) = (work.plan().entries(), Outcome::default());
    let parameters: Vec<_> = entries.iter().map(|entry| entry.spec.clone()).collect();
    let progress = bar("filling", work.plan().bytes());
    let start = Instant::now();
    let tensors = backend
        .fill_all(&parameters, &mut listener(&progress, work.plan().bytes()))
        .map_err(|error| REMEDIES.explain(error))?;
    outcome.fill_seconds = start.elapsed().as_secs_f64();
    progress.reset();
    progress.set_message("checking");
    let start = Instant::now();
    for (entries, tensors) in entries.chunks(TOGETHER).zip(tensors.chunks(TOGETHER)) {
        not_interrupted(REMEDIES.interrupted)?;
        for (entry, (fingerprint, stats)) in
            entries.iter().zip(backend.examine(tensors, work.args.verify)?)
        {
            outcome.add(entry, fingerprint, stats);
            progress.inc(entry.fill.bytes());
        }
    }
    for kept in work.kept() {
        not_interrupted(REMEDIES.interrupted)?;
        outcome.fingerprint += kept.whole_fingerprint()?;
    }
    outcome.check_seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    Ok(outcome)
}

/// Fills one tensor at a time, in memory only until it is written. If a tensor disagrees with its
/// rule, no file gets its final name.
pub(crate) fn saved(work: &Work, backend: &Backend, output: Output) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let entries = work.plan().entries();
    let progress = bar("saving", work.bytes());
    let start = Instant::now();
    let mut current: Option<Current> = None;
    let produce = |tensor: usize, range: Range<u64>, bytes: Bytes| -> anyhow::Result<Chunk> {
        not_interrupted(REMEDIES.interrupted)?;
        let Some(entry) = entries.get(tensor) else {
            let kept = &work.kept()[tensor - entries.len()];
            let bytes = kept.read(range.clone(), bytes)?;
            outcome.fingerprint += kept.fingerprint(range, bytes.as_slice())?;
            return Ok(Chunk::Bytes(bytes));
        };
        let whole = current.take().filter(|current| current.tensor == tensor);
        let mut whole = whole.map_or_else(|| Current::new(tensor, entry, backend), Ok)?;
        let chunk = match whole.filled.take() {
            Some(filled) => whole.read(filled, backend, range.clone(), work.args.verify)?,
            None => whole.make(entry, bytes, range.clone(), work.args.verify)?,
        };
        if range.end == entry.fill.len {
            outcome.add(entry, whole.fingerprint, whole.stats);
        } else {
            current = Some(whole);
        }
        Ok(chunk)
    };
    let written = output.write(work, produce, |bytes| progress.inc(bytes))?;
    progress.finish_and_clear();
    outcome.fill_seconds = start.elapsed().as_secs_f64();
    if outcome.disagreements.is_empty() {
        written.commit(work, outcome.fingerprint)?;
    }
    Ok(outcome)
}

struct Current {
    tensor: usize,
    /// The whole tensor, unless it is made chunk by chunk.
    filled: Option<Filled>,
    fingerprint: Fingerprint,
    stats: Option<Stats>,
}

impl Current {
    fn new(tensor: usize, entry: &PlanEntry, backend: &Backend) -> anyhow::Result<Self> {
        let whole = backend.fills_whole(&entry.fill);
        let fill = || backend.fill(&entry.spec, &mut |_, _| go_on(), &REMEDIES);
        let filled = whole.then(fill).transpose()?;
        Ok(Current { tensor, filled, fingerprint: Fingerprint::default(), stats: None })
    }

    /// Reads a range of the whole tensor, which is examined before its first one.
    fn read(
        &mut self,
        filled: Filled,
        backend: &Backend,
        range: Range<u64>,
        verify: bool,
    ) -> anyhow::Result<Chunk> {
        if range.start == 0 {
            (self.fingerprint, self.stats) = backend.examine_one(&filled, verify)?;
        }
        let chunk = filled.read(range)?;
        self.filled = Some(filled);
        Ok(Chunk::Filled(chunk))
    }

    /// Makes a range of elements and adds them to fingerprint and statistics.
    fn make(
        &mut self,
        entry: &PlanEntry,
        mut bytes: Bytes,
        range: Range<u64>,
        verify: bool,
    ) -> anyhow::Result<Chunk> {
        let out = bytes.resized((range.end - range.start) * entry.fill.dtype.size());
        let out = out.map_err(|error| anyhow!("{error}; {}", REMEDIES.memory))?;
        let made = units::make(&entry.spec, range, out, verify);
        let (fingerprint, stats) = made.map_err(|error| REMEDIES.explain(error))?;
        self.fingerprint += fingerprint;
        self.stats = joined(self.stats, stats);
        Ok(Chunk::Bytes(bytes))
    }
}
