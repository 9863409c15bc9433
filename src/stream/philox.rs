//! Philox4x32-10 (Salmon et al. 2011, Random123). Mirrored by `shaders/lib/philox.wgsl`.

use std::convert::Infallible;

use rand::{SeedableRng, TryRng};

pub(crate) const PHILOX_M0: u32 = 0xd2511f53;
pub(crate) const PHILOX_M1: u32 = 0xcd9e8d57;
pub(crate) const PHILOX_W0: u32 = 0x9e3779b9;
pub(crate) const PHILOX_W1: u32 = 0xbb67ae85;

/// The 64-bit product of two words, as (low, high).
#[inline(always)]
fn mul_wide(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    (product as u32, (product >> 32) as u32)
}

#[inline(always)]
fn philox4x32_round(c: [u32; 4], k: [u32; 2]) -> [u32; 4] {
    let p0 = mul_wide(PHILOX_M0, c[0]);
    let p1 = mul_wide(PHILOX_M1, c[2]);
    [p1.1 ^ c[1] ^ k[0], p1.0, p0.1 ^ c[3] ^ k[1], p0.0]
}

#[inline(always)]
pub(crate) fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    let mut k = key;
    for _ in 0..9 {
        c = philox4x32_round(c, k);
        k = [k[0].wrapping_add(PHILOX_W0), k[1].wrapping_add(PHILOX_W1)];
    }
    philox4x32_round(c, k)
}

/// The keys of the ten rounds, two in each entry: the shader's `keys`.
#[cfg(feature = "gpu")]
pub(crate) fn round_keys(seed: u64) -> [[u32; 4]; 5] {
    let [low, high] = words(seed);
    let key = |word: u32, step: u32, round: u32| word.wrapping_add(step.wrapping_mul(round));
    std::array::from_fn(|i| {
        let first = 2 * i as u32;
        let pair = |round| [key(low, PHILOX_W0, round), key(high, PHILOX_W1, round)];
        let ([a, b], [c, d]) = (pair(first), pair(first + 1));
        [a, b, c, d]
    })
}

/// A 64-bit integer as words, low first.
#[inline(always)]
pub(crate) const fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// The generator behind every tensor: a stream of 2^66 words that can be entered anywhere.
///
/// Word `i` is word `i mod 4` of the Philox4x32-10 block with counter (`i / 4`, `stream`) under the
/// key `seed`, 64-bit values low word first. It implements rand's [`TryRng`](rand::TryRng), and so
/// [`rand::Rng`], so rand and rand_distr draw from the stream that the tensors are made of.
///
/// ```
/// use gpu_init::Philox4x32;
/// use gpu_init::rand::Rng;
///
/// let mut words = Philox4x32::new(0, 0);
/// assert_eq!(words.block(0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]); // Random123's first known answer
/// assert_eq!(words.next_u32(), 0x6627e8d5);
/// words.seek(u128::from(u64::MAX));
/// assert_eq!(words.position(), u128::from(u64::MAX));
/// ```
#[derive(Debug, Clone)]
pub struct Philox4x32 {
    pub(crate) seed: u64,
    pub(crate) stream: u64,
    /// Index of the first of the blocks that hold the next word.
    index: u64,
    /// The next word's number in them.
    word: usize,
    /// The blocks, unless that word is their first one: several at a time, as one by itself is
    /// mostly waiting.
    blocks: [[u32; 4]; BLOCKS],
}

const BLOCKS: usize = 4;

impl Philox4x32 {
    /// Words of a stream, after which it repeats: 2^66.
    pub const PERIOD: u128 = 1 << 66;

    /// The generator at word 0 of a stream.
    pub fn new(seed: u64, stream: u64) -> Self {
        Philox4x32 { seed, stream, index: 0, word: 0, blocks: [[0; 4]; BLOCKS] }
    }

    /// One block by its index, whatever the position.
    #[inline(always)]
    pub fn block(&self, index: u64) -> [u32; 4] {
        let (block, stream) = (words(index), words(self.stream));
        philox4x32([block[0], block[1], stream[0], stream[1]], words(self.seed))
    }

    /// Index of the next word.
    pub fn position(&self) -> u128 {
        (u128::from(self.index) * 4 + self.word as u128) % Self::PERIOD
    }

    /// Makes `position` (mod [`PERIOD`](Self::PERIOD)) the index of the next word.
    pub fn seek(&mut self, position: u128) {
        (self.index, self.word) = ((position / 4) as u64, (position % 4) as usize);
        self.compute();
    }

