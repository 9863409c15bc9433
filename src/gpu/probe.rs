//! Trust in a driver, before any weights are made with it: every kernel runs on a block, and the CPU path
//! says what must come out. Those that few programs need run when they are first needed.

use super::context::Context;
use super::record::Recorder;
use super::window::Transform;
use super::{Device, Inner, Tensor, batch};
use crate::progress::Progress;
use crate::{DType, Distribution, Error, Fill, HostTensor, Initializer, Parameter, Result, Shape};

/// Elements of a block: enough that the rare paths of the radius and of the rounding are taken.
const ELEMENTS: u64 = 4096;
/// A block's place in the buffer.
const STRIDE: u64 = 4 * ELEMENTS;

/// The blocks: each element type and distribution from a block's start (entry point `fill`) and from inside
/// one (`fill_words`), beyond 2^32 elements.
fn fills(operation: &'static str) -> Result<Vec<Fill>> {
    let mut fills = Vec::new();
    for dtype in DType::ALL {
        let mut distributions = Vec::new();
        for (mean, spread) in means_and_spreads(dtype) {
            distributions.push(Distribution::Normal { mean, std: spread });
            distributions.push(Distribution::Uniform { mean, bound: spread });
            distributions.push(Distribution::Constant { value: mean });
        }
        // One with most of its table, and one whose bounds the type cannot hold: values are kept within them.
        let (std, step) = (1.0 / 8192.0, 2.0 * dtype.rounding());
        for (std, low, high) in [(std, -0.7 * std, 8.0 * std), (1.0, 1.0 + 0.3 * step, 1.0 + 2.7 * step)] {
            distributions.push(Distribution::truncated_normal(operation, 0.0, std, low, high, dtype)?);
        }
        for distribution in distributions {
            for (first, len) in [(1 << 40, ELEMENTS), ((1 << 40) + 1, 511)] {
                let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
                fills.push(Fill { operation, distribution, dtype, seed, stream, first, len, runs: None, zeros: None });
            }
        }
    }
    Ok(fills)
}

/// A spread that f16 holds as normal and subnormal numbers, then means half way between two values of the
/// type, with a spread that vanishes beside them: random values hardly ever show how ties are rounded.
fn means_and_spreads(dtype: DType) -> Vec<(f32, f32)> {
    let ties: &[f32] = match dtype {
        DType::F32 => &[],
        DType::F16 => &[1.0 + 0.5 / 1024.0, 1.0 + 1.5 / 1024.0, 1.5 / 16777216.0, 2.5 / 16777216.0],
        DType::BF16 => &[1.0 + 0.5 / 128.0, 1.0 + 1.5 / 128.0],
    };
    let spread = (0.0, 1.0 / 8192.0);
    std::iter::once(spread).chain(ties.iter().map(|&tie| (tie, 1e-20))).collect()
}

/// Tensors whose elements the device has not made yet, one after the other in a buffer.
fn unmade(device: &Device, operation: &'static str, fills: Vec<Fill>) -> Result<(wgpu::Buffer, Vec<Tensor>)> {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = device.inner.context.buffer(operation, STRIDE * fills.len() as u64, usage)?;
    let tensor = |(i, fill): (u64, Fill)| {
        let (device, buffer, shape) = (device.clone(), buffer.clone(), Shape::from([fill.len as usize]));
        Tensor { device, buffer, offset: i * STRIDE, shape, fill }
    };
    let tensors = (0..).zip(fills).map(tensor).collect();
    Ok((buffer, tensors))
}

/// Fills the blocks on the device and compares them with the CPU's.
async fn filled(device: &Device, operation: &'static str, fills: Vec<Fill>) -> Result<Vec<Tensor>> {
    let Inner { context, kernels, .. } = &*device.inner;
    let (buffer, tensors) = unmade(device, operation, fills)?;
    device.record_trusted(
        &tensors.iter().collect::<Vec<_>>(),
        Recorder::into_queue(context, kernels, operation, Progress::silent()),
    )?;
    let mut bytes = vec![0; buffer.size() as usize];
    super::readback::read(context, operation, &buffer, 0, &mut bytes).await?;
    for (tensor, actual) in tensors.iter().zip(bytes.chunks(STRIDE as usize)) {
        let expected = HostTensor::filled(tensor.fill, &mut Progress::silent())?;
        compare(context, &tensor.fill, expected.as_bytes(), actual)?;
    }
    Ok(tensors)
}

