use super::*;
use crate::stream::philox::tests::known_answers;

#[test]
fn known_hashes() {
    for row in known_answers("element_hash") {
        assert_eq!(element_hash(row[0], [row[1], row[2]]), row[3..]);
        let index = u64::from(row[2]) << 32 | u64::from(row[1]);
        let expected = u64::from(row[4]) << 32 | u64::from(row[3]);
        assert_eq!(Fingerprint::of(index, &[row[0]]), Fingerprint(expected));
    }
}

/// Where the low word of an index wraps within a chunk, also for elements of two words.
#[test]
fn indices_carry_into_their_high_word() {
    for first in [(1 << 32) - 700, (1 << 31) - 700, u64::MAX - 300] {
        let words: Vec<u32> = (0..2000).collect();
        let hash = |(i, &bits): (u64, &u32)| Fingerprint::of(first.wrapping_add(i), &[bits]);
        let expected = (0..).zip(&words).map(hash).sum();
        assert_eq!(Fingerprint::of(first, &words), expected, "from {first}");

        let twice: Vec<u64> = (0..2000).map(|i| i << 32 | (i + 1)).collect();
        let hash = |(i, &bits): (u64, &u64)| {
            let word = first.wrapping_add(i).wrapping_mul(2);
            Fingerprint::of(word, &[bits as u32, (bits >> 32) as u32])
        };
        let expected = (0..).zip(&twice).map(hash).sum();
        assert_eq!(Fingerprint::of(first, &twice), expected, "of two words, from {first}");
    }
}

/// The bits and the two words of the index of the i-th element.
type Input = fn(u32) -> [u32; 3];

/// Inputs as tensors have them.
const TENSORS: [(&str, Input); 4] = [
    ("zeros", |i| [0, i, 0]),
    ("one element, of all bits", |i| [i, 0, 0]),
    ("a ramp", |i| [i >> 9 | 0x3f000000, i, 0]),
    ("zeros, 2^16 in each high word", |i| [0, i & 0xffff, i >> 16]),
];

/// A changed bit of the input changes each bit of the hash with probability 1/2.
#[test]
fn any_changed_bit_changes_half_of_the_hash() {
    const SAMPLES: u32 = 1 << 16;
    let hash = |[bits, low, high]: [u32; 3]| {
        let [a, b] = element_hash(bits, [low, high]);
        u64::from(b) << 32 | u64::from(a)
    };
    // Of 4 x 96 x 64 counts one is so far off with probability 2e-7.
    let most = 7.5 * f64::from(SAMPLES).sqrt() / 2.0;
    for (name, input) in TENSORS {
        let changed = (0..96).into_par_iter().map(|bit| {
            let mut counts = [0u32; 64];
            for i in 0..SAMPLES {
                let input = input(i.wrapping_mul(0x9e3779b1));
                let mut other = input;
                other[bit / 32] ^= 1 << (bit % 32);
                let difference = hash(input) ^ hash(other);
                for (n, count) in counts.iter_mut().enumerate() {
                    *count += (difference >> n & 1) as u32;
                }
            }
            (bit, counts)
        });
        for (bit, counts) in changed.collect::<Vec<_>>() {
            for (n, count) in counts.into_iter().enumerate() {
                let error = f64::from(count) - f64::from(SAMPLES) / 2.0;
                assert!(error.abs() < most, "{name}: bit {bit} changes bit {n} {count} times");
            }
        }
    }
}

/// Among the words of 2^32 hashes there are as many different ones as among random words: a part
/// 1/e of all words is not there. Prints how far off that is, in standard deviations:
///
/// ```sh
/// cargo test --release --lib -- --ignored --nocapture as_many_different
/// ```
#[test]
#[ignore = "takes minutes, and 600 MiB"]
fn words_of_hashes_are_as_many_different_ones_as_random_words() {
    for (name, input) in TENSORS {
        for (part, shift) in [("low", 0), ("middle", 16), ("high", 32)] {
            let missing = missing(|i| {
                let [bits, low, high] = input(i);
                let [a, b] = element_hash(bits, [low, high]);
                ((u64::from(b) << 32 | u64::from(a)) >> shift) as u32
            });
            let (all, e) = (2f64.powi(32), std::f64::consts::E);
            let deviation = (all * (1.0 / e - 2.0 / (e * e))).sqrt();
            let off = (missing as f64 - all / e) / deviation;
            println!("{name}, {part} words: {missing} are missing, {off:+.2} sigma");
            assert!(off.abs() < 5.0, "{name}, {part} words");
        }
    }
}

/// How many of all words are no `word(i)`.
fn missing(word: impl Fn(u32) -> u32) -> u64 {
    /// Words that are marked at a time, all of them in a part of memory that the cache holds.
    const AT_A_TIME: usize = 1 << 14;
    let mut seen = vec![0u64; 1 << 26];
    let mut parts: Vec<_> = (0..256).map(|_| Vec::with_capacity(AT_A_TIME)).collect();
    let mut mark = |words: &mut Vec<u32>| {
        for word in words.drain(..) {
            seen[word as usize / 64] |= 1 << (word % 64);
        }
    };
    for i in 0..=u32::MAX {
        let word = word(i);
        let part = &mut parts[word as usize >> 24];
        part.push(word);
        if part.len() == AT_A_TIME {
            mark(part);
        }
    }
    parts.iter_mut().for_each(&mut mark);
    seen.iter().map(|words| u64::from(words.count_zeros())).sum()
}
