//! Stored tensors in large blocks, read by a thread of its own while the block before is worked on.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::{Context, anyhow};

use crate::checkpoint::format::dtypes::element_bytes;
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::Stored;

/// Bytes of a block. There are three at a time: one being read, one waiting, one being worked on.
const BLOCK: u64 = 16 << 20;
const WAITING: usize = 1;

/// Consecutive elements of some tensors of a file.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pieces: Vec<Piece>,
    bytes: Bytes,
}

/// Elements of one tensor.
#[derive(Debug)]
struct Piece {
    /// The tensor's number among those that are read.
    tensor: usize,
    /// The first byte in the tensor.
    start: u64,
    /// The bytes in the block, aligned for every type.
    range: Range<u64>,
    /// Bytes of `unit` elements.
    step: usize,
}

impl Block {
    /// Calls `visit` with the blocks of some tensors of a file, in order. A tensor's pieces start at
    /// multiples of `unit` elements.
    pub(crate) fn for_each(
        path: &Path,
        tensors: &[&Stored],
        unit: u64,
        mut visit: impl FnMut(&Block) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let file = input::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let (filled, blocks) = sync_channel(WAITING);
        let (spare, spares) = channel();
        thread::scope(|scope| {
            let read = move || read(&file, path, tensors, unit, &spares, &filled);
            let reader = thread::Builder::new()
                .spawn_scoped(scope, read)
                .context("cannot start the thread that reads; allow more threads (ulimit -u)")?;
            let visited = blocks.iter().try_for_each(|block: Block| {
                visit(&block)?;
                // A reader that is done needs no spare one.
                let _ = spare.send(block.bytes);
                Ok(())
            });
            // A reader that has more stops.
            drop(blocks);
            let read = reader.join().unwrap_or_else(|_| {
                Err(anyhow!("the thread that reads has panicked; please report this"))
            });
            visited.and(read)
        })
    }

    /// The bytes of each unit of each tensor: the tensor's number, the first byte in it, the bytes.
    pub(crate) fn units(&self) -> impl Iterator<Item = (usize, u64, &[u8])> {
        let bytes = self.bytes.as_slice();
        self.pieces.iter().flat_map(|Piece { tensor, start, range, step }| {
            let piece = &bytes[range.start as usize..range.end as usize];
            let starts = (*start..).step_by(*step);
            piece.chunks(*step).zip(starts).map(|(unit, start)| (*tensor, start, unit))
        })
    }

    /// The numbers of the tensors, in order, that have elements in the block.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().map(|piece| piece.tensor)
    }

    /// Bytes of all elements.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.iter().map(|Piece { range, .. }| range.end - range.start).sum()
    }
}

fn read(
    mut file: &File,
    path: &Path,
    tensors: &[&Stored],
    unit: u64,
    spares: &Receiver<Bytes>,
    filled: &SyncSender<Block>,
) -> anyhow::Result<()> {
    let (mut next, mut position) = ((0, 0), None);
    loop {
        let pieces = pieces(tensors, unit, &mut next);
        let Some(last) = pieces.last() else { return Ok(()) };
        let mut bytes = spares.try_recv().unwrap_or_default();
        let shown = || format!("cannot read {}", path.display());
        let out = bytes.resized(last.range.end).with_context(shown)?;
        for Piece { tensor, start, range, .. } in &pieces {
            let stored = tensors[*tensor];
            let shown = || format!("cannot read tensor {:?} of {}", stored.name, path.display());
            let from = stored.bytes.start + start;
            if position != Some(from) {
                file.seek(SeekFrom::Start(from)).with_context(shown)?;
            }
            let out = &mut out[range.start as usize..range.end as usize];
            std::io::Read::read_exact(&mut file, out).with_context(shown)?;
            position = Some(from + range.end - range.start);
        }
        if filled.send(Block { pieces, bytes }).is_err() {
            return Ok(());
        }
    }
}

