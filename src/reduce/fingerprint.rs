//! 64 bits over every element's bits and index. Mirrored by
//! `shaders/reduce/fingerprint.wgsl`.

use std::fmt;
use std::ops::{Add, AddAssign};

use rayon::prelude::*;

use crate::cpu::vectors::{Vectorize, Vectors, vectorized};
use crate::reduce::lanes::{CHUNK, TOGETHER};
use crate::spec::slice::Elements;
use crate::stream::philox::words;
use crate::{Element, Fill};

/// The sum mod 2^64, over the elements, of a hash of 64 bits of the element's bits and index.
///
/// The bits are the element's own, zero-extended to 32; the index counts in the whole row-major
/// tensor. An element of 64 bits counts as two of 32, the low word first, at twice its index. For
/// each index the hash is different for different bits, and a change of any bit of either changes
/// half of its own; [the specification](crate#the-stream-version-1) has it. A sum has no order, so
/// the fingerprints of parts add up to that of the whole, and GPU, CPU and another machine print the
/// same 16 hex digits.
///
/// ```
/// use gpu_init::{Cpu, Initializer, TensorSpec};
///
/// let cpu = Cpu::new();
/// let whole = TensorSpec::new([100, 7], Initializer::xavier_normal()).name("w");
/// let left = cpu.fill(&whole.clone().elements(0..333))?.fingerprint();
/// let right = cpu.fill(&whole.clone().elements(333..700))?.fingerprint();
/// assert_eq!(left + right, cpu.fill(&whole)?.fingerprint());
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Computes the fingerprint of elements that start at index `first` of their tensor.
    ///
    /// ```
    /// use gpu_init::Fingerprint;
    ///
    /// let whole = Fingerprint::of(0, &[1.0f32, 2.0, 3.0]);
    /// assert_eq!(Fingerprint::of(0, &[1.0f32]) + Fingerprint::of(1, &[2.0f32, 3.0]), whole);
    /// assert_ne!(Fingerprint::of(0, &[2.0f32, 1.0, 3.0]), whole);
    /// ```
    pub fn of<T: Element>(first: u64, elements: &[T]) -> Self {
        Self::of_elements(&Elements { first, len: elements.len() as u64, runs: None }, elements)
    }

    /// Computes the fingerprint of a request's elements, such as a slice read back from a file.
    ///
    /// ```
    /// use gpu_init::{Cpu, Fingerprint, Initializer, TensorSpec};
    ///
    /// let columns = TensorSpec::new([4, 6], Initializer::xavier_normal()).name("w").slice(1, 2..4);
    /// let weights = Cpu::new().fill(&columns)?;
    /// assert_eq!(Fingerprint::of_fill(&columns.resolve(0, 0)?, &weights.to_f32()), weights.fingerprint());
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// Elements beyond the request's are left out.
    pub fn of_fill<T: Element>(fill: &Fill, elements: &[T]) -> Self {
        let len = usize::try_from(fill.len).unwrap_or(usize::MAX).min(elements.len());
        Self::of_elements(&fill.elements(), &elements[..len])
    }

    fn of_elements<T: Element>(indices: &Elements, elements: &[T]) -> Self {
        let chunks = elements.par_chunks(CHUNK).with_min_len(TOGETHER).enumerate();
        chunks.map(|(i, chunk)| Self::of_chunk(indices, (i * CHUNK) as u64, chunk)).sum()
    }

    /// That of at most `CHUNK` elements, from number `start` on of those that `indices` has.
    pub(crate) fn of_chunk<T: Element>(indices: &Elements, start: u64, chunk: &[T]) -> Self {
        let mut sum = Fingerprint::default();
        vectorized(Hashed { indices, start, chunk, sum: &mut sum });
        sum
    }

    /// The tensor's summand of a model's fingerprint: times its stream made odd. Fingerprints of
    /// parts still add up, and exchanging two tensors changes the sum.
    ///
    /// ```
    /// use gpu_init::{Fingerprint, stream_of};
    ///
    /// let tensor = Fingerprint(0x1234);
    /// assert_ne!(tensor.in_model(stream_of("q")), tensor.in_model(stream_of("k")));
    /// ```
    pub fn in_model(self, stream: u64) -> Self {
        Fingerprint(self.0.wrapping_mul(stream | 1))
    }
}

