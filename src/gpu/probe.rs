//! Trust in a driver, before any weights are made with it: every kernel that computes fills a block, and
//! the CPU path says what must be in it.

use super::context::Context;
use super::kernels::Kernels;
use super::record::record;
use super::table::Tables;
use super::window::WindowLimits;
use super::{fill_dispatches, readback};
use crate::{DType, Distribution, Error, Fill, HostTensor, Result};

/// Elements of a block: enough that the rare paths of the radius and of the rounding are taken.
const ELEMENTS: u64 = 4096;
/// A block's place in the buffer.
const STRIDE: u64 = 4 * ELEMENTS;

/// The blocks: each element type and transform from a block's start (entry point `fill`) and from inside
/// one (`fill_words`), beyond 2^32 elements.
fn fills(operation: &'static str) -> Result<Vec<Fill>> {
    let mut fills = Vec::new();
    for dtype in DType::ALL {
        let mut distributions = Vec::new();
        for (mean, spread) in laws(dtype) {
            distributions.push(Distribution::Normal { mean, std: spread });
            distributions.push(Distribution::Uniform { mean, bound: spread });
        }
        // A law with most of its table, and one whose bounds the type cannot hold: values are kept within them.
        let (std, step) = (1.0 / 8192.0, 2.0 * dtype.rounding());
        for (std, low, high) in [(std, -0.7 * std, 8.0 * std), (1.0, 1.0 + 0.3 * step, 1.0 + 2.7 * step)] {
            distributions.push(Distribution::truncated_normal(operation, 0.0, std, low, high, dtype)?);
        }
        for distribution in distributions {
            for (first, len) in [(1 << 40, ELEMENTS), ((1 << 40) + 1, 511)] {
                let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
                fills.push(Fill { operation, distribution, dtype, seed, stream, first, len });
            }
        }
    }
    Ok(fills)
}

/// Means and spreads: one that f16 holds as normal and subnormal numbers, then means half way between two
/// values of the type, with a spread that vanishes beside them: random values hardly ever show how ties are
/// rounded.
fn laws(dtype: DType) -> Vec<(f32, f32)> {
    let ties: &[f32] = match dtype {
        DType::F32 => &[],
        DType::F16 => &[1.0 + 0.5 / 1024.0, 1.0 + 1.5 / 1024.0, 1.5 / 16777216.0, 2.5 / 16777216.0],
        DType::BF16 => &[1.0 + 0.5 / 128.0, 1.0 + 1.5 / 128.0],
    };
    let spread = (0.0, 1.0 / 8192.0);
    std::iter::once(spread).chain(ties.iter().map(|&tie| (tie, 1e-20))).collect()
}

/// Fills the blocks on the device and compares them with the CPU's.
pub(crate) async fn probe(context: &Context, kernels: &Kernels, operation: &'static str) -> Result<()> {
    let fills = fills(operation)?;
    let limits = WindowLimits::of(&context.device.limits());
    let mut bytes = vec![0; STRIDE as usize * fills.len()];
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = context.buffer(operation, bytes.len() as u64, usage)?;
    let tables = Tables::new(context, kernels, operation, fills.iter())?;
    let dispatches: Vec<_> = fills
        .iter()
        .zip(0..)
        .flat_map(|(fill, i)| fill_dispatches(fill, &tables, &buffer, i * STRIDE, limits))
        .collect();
    let mut encoder = context.device.create_command_encoder(&Default::default());
    record(context, kernels, operation, &mut encoder, &dispatches)?;
    context.checked(operation, 0, || context.queue.submit([encoder.finish()]))?;
    readback::read(context, operation, &buffer, 0, &mut bytes).await?;
    for (fill, actual) in fills.iter().zip(bytes.chunks(STRIDE as usize)) {
        compare(context, fill, HostTensor::filled(*fill)?.as_bytes(), actual)?;
    }
    Ok(())
}

fn compare(context: &Context, fill: &Fill, expected: &[u8], actual: &[u8]) -> Result<()> {
    let size = fill.dtype.size() as usize;
    let differing =
        expected.chunks(size).zip(actual.chunks(size)).zip(0..).find(|((expected, actual), _)| expected != actual);
    let Some(((expected, actual), i)) = differing else { return Ok(()) };
    let bits = |bytes: &[u8]| bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u32::from(byte));
    let name = match fill.distribution {
        Distribution::Normal { .. } => "normal",
        Distribution::Uniform { .. } => "uniform",
        Distribution::Truncated { .. } => "truncated",
        Distribution::Constant { .. } => "constant",
    };
    Err(Error::WrongBits {
        operation: fill.operation,
        adapter: context.adapter.clone(),
        what: format!("{name} {}", fill.dtype),
        index: fill.first + i,
        expected: bits(expected),
        actual: bits(actual),
    })
}