/// Shows that what is random at every element is right, and that reductions are.
pub(crate) async fn probe(device: &Device, operation: &'static str) -> Result<()> {
    let context = &device.inner.context;
    let tensors = filled(device, operation, fills(operation)?).await?;
    for dtype in DType::ALL {
        let Some(tensor) = tensors.iter().find(|tensor| tensor.dtype() == dtype) else { continue };
        let expected = HostTensor::filled(tensor.fill, &mut Progress::silent())?;
        let (sum, stats) = (tensor.fingerprint_async().await?, tensor.stats_async().await?);
        check(context, operation, format!("fingerprint {dtype}"), expected.fingerprint().to_string(), sum.to_string())?;
        check(context, operation, format!("stats {dtype}"), format!("{:?}", expected.stats()), format!("{stats:?}"))?;
    }
    Ok(())
}

/// Shows that a kind of small tensors in shared buffers is right, before the first such fill.
pub(crate) fn shared(device: &Device, operation: &'static str, kind: batch::Kind) -> Result<()> {
    let Inner { context, kernels, .. } = &*device.inner;
    let fills: Vec<_> = fills(operation)?
        .into_iter()
        .filter(|fill| fill.first.is_multiple_of(4) && (fill.dtype, Transform::from(fill.distribution)) == kind)
        .flat_map(|fill| [fill.len, 1, 1027].map(|len| Fill { len, ..fill }))
        .collect();
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let places = batch::share(context, fills.iter(), usage)?;
    let tensor = |(fill, place): (Fill, &batch::Place)| {
        let (device, buffer, shape) = (device.clone(), place.buffer.clone(), Shape::from([fill.len as usize]));
        Tensor { device, buffer, offset: place.offset, shape, fill }
    };
    let tensors: Vec<_> = fills.into_iter().zip(&places).map(tensor).collect();
    let in_room: Vec<_> = tensors.iter().zip(places.iter().filter_map(|place| place.room)).collect();
    let mut recorder = Recorder::into_queue(context, kernels, operation, Progress::silent());
    device.record_shared_trusted(&in_room, &mut recorder)?;
    recorder.finish()?;
    for (tensor, room) in in_room {
        let mut expected = HostTensor::filled(tensor.fill, &mut Progress::silent())?.as_bytes().to_vec();
        expected.resize(room as usize, 0);
        let mut actual = vec![0; room as usize];
        pollster::block_on(super::readback::read(context, operation, &tensor.buffer, tensor.offset, &mut actual))?;
        compare(context, &tensor.fill, &expected, &actual)?;
    }
    Ok(())
}

/// Shows that what is put in the place of other values is right, before the first such fill.
pub(crate) fn placing(device: &Device, operation: &'static str) -> Result<()> {
    let mut fills = Vec::new();
    for dtype in DType::ALL {
        for (initializer, shape) in [
            (Initializer::Dirac { groups: 3 }, &[6, 3, 5][..]),
            (Initializer::Sparse { sparsity: 0.3, std: 1.0 }, &[70, 9]),
            (Initializer::Orthogonal { gain: 1.5 }, &[50, 37]),
        ] {
            let part = 1..shape.iter().product::<usize>() as u64;
            let whole = Parameter::new(shape, initializer).dtype(dtype);
            fills.push(whole.clone().elements(part).resolve(0, 7)?);
            fills.push(whole.slice(1, 1..3).zero_rows(2..4).resolve(0, 7)?);
        }
        let normal = Parameter::new([9, 7, 11], Initializer::Normal { mean: 1.0, std: 0.1 }).dtype(dtype);
        fills.push(normal.slice(1, 2..5).slice(2, 3..10).zero_rows(3..4).resolve(0, 7)?);
    }
    pollster::block_on(filled(device, operation, fills))?;
    Ok(())
}

fn compare(context: &Context, fill: &Fill, expected: &[u8], actual: &[u8]) -> Result<()> {
    let size = fill.dtype.size() as usize;
    let mut pairs = expected.chunks(size).zip(actual.chunks(size)).zip((0..).map(|n| fill.index(n)));
    let Some(((expected, actual), index)) = pairs.find(|((expected, actual), _)| expected != actual) else {
        return Ok(());
    };
    let bits = |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
    let name = match fill.distribution {
        Distribution::Normal { .. } => "normal",
        Distribution::Uniform { .. } => "uniform",
        Distribution::Truncated { .. } => "truncated",
        Distribution::Constant { .. } => "constant",
        Distribution::Diagonal { .. } => "diagonal",
        Distribution::Sparse { .. } => "sparse",
        Distribution::Orthogonal { .. } => "orthogonal",
    };
    check(context, fill.operation, format!("{name} {}, element {index}", fill.dtype), bits(expected), bits(actual))
}

fn check(context: &Context, operation: &'static str, what: String, expected: String, actual: String) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::WrongBits { operation, adapter: context.adapter.clone(), what, expected, actual })
}