pub(crate) const HASH_BITS: u32 = 0x243f6a88;
pub(crate) const HASH_INDEX: u32 = 0x9e3779b9;
pub(crate) const HASH_M0: u32 = 0x9e3779b1;
pub(crate) const HASH_M1: u32 = 0x85ebca77;
pub(crate) const HASH_M2: u32 = 0xc2b2ae3d;
pub(crate) const HASH_M3: u32 = 0x27d4eb2f;
pub(crate) const HASH_M4: u32 = 0xd2511f53;
pub(crate) const HASH_M5: u32 = 0xcd9e8d57;

#[inline(always)]
fn mixed(word: u32, shift: u32) -> u32 {
    word ^ word >> shift
}

/// The hash of an element of these bits: its low and its high word. Each step can be undone, so no
/// two pairs of bits and `index[0]` have one hash.
#[inline(always)]
fn element_hash(bits: u32, index: [u32; 2]) -> [u32; 2] {
    let plus = |word: u32, other: u32, factor: u32| word.wrapping_add(other.wrapping_mul(factor));
    let mut a = bits.wrapping_add(HASH_BITS);
    let mut b = plus(index[0], index[1], HASH_INDEX);
    b = mixed(plus(b, a, HASH_M0), 15);
    a = mixed(plus(a, b, HASH_M1), 16);
    b = mixed(plus(b, a, HASH_M2), 15);
    a = mixed(plus(a ^ index[1], b, HASH_M3), 16);
    b = mixed(plus(b, a, HASH_M4), 15);
    a = mixed(plus(a, b, HASH_M5), 16);
    [a, b]
}

/// The sum of up to 2^16 hashes, in words, so that a vector adds as many as it holds elements.
#[derive(Default)]
struct Sum {
    /// Of the lower and of the upper half of low words.
    low: [u32; 2],
    high: u32,
}

impl Sum {
    #[inline(always)]
    fn add(&mut self, [low, high]: [u32; 2]) {
        self.low[0] += low & 0xffff;
        self.low[1] += low >> 16;
        self.high = self.high.wrapping_add(high);
    }

    fn total(&self) -> u64 {
        let [lower, upper] = self.low.map(u64::from);
        lower.wrapping_add(upper << 16).wrapping_add(u64::from(self.high) << 32)
    }
}

/// The hashes of a chunk's elements.
struct Hashed<'a, T> {
    indices: &'a Elements,
    start: u64,
    chunk: &'a [T],
    sum: &'a mut Fingerprint,
}

impl<T: Element> Vectorize for Hashed<'_, T> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        let Hashed { indices, start: mut at, mut chunk, sum } = self;
        while !chunk.is_empty() {
            let first = indices.index(at);
            let run = indices.run_from(at).min(until_carry::<T>(first)).min(chunk.len() as u64);
            let (run, rest) = chunk.split_at(run as usize);
            *sum += Fingerprint(hash_run(first, run));
            at += run.len() as u64;
            chunk = rest;
        }
    }
}

/// Words of an element.
const fn words_of<T>() -> u64 {
    if size_of::<T>() == 8 { 2 } else { 1 }
}

/// The number of elements from index `first` on whose words have the same high word in their index.
fn until_carry<T>(first: u64) -> u64 {
    let low = words(first.wrapping_mul(words_of::<T>()))[0];
    ((1 << 32) - u64::from(low)) / words_of::<T>()
}

#[inline(always)]
fn hash_run<T: Element>(first: u64, run: &[T]) -> u64 {
    let [low, high] = words(first.wrapping_mul(words_of::<T>()));
    let mut sum = Sum::default();
    for (element, i) in run.iter().zip(0u32..) {
        if size_of::<T>() <= 4 {
            sum.add(element_hash(element.bits() as u32, [low.wrapping_add(i), high]));
        } else {
            let (bits, low) = (words(element.bits()), low.wrapping_add(2 * i));
            sum.add(element_hash(bits[0], [low, high]));
            sum.add(element_hash(bits[1], [low.wrapping_add(1), high]));
        }
    }
    sum.total()
}

impl Add for Fingerprint {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Fingerprint(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for Fingerprint {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Fingerprint {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Fingerprint(0), Add::add)
    }
}

/// 16 hex digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
