//! Many blocks of Philox4x32-10 side by side: the words of `philox4x32`, in the form that vector
//! instructions take.

use crate::stream::philox::{PHILOX_M0, PHILOX_M1, PHILOX_W0, PHILOX_W1, words};

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
        let ([index_low, index_high], [c2, c3]) = (words(index), stream.map(u64::from));
        let outputs = self.first.iter_mut().zip(&mut self.second);
        if index_low > u32::MAX - BLOCKS as u32 {
            // The high word is not the same for all.
            for ((first, second), index) in outputs.zip((0..).map(|n| index.wrapping_add(n))) {
                let block = philox4x32([index, index >> 32, c2, c3], key);
                [*first, *second] = pairs(block);
            }
            return;
        }
        for ((first, second), c0) in outputs.zip(u64::from(index_low)..) {
            let block = philox4x32([c0, index_high.into(), c2, c3], key);
            [*first, *second] = pairs(block);
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
fn philox4x32(counter: [u64; 4], key: [u32; 2]) -> [u64; 4] {
    let (mut c, mut k) = (counter, key);
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(PHILOX_W0), k[1].wrapping_add(PHILOX_W1)];
        }
        let p0 = u64::from(PHILOX_M0) * low(c[0]);
        let p1 = u64::from(PHILOX_M1) * low(c[2]);
        c = [p1 >> 32 ^ c[1] ^ u64::from(k[0]), p1, p0 >> 32 ^ c[3] ^ u64::from(k[1]), p0];
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::philox::Philox4x32;

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
