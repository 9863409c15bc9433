//! The elements of stored tensors, read chunk by chunk.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::Stored;

/// Bytes read at a time.
const CHUNK: u64 = 64 << 20;

#[derive(Debug)]
pub(crate) struct Chunks {
    path: PathBuf,
    file: File,
    bytes: Bytes,
}

impl Chunks {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = input::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Chunks { path: path.to_owned(), file, bytes: Bytes::default() })
    }

    /// Calls `visit` with each chunk of a tensor: its first byte in the tensor, and its bytes,
    /// which are whole elements, aligned for their type.
    pub(crate) fn for_each(
        &mut self,
        stored: &Stored,
        mut visit: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Chunks { path, file, bytes } = self;
        let shown = || format!("cannot read tensor {:?} of {}", stored.name, path.display());
        file.seek(SeekFrom::Start(stored.bytes.start)).with_context(shown)?;
        for start in stored.bytes.clone().step_by(CHUNK as usize) {
            let len = CHUNK.min(stored.bytes.end - start);
            let chunk = bytes.read(file, len).with_context(shown)?;
            visit(start - stored.bytes.start, chunk)?;
        }
        Ok(())
    }
}
