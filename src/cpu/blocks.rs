//! Many blocks of Philox4x32-10 side by side: the words of `philox4x32`, in the form that vector
//! instructions take.

use crate::stream::philox::{PHILOX_M0, PHILOX_M1, PHILOX_W0, PHILOX_W1};

/// Blocks side by side: enough that no loop over them has odd ends, few enough that all
/// intermediate values stay in the L1 cache.
pub(super) const BLOCKS: usize = 64;
/// Pairs of words of as many blocks.
pub(super) const PAIRS: usize = 2 * BLOCKS;

/// The words of `BLOCKS` blocks as pairs: pair 2n has the first two words of block n, pair 2n + 1
/// the others.
pub(super) struct Blocks {
    first: [u64; BLOCKS],
    second: [u64; BLOCKS],
}

impl Blocks {
    pub(super) fn zeroed() -> Self {
        Blocks { first: [0; BLOCKS], second: [0; BLOCKS] }
    }

    /// Makes them the blocks from `index` on.
    #[inline(always)]
    pub(super) fn compute(&mut self, index: u64, stream: [u32; 2], key: [u32; 2]) {
        let [c2, c3] = stream.map(u64::from);
        let counter = |n: u64| {
            let index = index.wrapping_add(n);
            [index, index >> 32, c2, c3]
        };
        let (firsts, later_firsts) = self.first.split_at_mut(BLOCKS / 2);
        let (seconds, later_seconds) = self.second.split_at_mut(BLOCKS / 2);
        let outputs = firsts.iter_mut().zip(seconds);
        let later_outputs = later_firsts.iter_mut().zip(later_seconds);
        for (((first, second), (later_first, later_second)), n) in
            outputs.zip(later_outputs).zip(0..)
        {
            // Two at a time: a round waits for the one before, and the processor does not look far
            // enough ahead to find other work by itself.
            let [block, later] = philox4x32([counter(n), counter(n + BLOCKS as u64 / 2)], key);
            [*first, *second] = pairs(block);
            [*later_first, *later_second] = pairs(later);
        }
    }

    /// The first words of the pairs, to be read by [`word`].
    #[inline(always)]
    pub(super) fn first(&self) -> &[u32; PAIRS] {
        bytemuck::cast_ref(&self.first)
    }

    /// The second ones.
    #[inline(always)]
    pub(super) fn second(&self) -> &[u32; PAIRS] {
        bytemuck::cast_ref(&self.second)
    }
}

/// A stored word in the machine's order; words are stored low half first.
#[inline(always)]
pub(super) fn word(stored: u32) -> u32 {
    u32::from_le(stored)
}

#[inline(always)]
fn low(word: u64) -> u64 {
    word & 0xffff_ffff
}

#[inline(always)]
fn pairs(block: [u64; 4]) -> [u64; 2] {
    let [c0, c1, c2, c3] = block;
    [(low(c0) | c2 << 32).to_le(), (low(c1) | c3 << 32).to_le()]
}

/// `philox4x32` with each word in the low half of 64 bits, whatever the high half holds: a product
/// is where it is needed, and only its own high half has to be moved.
#[inline(always)]
fn philox4x32<const N: usize>(counters: [[u64; 4]; N], key: [u32; 2]) -> [[u64; 4]; N] {
    let (mut counters, mut k) = (counters, key);
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(PHILOX_W0), k[1].wrapping_add(PHILOX_W1)];
        }
        for c in &mut counters {
            let p0 = u64::from(PHILOX_M0) * low(c[0]);
            let p1 = u64::from(PHILOX_M1) * low(c[2]);
            *c = [p1 >> 32 ^ c[1] ^ u64::from(k[0]), p1, p0 >> 32 ^ c[3] ^ u64::from(k[1]), p0];
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::philox::{Philox4x32, words};

    #[test]
    fn words_are_those_of_the_scalar_generator() {
        let generator = Philox4x32::new(0x7654_3210_fedc_ba98, 0x9abc_def0_1234_5678);
        for index in [0, 1, (1 << 32) - 5, u64::MAX - 7] {
            let mut blocks = Blocks::zeroed();
            blocks.compute(index, words(generator.stream), words(generator.seed));
            for n in 0..BLOCKS {
                let expected = generator.block(index.wrapping_add(n as u64));
                let pair = |i: usize| [word(blocks.first()[i]), word(blocks.second()[i])];
                assert_eq!(
                    [pair(2 * n), pair(2 * n + 1)].as_flattened(),
                    expected,
                    "block {n} from {index}"
                );
            }
        }
    }
}
