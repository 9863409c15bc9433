//! Bytes of a file, in memory that is aligned for elements of every type.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::checkpoint::read::input;

pub(crate) struct Bytes {
    words: Vec<u64>,
    len: usize,
}

impl Bytes {
    /// Reads a range of a file.
    pub(crate) fn read(path: &Path, range: Range<u64>) -> anyhow::Result<Self> {
        let len = (range.end - range.start) as usize;
        let mut words = vec![0u64; len.div_ceil(8)];
        let mut file = input::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytemuck::cast_slice_mut(&mut words)[..len])?;
        Ok(Bytes { words, len })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}
