//! Bytes of a file, in memory that is aligned for elements of every type.

use std::io::{self, Read};

#[derive(Debug, Default)]
pub(crate) struct Bytes {
    words: Vec<u64>,
    len: usize,
}

impl Bytes {
    /// Reads the next `len` bytes, in place of those that are there.
    pub(crate) fn read(&mut self, from: &mut impl Read, len: u64) -> io::Result<&[u8]> {
        from.read_exact(self.resized(len))?;
        Ok(self.as_slice())
    }

    /// `len` bytes to write, of any values. Memory that is there is used again: new pages cost as
    /// much as what is written to them.
    pub(crate) fn resized(&mut self, len: u64) -> &mut [u8] {
        self.len = len as usize;
        if self.words.len() * 8 < self.len {
            self.words.resize(self.len.div_ceil(8), 0);
        }
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}
