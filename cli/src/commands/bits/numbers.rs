//! The numbers of one stream: its words, or its values mapped back to bits.

use std::f64::consts::FRAC_1_SQRT_2;

use clap::ValueEnum;
use gpu_init::{Cpu, Initializer, Philox4x32, Result, TensorSpec};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Numbers {
    /// The generator's words.
    Words,
    /// F32 uniforms: the upper 24 bits of the words, if they are right.
    Uniform,
    /// F32 normals, each by the probability of a smaller one, a 32-bit fraction.
    Normal,
}

/// A stream under a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) seed: u64,
    pub(super) stream: u64,
}

/// A tensor nearly as large as one can be: 2^61 elements.
const TENSOR: [usize; 2] = [1 << 30, 1 << 31];

impl Numbers {
    /// The bits of a number that are random if the stream is.
    pub(super) fn bits(self) -> u32 {
        match self {
            Numbers::Words => 32,
            Numbers::Uniform => 24,
            Numbers::Normal => 16,
        }
    }

    /// The numbers of a stream.
    pub(super) fn length(self) -> u128 {
        match self {
            Numbers::Words => Philox4x32::PERIOD,
            _ => TENSOR.map(|dim| dim as u128).iter().product(),
        }
    }

    /// Computes the numbers of the elements from `first` on, which must all be there.
    pub(super) fn fill(self, source: Source, first: u128, out: &mut [u32]) -> Result<()> {
        let (initializer, number): (_, fn(f32) -> u32) = match self {
            Numbers::Words => {
                fill_words(source, first, out);
                return Ok(());
            }
            Numbers::Uniform => (Initializer::uniform(-1.0, 1.0), of_uniform),
            Numbers::Normal => (Initializer::normal(0.0, 1.0), of_normal),
        };
        let first = first as u64;
        let spec = TensorSpec::new(TENSOR, initializer)
            .stream(source.stream)
            .elements(first..first + out.len() as u64);
        Cpu::with_seed(source.seed).fill_into::<f32>(&spec, bytemuck::cast_slice_mut(out))?;
        for value in out {
            *value = number(f32::from_bits(*value));
        }
        Ok(())
    }
}

fn fill_words(source: Source, first: u128, out: &mut [u32]) {
    let words = Philox4x32::new(source.seed, source.stream);
    let (mut block, skipped) = ((first / 4) as u64, (first % 4) as usize);
    let (head, rest) = out.split_at_mut(out.len().min((4 - skipped) % 4));
    if !head.is_empty() {
        head.copy_from_slice(&words.block(block)[skipped..][..head.len()]);
        block = block.wrapping_add(1);
    }
    for out in rest.chunks_mut(4) {
        out.copy_from_slice(&words.block(block)[..out.len()]);
        block = block.wrapping_add(1);
    }
}

/// (u + 1) / 2 as a fraction of 32 bits: exact, the word's upper 24 bits and a 1.
fn of_uniform(u: f32) -> u32 {
    ((f64::from(u) + 1.0) * f64::from(1u32 << 31)) as u32
}

/// The probability of a smaller normal as a fraction of 32 bits, by the distribution function in
/// f64.
fn of_normal(z: f32) -> u32 {
    let below = 0.5 * libm::erfc(-f64::from(z) * FRAC_1_SQRT_2);
    (below * 4294967296.0) as u32 // The largest word if it is 1.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniforms_are_the_words_upper_bits() {
        let source = Source { seed: 3, stream: 5 };
        for first in [0, 1, 2, 3, 4, 1 << 40] {
            let (mut words, mut uniforms) = ([0; 41], [0; 41]);
            Numbers::Words.fill(source, first, &mut words).unwrap();
            Numbers::Uniform.fill(source, first, &mut uniforms).unwrap();
            assert_eq!(words.map(|word| word & !0xff | 0x80), uniforms, "from {first}");
        }
    }

    #[test]
    fn normals_are_their_probabilities() {
        // The normal distribution function, by mpmath: floor(2^32 ncdf(z)).
        for (z, expected) in [
            (0.0, 1 << 31),
            (-0.0, 1 << 31),
            (1.0, 3_613_548_169),
            (-1.0, 681_419_126),
            (0.5, 2_969_808_657),
            (-3.0, 5_797_767),
            (-6.0, 4),
            (6.0, u32::MAX - 4),
            (-6.66, 0),
            (7.0, u32::MAX),
            (9.0, u32::MAX),
        ] {
            assert_eq!(of_normal(z), expected, "{z}");
        }
    }
}