/// The pieces of the block that starts with a byte of a tensor, `next`, which becomes the one after
/// the block; none after the last one.
fn pieces(tensors: &[&Stored], unit: u64, next: &mut (usize, u64)) -> Vec<Piece> {
    let (mut pieces, mut end) = (Vec::new(), 0u64);
    let (tensor, start) = next;
    while let Some(stored) = tensors.get(*tensor) {
        let step = unit * element_bytes(stored.dtype);
        let (rest, room) = (stored.size() - *start, BLOCK.saturating_sub(end));
        let len = if rest <= room { rest } else { room / step * step };
        if len > 0 {
            let (tensor, start, step) = (*tensor, *start, step as usize);
            pieces.push(Piece { tensor, start, range: end..end + len, step });
        }
        if len < rest {
            *start += len;
            break;
        }
        // Elements have 8 bytes at the most.
        end = (end + len).next_multiple_of(8);
        (*tensor, *start) = (*tensor + 1, 0);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use safetensors::Dtype;

    use super::*;

    const UNIT: u64 = 1 << 16;

    fn stored(name: &str, dtype: Dtype, bytes: Range<u64>) -> Stored {
        Stored { name: name.to_owned(), dtype, shape: Vec::new(), bytes }
    }

    /// Every byte once, in order, at units' boundaries, aligned, however sizes and blocks meet.
    #[test]
    fn blocks_have_all_bytes_of_all_tensors_in_order() {
        let sizes = [
            (Dtype::U8, 3),
            (Dtype::F64, 0),
            (Dtype::F32, 8),
            (Dtype::BF16, BLOCK - 16),
            (Dtype::F32, 2 * BLOCK + 4 * UNIT + 4),
            (Dtype::U8, 5),
            (Dtype::F64, BLOCK),
            (Dtype::BF16, 2),
        ];
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (mut tensors, mut all) = (Vec::new(), Vec::new());
        for (i, &(dtype, size)) in sizes.iter().enumerate() {
            all.extend([0xee; 7]); // Of no tensor that is read.
            let start = all.len() as u64;
            all.extend((0..size).map(|byte| (byte / 251 + byte + i as u64) as u8));
            tensors.push(stored(&i.to_string(), dtype, start..start + size));
        }
        file.write_all(&all).unwrap();
        let tensors: Vec<_> = tensors.iter().collect();
        let (mut seen, mut blocks) = (vec![Vec::new(); sizes.len()], 0);
        Block::for_each(file.path(), &tensors, UNIT, |block| {
            blocks += 1;
            let mut len = 0;
            for (tensor, start, bytes) in block.units() {
                let size = element_bytes(tensors[tensor].dtype);
                assert_eq!(seen[tensor].len() as u64, start);
                assert!(seen[tensor + 1..].iter().all(Vec::is_empty), "in order");
                assert_eq!((start % (UNIT * size), bytes.as_ptr().addr() as u64 % size), (0, 0));
                assert!(bytes.len() as u64 <= UNIT * size);
                seen[tensor].extend_from_slice(bytes);
                len += bytes.len() as u64;
            }
            assert_eq!((len, len <= BLOCK), (block.len(), true));
            Ok(())
        })
        .unwrap();
        for (seen, stored) in seen.iter().zip(&tensors) {
            let Range { start, end } = stored.bytes;
            assert!(*seen == all[start as usize..end as usize], "{}", stored.name);
        }
        assert!(blocks >= 5, "{blocks}");
    }

    #[test]
    fn a_visitor_and_a_reader_may_fail() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![0; 5 * BLOCK as usize]).unwrap();
        let good = stored("good", Dtype::F32, 0..5 * BLOCK);
        let bad = stored("bad", Dtype::F32, 5 * BLOCK..5 * BLOCK + 4);
        let visit = |tensors: &[&Stored], most: usize| {
            let mut seen = 0;
            Block::for_each(file.path(), tensors, UNIT, |_| {
                seen += 1;
                anyhow::ensure!(seen < most, "enough");
                Ok(())
            })
        };
        assert!(visit(&[&good], 9).is_ok());
        assert_eq!(visit(&[&good], 2).unwrap_err().to_string(), "enough");
        let error = visit(&[&good, &bad], 9).unwrap_err().to_string();
        assert!(error.contains("cannot read tensor \"bad\" of "), "{error}");
    }
}
