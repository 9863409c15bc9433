//! The least that a step can take: one value in all elements, and as many bytes to a disk and back.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use gpu_init::{Cpu, DType, Initializer, PlanEntry, TensorSpec};
use indicatif::ProgressBar;

use crate::backend::device::Backend;
use crate::checkpoint::output::claim;
use crate::checkpoint::read::bytes::Bytes;
use crate::terminal::progress::{bar, go_on, listener, not_interrupted};

/// Bytes written or read at a time.
const CHUNK: u64 = 32 << 20;

/// Writes one value to new memory of the model's tensors.
pub(super) fn new_memory(backend: &Backend, entries: &[PlanEntry]) -> anyhow::Result<f64> {
    let one_value = |entry: &PlanEntry| {
        let (len, dtype) = (entry.fill.len as usize, entry.fill.dtype);
        TensorSpec::new([len], Initializer::ones()).dtype(dtype).stream(0)
    };
    let specs: Vec<_> = entries.iter().map(one_value).collect();
    let bytes = entries.iter().map(|entry| entry.fill.bytes()).sum();
    let progress = bar("touching", bytes);
    let start = Instant::now();
    let tensors = backend.fill_all(&specs, &mut listener(&progress, bytes))?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    drop(tensors);
    Ok(seconds)
}

/// Writes one value to a plain vector of as many bytes, and once more to the same memory.
pub(super) fn plain_memory(bytes: u64) -> anyhow::Result<[f64; 2]> {
    let words = usize::try_from(bytes.div_ceil(8)).ok();
    let words = words.and_then(|words| bytemuck::allocation::try_zeroed_vec::<u64>(words).ok());
    let mut words = words.with_context(|| format!("bench: no memory for {bytes} bytes"))?;
    let out: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    let spec = TensorSpec::new([out.len() / 4], Initializer::ones()).dtype(DType::F32).stream(0);
    let mut write = || {
        let progress = bar("writing", bytes);
        let start = Instant::now();
        Cpu::new().fill_bytes(&spec, out, &mut listener(&progress, bytes))?;
        let seconds = start.elapsed().as_secs_f64();
        progress.finish_and_clear();
        anyhow::Ok(seconds)
    };
    Ok([write()?, write()?])
}

/// Writes as many bytes in the folder of `path` and waits until they are on the disk.
pub(super) fn disk(path: &Path, bytes: u64) -> anyhow::Result<f64> {
    let mut chunk = Bytes::default();
    // No file system can make these smaller.
    let spec = TensorSpec::new([CHUNK as usize / 4], Initializer::normal(0.0, 1.0));
    let spec = spec.dtype(DType::F32).stream(0);
    Cpu::new().fill_bytes(&spec, chunk.resized(CHUNK)?, &mut |_, _| go_on())?;
    let progress = bar("disk", bytes);
    let mut file = claim::temporary(path, None)?;
    let start = Instant::now();
    let mut write = || {
        for_chunks(bytes, &progress, |len| Ok(file.write_all(&chunk.as_slice()[..len])?))?;
        anyhow::Ok(file.as_file().sync_all()?)
    };
    write().with_context(|| format!("cannot write beside {}", path.display()))?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    Ok(seconds)
}

/// Reads a file, of which the system may have the bytes in memory.
pub(super) fn read(path: &Path) -> anyhow::Result<f64> {
    let (mut chunk, start) = (Bytes::default(), Instant::now());
    let mut read = || {
        let mut file = fs::File::open(path)?;
        let bytes = file.metadata()?.len();
        let progress = bar("reading", bytes);
        for_chunks(bytes, &progress, |len| Ok(file.read_exact(chunk.resized(len as u64)?)?))?;
        progress.finish_and_clear();
        anyhow::Ok(start.elapsed().as_secs_f64())
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

fn for_chunks(
    bytes: u64,
    progress: &ProgressBar,
    mut work: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for start in (0..bytes).step_by(CHUNK as usize) {
        not_interrupted("nothing is reported")?;
        let len = CHUNK.min(bytes - start);
        work(len as usize)?;
        progress.inc(len);
    }
    Ok(())
}
