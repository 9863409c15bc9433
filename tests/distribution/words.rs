//! The random words: uniform, within a stream and across tensors, and each bit a function of all
//! input bits.

use gpu_init::Philox4x32;
use gpu_init::rand::rngs::Xoshiro256PlusPlus;
use gpu_init::rand::{Rng, SeedableRng};

use crate::common::statistics::Family;
use crate::sized;

/// Chi-square of the words that `block(i)` gives for i = 0, 1, 2..., word by word of the block: the
/// bytes, the upper bytes of successive words, and the share of ones in each bit.
fn judge_words(name: &str, blocks: usize, mut block: impl FnMut(u64) -> [u32; 4]) -> [Family; 3] {
    let mut bytes = vec![[[0u64; 256]; 4]; 4];
    let mut pairs = vec![vec![0u64; 1 << 16]; 4];
    let mut next = block(0);
    for i in 0..blocks as u64 {
        let words = next;
        next = block(i + 1);
        for (j, word) in words.into_iter().enumerate() {
            for (counts, byte) in bytes[j].iter_mut().zip(word.to_le_bytes()) {
                counts[usize::from(byte)] += 1;
            }
            // The last word is followed by the next block's first. Four sets of pairs that do not
            // overlap.
            let following = if j < 3 { words[j + 1] } else { next[0] };
            pairs[j][(word >> 16 & 0xff00 | following >> 24) as usize] += 1;
        }
    }
    let (mut of_bytes, mut of_pairs) =
        (Family::new(format!("bytes, {name}")), Family::new(format!("pairs, {name}")));
    let mut scores = Vec::new();
    for j in 0..4 {
        of_pairs.uniform_counts(format!("word {j}"), &pairs[j]);
        for (k, counts) in bytes[j].iter().enumerate() {
            of_bytes.uniform_counts(format!("word {j} byte {k}"), counts);
            for bit in 0..8 {
                let ones: u64 =
                    (0..256).filter(|byte| byte >> bit & 1 == 1).map(|byte| counts[byte]).sum();
                let z = (2.0 * ones as f64 - blocks as f64) / (blocks as f64).sqrt();
                scores.push((format!("word {j} bit {}", 8 * k + bit), z));
            }
        }
    }
    [of_bytes, of_pairs, Family::of_scores(format!("bits, {name}"), scores)]
}

/// 6.7e7 words of one stream: chi-square of each byte (256 cells) and of the upper bytes of
/// successive words (65536 cells), and the balance of each bit. A linear congruential generator
/// must fail.
#[test]
fn philox_words_are_uniform() {
    let philox = Philox4x32::new(42, gpu_init::stream_of("words"));
    judge_words("philox", sized(24), |i| philox.block(i)).iter().for_each(Family::accept);

    let mut state = 0u32;
    let congruential = |_| {
        std::array::from_fn(|_| {
            state = state.wrapping_mul(5).wrapping_add(1);
            state
        })
    };
    judge_words("congruential", sized(20), congruential).iter().for_each(Family::reject);
}

/// The same for the first blocks of many tensors, as a model with many small tensors draws them:
/// over streams, seeds, and the upper halves of both, 1.7e7 words each.
#[test]
fn first_words_of_tensors_are_uniform() {
    let first = |seed, stream| Philox4x32::new(seed, stream).block(0);
    for families in [
        judge_words("streams", sized(22), |i| first(42, i)),
        judge_words("seeds", sized(22), |i| first(i, 0)),
        judge_words("upper halves of streams", sized(22), |i| first(42, i << 32)),
        judge_words("upper halves of seeds", sized(22), |i| first(i << 32, 0)),
        judge_words("equal seeds and streams", sized(22), |i| first(i, i)),
    ] {
        families.iter().for_each(Family::accept);
    }
}

/// Strict avalanche: each of the 192 bits of position, stream and seed flips each of the 128 bits
/// of the block in half of 16384 cases.
#[test]
fn every_bit_of_the_input_flips_half_of_the_output() {
    let cases = sized(14);
    let mut inputs = Xoshiro256PlusPlus::seed_from_u64(42);
    let mut flips = vec![[0u32; 128]; 192];
    for _ in 0..cases {
        let input: [u64; 3] = std::array::from_fn(|_| inputs.next_u64());
        let block = |[index, stream, seed]: [u64; 3]| {
            let words = Philox4x32::new(seed, stream).block(index);
            words.iter().rev().fold(0u128, |bits, &word| bits << 32 | u128::from(word))
        };
        let output = block(input);
        for (i, counts) in flips.iter_mut().enumerate() {
            let mut changed = input;
            changed[i / 64] ^= 1 << (i % 64);
            let difference = output ^ block(changed);
            counts
                .iter_mut()
                .enumerate()
                .for_each(|(j, count)| *count += (difference >> j & 1) as u32);
        }
    }
    let scores = flips.iter().enumerate().flat_map(|(i, counts)| {
        counts.iter().enumerate().map(move |(j, &count)| {
            let z = (2.0 * f64::from(count) - cases as f64) / (cases as f64).sqrt();
            (format!("{} bit {} to bit {j}", ["index", "stream", "seed"][i / 64], i % 64), z)
        })
    });
    Family::of_scores("avalanche", scores).accept();
}
