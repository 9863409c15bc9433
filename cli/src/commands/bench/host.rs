//! The CPU under measurement: this crate on all threads and on one, and its peers on one.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, bail};
use bytemuck::cast_slice_mut;
use gpu_init::half::{bf16, f16};
use gpu_init::rand::rngs::SmallRng;
use gpu_init::rand::{Rng, SeedableRng};
use gpu_init::{Cpu, DType, Distribution, Fill, Initializer, Philox4x32, TensorSpec};
use rand_distr::{Distribution as _, StandardNormal, Uniform};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::commands::bench::by::By;
use crate::commands::bench::device::{About, Device};
use crate::commands::bench::plain;

pub(super) struct Host {
    cpu: Cpu,
    one_thread: ThreadPool,
    words: Vec<u32>,
    small: SmallRng,
    philox: Philox4x32,
}

impl Host {
    pub(super) fn new(bytes: u64) -> anyhow::Result<Self> {
        let words = usize::try_from(bytes.div_ceil(4)).ok();
        let words = words.and_then(|words| bytemuck::allocation::try_zeroed_vec(words).ok());
        let words = words.with_context(|| {
            format!("bench: no memory for {bytes} bytes on the CPU; lower --max-size or --size")
        })?;
        let one_thread = ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .context("bench: no thread can be started; allow more processes (ulimit -u)")?;
        let (small, philox) = (SmallRng::seed_from_u64(0), Philox4x32::new(0, 0));
        Ok(Host { cpu: Cpu::new(), one_thread, words, small, philox })
    }
}

impl Device for Host {
    fn about(&self) -> About {
        let threads = rayon::current_num_threads();
        About {
            name: "cpu".to_owned(),
            details: format!("{threads} thread{}", if threads == 1 { "" } else { "s" }),
            timing: "wall time",
            write: "constant fill",
            window: None,
        }
    }

    fn by(&self) -> &'static [By] {
        By::CPU
    }

    fn largest(&self) -> u64 {
        self.words.len() as u64 * 4
    }

    fn fill(&mut self, parameter: &TensorSpec, by: By) -> anyhow::Result<f64> {
        let Fill { distribution, dtype, len, .. } = parameter.resolve(0, 0)?;
        let (cpu, words, len) = (&self.cpu, &mut self.words[..], len as usize);
        let mut fill = || match dtype {
            DType::F32 => cpu.fill_into(parameter, &mut cast_slice_mut::<_, f32>(words)[..len]),
            DType::F16 => cpu.fill_into(parameter, &mut cast_slice_mut::<_, f16>(words)[..len]),
            _ => cpu.fill_into(parameter, &mut cast_slice_mut::<_, bf16>(words)[..len]),
        };
        let start = Instant::now();
        match by {
            By::GpuInit | By::BuiltIns => fill()?,
            By::OneThread => {
                // Not counting the time that the thread takes to wake.
                return Ok(self.one_thread.install(|| -> gpu_init::Result<f64> {
                    let start = Instant::now();
                    fill()?;
                    Ok(start.elapsed().as_secs_f64())
                })?);
            }
            By::SmallRng => draw(&mut self.small, distribution, &mut cast_slice_mut(words)[..len])?,
            By::RandDistrPhilox => {
                draw(&mut self.philox, distribution, &mut cast_slice_mut(words)[..len])?
            }
            By::PlainPhilox => {
                let Distribution::Normal { mean, std, .. } = distribution else {
                    bail!("bench: the plain Philox does not draw {distribution:?}")
                };
                plain::fill(mean, std, black_box(&mut cast_slice_mut(words)[..len]));
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn write(&mut self, bytes: u64) -> anyhow::Result<f64> {
        let len = bytes.div_ceil(4) as usize;
        let value = f64::from(f32::from_bits(0x3f3f_3f3f));
        self.fill(&TensorSpec::new([len], Initializer::constant(value)), By::GpuInit)
    }
}

fn draw(rng: &mut impl Rng, distribution: Distribution, out: &mut [f32]) -> anyhow::Result<()> {
    match distribution {
        Distribution::Normal { mean, std, .. } => black_box(out).fill_with(|| {
            let z: f32 = StandardNormal.sample(rng);
            z * std + mean
        }),
        Distribution::Uniform { mean, bound, .. } => {
            let uniform = Uniform::new(mean - bound, mean + bound)?;
            black_box(out).fill_with(|| uniform.sample(rng));
        }
        _ => bail!("bench: rand_distr does not draw {distribution:?}"),
    }
    Ok(())
}
