//! Writes chunk by chunk: one thread writes what the other reads back or computes.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};

use anyhow::{Context, anyhow, ensure};
use gpu_init::HostTensor;
use tempfile::TempPath;

use crate::checkpoint::format::dtypes;
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::write::encode::Header;
use crate::checkpoint::write::shard::{Member, Shard};

/// Bytes of a chunk. There are three at a time: one being computed, one waiting, one being written.
const CHUNK: u64 = 32 << 20;
const WAITING: usize = 1;

/// Elements to be written.
#[expect(clippy::large_enum_variant, reason = "there are three at a time")]
pub(crate) enum Chunk {
    Filled(HostTensor),
    /// In memory that is used again once it is written.
    Bytes(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Filled(tensor) => tensor.as_bytes(),
            Chunk::Bytes(bytes) => bytes.as_slice(),
        }
    }
}

/// Writes and syncs every shard under a temporary name.
pub(crate) fn stream(
    shards: &[Shard],
    headers: &[Header],
    produce: impl FnMut(usize, Range<u64>, Bytes) -> anyhow::Result<Chunk>,
    progress: impl FnMut(u64),
) -> anyhow::Result<Vec<TempPath>> {
    let (sender, receiver) = sync_channel(WAITING);
    let (spare, spares) = channel();
    thread::scope(|scope| {
        let write = move || {
            let shards = shards.iter().zip(headers);
            shards.map(|(shard, header)| write(shard, header, &receiver, &spare)).collect()
        };
        let writer = thread::Builder::new()
            .spawn_scoped(scope, write)
            .context("cannot start the thread that writes; allow more threads (ulimit -u)")?;
        let produced = send(shards, &sender, &spares, produce, progress);
        // No more chunks: a writer that waits for one stops.
        drop(sender);
        let written: anyhow::Result<Vec<TempPath>> = writer.join().unwrap_or_else(|_| {
            Err(anyhow!("the thread that writes has panicked; please report this"))
        });
        produced.and(written)
    })
}

/// Makes all chunks in order. A writer that takes no more has failed and will say why.
fn send(
    shards: &[Shard],
    sender: &SyncSender<Chunk>,
    spares: &Receiver<Bytes>,
    mut produce: impl FnMut(usize, Range<u64>, Bytes) -> anyhow::Result<Chunk>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<()> {
    for member in shards.iter().flat_map(|shard| &shard.tensors) {
        let Member { tensor, name, dtype, bytes, .. } = member;
        let size = dtypes::element_bytes(*dtype);
        let (elements, step) = (bytes / size, CHUNK / size);
        for start in (0..elements).step_by(step as usize) {
            let range = start..elements.min(start + step);
            let spare = spares.try_recv().unwrap_or_default();
            let chunk = produce(*tensor, range.clone(), spare)
                .with_context(|| format!("tensor {name:?}"))?;
            let len = chunk.bytes().len() as u64;
            let is_of_type = match &chunk {
                Chunk::Filled(tensor) => dtypes::stored(tensor.dtype()) == *dtype,
                Chunk::Bytes(_) => true,
            };
            ensure!(
                is_of_type && len == (range.end - start) * size,
                "tensor {name:?}: {len} bytes are not {range:?} of {dtype}; please report this"
            );
            if sender.send(chunk).is_err() {
                return Ok(());
            }
            progress(len);
        }
    }
    Ok(())
}

fn write(
    shard: &Shard,
    header: &Header,
    chunks: &Receiver<Chunk>,
    spare: &Sender<Bytes>,
) -> anyhow::Result<TempPath> {
    // Hundreds of shards must not be hundreds of open files.
    shard.destination.write_beside(|file| {
        let on_disk: &File = file.get_ref();
        file.write_all(&header.bytes)?;
        thread::scope(|scope| {
            let mut sync = (shard.bytes() >= SYNCED).then(|| Sync::start(scope, on_disk)).flatten();
            let mut left = shard.bytes();
            while left > 0 {
                let chunk = chunks.recv().context("there are no more tensors")?;
                file.write_all(chunk.bytes())?;
                left = left.saturating_sub(chunk.bytes().len() as u64);
                sync = sync.map(|sync| sync.ask()).transpose()?;
                if let Chunk::Bytes(bytes) = chunk {
                    // A producer that is done needs no spare ones.
                    let _ = spare.send(bytes);
                }
            }
            sync.map_or(Ok(()), Sync::end)
        })
    })
}

/// Bytes of a file from which on a thread has them written to the disk while others are computed.
const SYNCED: u64 = 256 << 20;

/// The thread that does that. Left to the end, the disk would be idle all the while: systems keep
/// gigabytes in memory before they write by themselves.
struct Sync<'scope> {
    ask: SyncSender<()>,
    thread: ScopedJoinHandle<'scope, io::Result<()>>,
}

impl<'scope> Sync<'scope> {
    /// None if there can be no more threads: then the end of the file's writing syncs it all.
    fn start<'env>(scope: &'scope Scope<'scope, 'env>, file: &'env File) -> Option<Self> {
        let (ask, asked) = sync_channel(1);
        let sync = move || asked.into_iter().try_for_each(|()| file.sync_data());
        let thread = thread::Builder::new().spawn_scoped(scope, sync).ok()?;
        Some(Sync { ask, thread })
    }

    /// Has all written so far go to the disk, soon.
    fn ask(self) -> anyhow::Result<Self> {
        match self.ask.try_send(()) {
            Err(TrySendError::Disconnected(())) => self.end().and(Err(anyhow!("it has stopped"))),
            _ => Ok(self),
        }
    }

    /// Waits until it is there. The system reports an error of the disk once, so it is passed on.
    fn end(self) -> anyhow::Result<()> {
        drop(self.ask);
        let synced = self.thread.join();
        Ok(synced
            .map_err(|_| anyhow!("the thread that syncs has panicked; please report this"))??)
    }
}