    fn compute(&mut self) {
        self.blocks = std::array::from_fn(|n| self.block(self.index.wrapping_add(n as u64)));
    }

    #[inline]
    fn next_word(&mut self) -> u32 {
        if self.word == 0 {
            self.compute();
        }
        let word = self.blocks.as_flattened()[self.word];
        self.word += 1;
        if self.word == 4 * BLOCKS {
            (self.index, self.word) = (self.index.wrapping_add(BLOCKS as u64), 0);
        }
        word
    }
}

/// Generators are equal if they give the same words from here on.
impl PartialEq for Philox4x32 {
    fn eq(&self, other: &Self) -> bool {
        (self.seed, self.stream, self.position()) == (other.seed, other.stream, other.position())
    }
}

impl Eq for Philox4x32 {}

impl TryRng for Philox4x32 {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    /// Two words, the first one low.
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = self.next_word();
        Ok(u64::from(self.next_word()) << 32 | u64::from(low))
    }

    /// Words in little-endian order. A last part of a word uses a whole one.
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(4) {
            part.copy_from_slice(&self.next_word().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// The seed's 8 bytes, little-endian; the stream is 0.
///
/// ```
/// use gpu_init::Philox4x32;
/// use gpu_init::rand::SeedableRng;
///
/// assert_eq!(Philox4x32::from_seed(42u64.to_le_bytes()), Philox4x32::new(42, 0));
/// ```
impl SeedableRng for Philox4x32 {
    type Seed = [u8; 8];

    fn from_seed(seed: [u8; 8]) -> Self {
        Philox4x32::new(u64::from_le_bytes(seed), 0)
    }

    /// The seed itself, so that numbers mean the same here as for tensors.
    fn seed_from_u64(seed: u64) -> Self {
        Philox4x32::new(seed, 0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::Rng;

    use super::*;

    /// Rows of the table for a generator: its name's words, split into counter, key and output.
    pub(crate) fn known_answers(generator: &str) -> Vec<Vec<u32>> {
        let rows: Vec<_> = include_str!("../../tests/known_answers.txt")
            .lines()
            .filter_map(|line| line.strip_prefix(generator))
            .map(|row| {
                row.split_whitespace().map(|word| u32::from_str_radix(word, 16).unwrap()).collect()
            })
            .collect();
        assert_eq!(rows.len(), 3);
        rows
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn round_keys_are_those_of_the_rounds() {
        for seed in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let (counter, keys) = ([1, 2, 3, 4], round_keys(seed));
            let rounds = keys
                .as_flattened()
                .chunks(2)
                .fold(counter, |c, k| philox4x32_round(c, [k[0], k[1]]));
            assert_eq!(rounds, philox4x32(counter, words(seed)));
        }
    }

    #[test]
    fn known_answers_4x32() {
        for row in known_answers("philox4x32") {
            let (counter, key) = (row[..4].try_into().unwrap(), row[4..6].try_into().unwrap());
            assert_eq!(philox4x32(counter, key), row[6..]);
            let [seed, stream, block] = [[row[4], row[5]], [row[2], row[3]], [row[0], row[1]]]
                .map(|[low, high]| u64::from(high) << 32 | u64::from(low));
            assert_eq!(Philox4x32::new(seed, stream).block(block), row[6..]);
        }
    }

    #[test]
    fn seeking_enters_the_stream_anywhere() {
        let mut whole = Philox4x32::new(3, 5);
        let words: Vec<u32> = (0..40).map(|_| whole.next_u32()).collect();
        for start in 0..40 {
            let mut part = Philox4x32::new(3, 5);
            part.seek(start as u128);
            assert_eq!(part.position(), start as u128);
            assert!(words[start..].iter().all(|&word| part.next_u32() == word), "from {start}");
        }
        let mut end = Philox4x32::new(3, 5);
        end.seek(Philox4x32::PERIOD - 1);
        end.next_u32();
        assert_eq!(end, Philox4x32::new(3, 5), "the stream starts again after 2^66 words");
    }

    #[test]
    fn wider_draws_are_words_in_order() {
        let words: [u32; 4] = Philox4x32::new(1, 2).block(0);
        let mut rng = Philox4x32::new(1, 2);
        assert_eq!(rng.next_u64(), u64::from(words[1]) << 32 | u64::from(words[0]));
        let mut bytes = [0; 7];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes[..4], words[2].to_le_bytes());
        assert_eq!(bytes[4..], words[3].to_le_bytes()[..3]);
        assert_eq!(rng.position(), 4);
    }
}
