//! The elements of stored tensors, read chunk by chunk.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::Context;

use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::{Shard, Stored};

/// Bytes read at a time, as words.
const CHUNK: u64 = 64 << 20;

#[derive(Debug)]
pub(crate) struct Chunks {
    path: PathBuf,
    file: File,
    words: Vec<u32>,
}

impl Chunks {
    pub(crate) fn open(shard: &Shard) -> anyhow::Result<Self> {
        let file = input::open(&shard.path)
            .with_context(|| format!("cannot open {}", shard.path.display()))?;
        Ok(Chunks { path: shard.path.clone(), file, words: Vec::new() })
    }

    /// Calls `visit` with each chunk of a tensor: its first byte in the tensor, and its bytes,
    /// which are whole elements aligned for any type of up to 4 bytes.
    pub(crate) fn for_each(
        &mut self,
        stored: &Stored,
        mut visit: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Chunks { path, file, words } = self;
        let shown = || format!("cannot read tensor {:?} of {}", stored.name, path.display());
        file.seek(SeekFrom::Start(stored.bytes.start)).with_context(shown)?;
        for start in stored.bytes.clone().step_by(CHUNK as usize) {
            let len = CHUNK.min(stored.bytes.end - start);
            words.resize(len.div_ceil(4) as usize, 0);
            let chunk = &mut bytemuck::cast_slice_mut(words)[..len as usize];
            file.read_exact(chunk).with_context(shown)?;
            visit(start - stored.bytes.start, chunk)?;
        }
        Ok(())
    }
}
