//! The elements of stored tensors, read piece by piece.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::Context;

use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::{Shard, Stored};

/// Bytes read at a time, as words.
const PIECE: u64 = 64 << 20;

/// Reads the tensors of one file.
#[derive(Debug)]
pub(crate) struct Pieces {
    path: PathBuf,
    file: File,
    words: Vec<u32>,
}

impl Pieces {
    pub(crate) fn open(shard: &Shard) -> anyhow::Result<Self> {
        let file = input::open(&shard.path)
            .with_context(|| format!("cannot open {}", shard.path.display()))?;
        Ok(Pieces { path: shard.path.clone(), file, words: Vec::new() })
    }

    /// Hands `visit` a tensor's bytes, whole elements at a time, aligned for any type of up to 4
    /// bytes, and where in the tensor they start.
    pub(crate) fn for_each(
        &mut self,
        stored: &Stored,
        mut visit: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Pieces { path, file, words } = self;
        let shown = || format!("cannot read tensor {:?} of {}", stored.name, path.display());
        file.seek(SeekFrom::Start(stored.bytes.start)).with_context(shown)?;
        for start in stored.bytes.clone().step_by(PIECE as usize) {
            let len = PIECE.min(stored.bytes.end - start);
            words.resize(len.div_ceil(4) as usize, 0);
            let piece = &mut bytemuck::cast_slice_mut(words)[..len as usize];
            file.read_exact(piece).with_context(shown)?;
            visit(start - stored.bytes.start, piece)?;
        }
        Ok(())
    }
}
