//! Streams that take turns.

use anyhow::Result;

use super::numbers::{Numbers, Source};

/// Numbers that are computed before they are put in the order of the turns.
const BUFFER: usize = 1 << 22;

#[derive(Debug)]
pub(super) struct Turns {
    pub(super) sources: Vec<Source>,
    /// The numbers that a stream gives in its turn.
    pub(super) turn: usize,
    pub(super) numbers: Numbers,
}

impl Turns {
    /// Gives the first `count` numbers, a buffer at a time: from element `offset` of every stream,
    /// which together must have as many.
    pub(super) fn give(
        &self,
        offset: u128,
        count: u128,
        give: &mut dyn FnMut(&[u32]) -> Result<()>,
    ) -> Result<()> {
        let round = self.sources.len() * self.turn;
        let (mut computed, mut ordered) = (Vec::new(), Vec::new());
        let (mut first, mut left) = (offset, count);
        while left > 0 {
            let rounds = ((BUFFER / round) as u128).clamp(1, left.div_ceil(round as u128));
            // The last turn of a stream that ends may be a shorter one.
            let each = (rounds * self.turn as u128).min(self.numbers.length() - first) as usize;
            for sources in self.sources.chunks((BUFFER / each).max(1)) {
                computed.resize(sources.len() * each, 0);
                for (source, numbers) in sources.iter().zip(computed.chunks_mut(each)) {
                    self.numbers.fill(*source, first, numbers)?;
                }
                self.order(&computed, each, &mut ordered);
                ordered.truncate(left.min(ordered.len() as u128) as usize);
                give(&ordered)?;
                left -= ordered.len() as u128;
            }
            first += each as u128;
        }
        Ok(())
    }

    /// Puts rows of `each` numbers, a stream's each, in the order of the turns.
    fn order(&self, rows: &[u32], each: usize, ordered: &mut Vec<u32>) {
        ordered.clear();
        if rows.len() == each {
            return ordered.extend_from_slice(rows);
        }
        for start in (0..each).step_by(self.turn) {
            let end = (start + self.turn).min(each);
            rows.chunks(each).for_each(|row| ordered.extend_from_slice(&row[start..end]));
        }
    }
}
