//! The elements of stored tensors, read piece by piece.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Context;
use gpu_init::half::{bf16, f16};
use gpu_init::{DType, Element, Fingerprint, Stats};

use super::dtypes;
use super::shard::{Shard, Stored};

/// Bytes read at a time, as words.
const PIECE: u64 = 64 << 20;

/// Reads the tensors of one file.
#[derive(Debug)]
pub(crate) struct Pieces {
    path: PathBuf,
    file: File,
    words: Vec<u32>,
}

/// What the elements of a tensor say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) stats: Stats,
}

impl Pieces {
    pub(crate) fn open(shard: &Shard) -> anyhow::Result<Self> {
        let file = File::open(&shard.path).with_context(|| format!("cannot open {}", shard.path.display()))?;
        Ok(Pieces { path: shard.path.clone(), file, words: Vec::new() })
    }

    /// Fingerprint and statistics of a tensor, or `None` if its type is none that can be filled. `progress` is told
    /// the bytes of each piece.
    pub(crate) fn measure(&mut self, stored: &Stored, progress: impl FnMut(u64)) -> anyhow::Result<Option<Measured>> {
        let measured = match dtypes::fillable(stored.dtype) {
            Some(DType::F32) => self.measure_as::<f32>(&stored.bytes, progress),
            Some(DType::F16) => self.measure_as::<f16>(&stored.bytes, progress),
            Some(DType::BF16) => self.measure_as::<bf16>(&stored.bytes, progress),
            None => return Ok(None),
        };
        measured.map(Some).with_context(|| format!("cannot read tensor {:?} of {}", stored.name, self.path.display()))
    }

    fn measure_as<T: Element>(
        &mut self,
        bytes: &Range<u64>,
        mut progress: impl FnMut(u64),
    ) -> anyhow::Result<Measured> {
        let mut measured = Measured { fingerprint: Fingerprint::default(), stats: Stats::of::<T>(&[]) };
        self.file.seek(SeekFrom::Start(bytes.start))?;
        for start in bytes.clone().step_by(PIECE as usize) {
            let len = PIECE.min(bytes.end - start);
            self.words.resize(len.div_ceil(4) as usize, 0);
            self.file.read_exact(&mut bytemuck::cast_slice_mut(&mut self.words)[..len as usize])?;
            let elements: &[T] = &bytemuck::cast_slice(&self.words)[..len as usize / size_of::<T>()];
            let first = (start - bytes.start) / size_of::<T>() as u64;
            measured.fingerprint += Fingerprint::of(first, elements);
            measured.stats = measured.stats.join(&Stats::of(elements));
            progress(len);
        }
        Ok(measured)
    }
}
