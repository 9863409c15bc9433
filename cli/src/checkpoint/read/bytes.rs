//! Bytes of a file, in memory that is aligned for elements of every type.

use std::io::{self, Read};

/// Bytes that are left for the small allocations of all threads, whose lack is an abort.
const SPARE: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Bytes {
    words: Vec<u64>,
    len: usize,
}

impl Bytes {
    /// Reads the next `len` bytes, in place of those that are there.
    pub(crate) fn read(&mut self, from: &mut impl Read, len: u64) -> io::Result<&[u8]> {
        from.read_exact(self.resized(len)?)?;
        Ok(self.as_slice())
    }

    /// `len` bytes to write, of any values, or an error instead of an abort. Memory that is there is
    /// used again: new pages cost as much as what is written to them.
    pub(crate) fn resized(&mut self, len: u64) -> io::Result<&mut [u8]> {
        let refused = || {
            let text = format!("{len} bytes of host memory cannot be had");
            io::Error::new(io::ErrorKind::OutOfMemory, text)
        };
        let words = len.div_ceil(8) as usize;
        if self.words.len() < words {
            // Not to keep what is there.
            self.words = Vec::new();
            let mut spare = Vec::<u8>::new();
            let all = bytemuck::allocation::try_zeroed_vec(words);
            let all = all.ok().filter(|_| spare.try_reserve_exact(SPARE).is_ok());
            // Or the compiler leaves out an allocation that nothing uses.
            std::hint::black_box(&spare);
            self.words = all.ok_or_else(refused)?;
        }
        self.len = len as usize;
        Ok(&mut bytemuck::cast_slice_mut(&mut self.words)[..self.len])
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}
