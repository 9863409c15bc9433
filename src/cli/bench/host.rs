//! The CPU under measurement: this crate on all cores, and rand_distr on one thread to compare with.

use std::hint::black_box;
use std::time::Instant;

use anyhow::bail;
use bytemuck::cast_slice_mut;
use gpu_init::half::{bf16, f16};
use gpu_init::rand::rngs::SmallRng;
use gpu_init::rand::{Rng, SeedableRng};
use gpu_init::{Cpu, DType, Distribution, Initializer, Parameter, Philox4x32};
use rand_distr::{Distribution as _, StandardNormal, Uniform};

/// Memory to fill.
pub(super) struct Host {
    cpu: Cpu,
    words: Vec<u32>,
    small: SmallRng,
    philox: Philox4x32,
}

/// A generator that rand_distr draws from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Peer {
    SmallRng,
    Philox,
}

impl Peer {
    pub(super) const ALL: [Peer; 2] = [Peer::SmallRng, Peer::Philox];

    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::SmallRng => "rand_distr, SmallRng, 1 thread",
            Peer::Philox => "rand_distr, Philox4x32, 1 thread",
        }
    }

    /// rand_distr has no truncated normal; Philox is there for what a normal costs.
    pub(super) fn draws(self, law: Distribution) -> bool {
        matches!((self, law), (_, Distribution::Normal { .. }) | (Peer::SmallRng, Distribution::Uniform { .. }))
    }
}

impl Host {
    /// With so many bytes to fill.
    pub(super) fn new(bytes: u64) -> anyhow::Result<Self> {
        let words = usize::try_from(bytes.div_ceil(4)).ok();
        let Some(words) = words.and_then(|words| bytemuck::allocation::try_zeroed_vec(words).ok()) else {
            bail!("bench: no memory for {bytes} bytes on the CPU; lower --max-size or --size");
        };
        Ok(Host { cpu: Cpu::new(), words, small: SmallRng::seed_from_u64(0), philox: Philox4x32::new(0, 0) })
    }

    /// Bytes that it fills at most.
    pub(super) fn largest(&self) -> u64 {
        self.words.len() as u64 * 4
    }

    /// Seconds that a fill takes.
    pub(super) fn fill(&mut self, parameter: &Parameter, dtype: DType, len: usize) -> anyhow::Result<f64> {
        let (cpu, words) = (&self.cpu, &mut self.words[..]);
        let start = Instant::now();
        match dtype {
            DType::F32 => cpu.fill_into(parameter, &mut cast_slice_mut::<_, f32>(words)[..len])?,
            DType::F16 => cpu.fill_into(parameter, &mut cast_slice_mut::<_, f16>(words)[..len])?,
            DType::BF16 => cpu.fill_into(parameter, &mut cast_slice_mut::<_, bf16>(words)[..len])?,
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds that it takes to write one value everywhere.
    pub(super) fn write(&mut self, bytes: u64) -> anyhow::Result<f64> {
        let len = bytes.div_ceil(4) as usize;
        let value = f64::from(f32::from_bits(0x3f3f_3f3f));
        let constant = Parameter::new([len], Initializer::Constant { val: value });
        self.fill(&constant, DType::F32, len)
    }

    /// Seconds that rand_distr takes for so many values in f32.
    pub(super) fn peer(&mut self, peer: Peer, law: Distribution, len: usize) -> anyhow::Result<f64> {
        let out = &mut cast_slice_mut::<_, f32>(&mut self.words[..])[..len];
        let start = Instant::now();
        match peer {
            Peer::SmallRng => draw(&mut self.small, law, out)?,
            Peer::Philox => draw(&mut self.philox, law, out)?,
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

fn draw(rng: &mut impl Rng, law: Distribution, out: &mut [f32]) -> anyhow::Result<()> {
    match law {
        Distribution::Normal { mean, std, .. } => black_box(out).fill_with(|| {
            let z: f32 = StandardNormal.sample(rng);
            z * std + mean
        }),
        Distribution::Uniform { mean, bound, .. } => {
            let uniform = Uniform::new(mean - bound, mean + bound)?;
            black_box(out).fill_with(|| uniform.sample(rng));
        }
        _ => bail!("bench: rand_distr does not draw {law:?}"),
    }
    Ok(())
}
