//! 64 bits over every element's bits and index. Mirrored by
//! `shaders/fingerprint.wgsl`.

use std::fmt;
use std::ops::{Add, AddAssign};

use rayon::prelude::*;

use crate::reduce::lanes::CHUNK;
use crate::spec::slice::Elements;
use crate::stream::philox::{philox2x32, words};
use crate::{Element, Fill};

/// The sum mod 2^64 of Philox2x32-10 over the elements, counter (bits, index low), key index high.
///
/// `bits` are the element's own, zero-extended to 32; `index` counts in the whole row-major tensor.
/// An element of 64 bits counts as two of 32, the low word first, at twice its index.
/// A sum has no order, so the fingerprints of parts add up to that of the whole, and GPU, CPU and
/// another machine print the same 16 hex digits.
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
        let chunk_sum = |(i, mut chunk): (usize, &[T])| {
            let (mut at, mut sum) = ((i * CHUNK) as u64, 0u64);
            while !chunk.is_empty() {
                let (run, rest) = chunk.split_at(chunk.len().min(indices.run_from(at) as usize));
                sum = sum.wrapping_add(run_sum(indices.index(at), run));
                at += run.len() as u64;
                chunk = rest;
            }
            sum
        };
        Fingerprint(
            elements.par_chunks(CHUNK).enumerate().map(chunk_sum).reduce(|| 0, u64::wrapping_add),
        )
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

#[inline(always)]
fn element_hash(bits: u32, index: u64) -> u64 {
    let index = words(index);
    let hash = philox2x32([bits, index[0]], index[1]);
    u64::from(hash[1]) << 32 | u64::from(hash[0])
}

fn run_sum<T: Element>(first: u64, run: &[T]) -> u64 {
    run.iter().zip(0u64..).fold(0, |sum, (element, i)| {
        let (bits, index) = (element.bits(), first.wrapping_add(i));
        if size_of::<T>() <= 4 {
            return sum.wrapping_add(element_hash(bits as u32, index));
        }
        let ([low, high], index) = (words(bits), index.wrapping_mul(2));
        sum.wrapping_add(element_hash(low, index))
            .wrapping_add(element_hash(high, index.wrapping_add(1)))
    })
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
