//! Self-test: before its first use each kernel is checked bit for bit against the CPU path, by
//! itself, so that one which a driver breaks leaves the others usable.
//!
//! It covers what a kernel computes: each element type and distribution, the start of a tensor's
//! block and its inside, far into a tensor, ties and zeros that random values hardly show. It
//! covers neither what hangs on a tensor's size nor memory that fails later. Against the former
//! every loop of a shader ends after a constant number of iterations (`record::MOST_ITERATIONS`),
//! and long work is examined when it is done (`orthogonal::Examination`).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::cpu::fill::fill_tensor;
use crate::distribution::orthogonal::TILE;
use crate::error::During;
use crate::gpu::context::Context;
use crate::gpu::device::{Device, Inner};
use crate::gpu::record::Recorder;
use crate::gpu::window::Transform;
use crate::gpu::{FpGuard, Tensor, batch, reduce};
use crate::progress::Progress;
use crate::{DType, Distribution, ErrorKind, Fill, Initializer, Result, Shape, TensorSpec};

/// Kernels that are compiled and shown to be right together: few, since compilation is what opening
/// a device waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// What is random at every element, or constant.
    Fill(DType, Transform),
    /// The same for small tensors that share a buffer.
    Many(DType, Transform),
    /// The same for slices.
    Slice(DType, Transform),
    /// Fingerprint and statistics.
    Reduce(DType),
    /// Zeroed rows.
    Clear(DType),
    /// Slices of distributions that are not sampled element by element.
    Gather(DType),
    /// Values that are written over others.
    Diagonal(DType),
    Sparse(DType),
    Orthogonal(DType),
    /// Orthogonal matrices of several tiles of rows, which take other kernels.
    TallOrthogonal(DType),
}

impl Group {
    /// What most programs need.
    pub(super) const COMMON: Group = Group::Fill(DType::F32, Transform::Normal);

    /// All but slices and what is written over other values, which only a thread that may block can
    /// ask for.
    pub(super) fn all() -> Vec<Group> {
        let kinds = || {
            DType::ALL
                .into_iter()
                .flat_map(|dtype| Transform::ALL.map(|transform| (dtype, transform)))
        };
        let fills = kinds().flat_map(|(dtype, transform)| {
            [Group::Fill(dtype, transform), Group::Many(dtype, transform)]
        });
        fills.chain(DType::ALL.map(Group::Reduce)).collect()
    }

    /// Those that make a tensor, in a buffer that it shares or not.
    pub(super) fn of_fill(fill: &Fill, is_shared: bool) -> impl Iterator<Item = Group> + use<> {
        let Fill { dtype, distribution, runs, zeros, .. } = *fill;
        let (base, is_slice) = (distribution.base(), runs.is_some());
        let group = match is_slice && base == distribution {
            true => Group::Slice,
            false if is_shared => Group::Many,
            false => Group::Fill,
        };
        // Where a slice of what is put in place goes, zeros are first.
        let gathered =
            (is_slice && base != distribution).then_some(Group::Fill(dtype, Transform::Constant));
        let gather = gathered.map(|_| Group::Gather(dtype));
        let over = match distribution {
            Distribution::Diagonal { .. } => Some(Group::Diagonal(dtype)),
            Distribution::Sparse { .. } => Some(Group::Sparse(dtype)),
            Distribution::Orthogonal { orthogonal, .. } if orthogonal.height() > TILE => {
                Some(Group::TallOrthogonal(dtype))
            }
            Distribution::Orthogonal { .. } => Some(Group::Orthogonal(dtype)),
            _ => None,
        };
        let clear = zeros.map(|_| Group::Clear(dtype));
        [group(dtype, base.into())]
            .into_iter()
            .chain(gathered)
            .chain(gather)
            .chain(over)
            .chain(clear)
    }
}

/// The groups that were shown to be right, of shaders so much guarded.
#[derive(Debug, Default)]
pub(super) struct Trusted(Mutex<HashSet<(Group, FpGuard)>>);

impl Trusted {
    /// Those of `groups` that were not yet, each of them once.
    fn missing(&self, groups: impl Iterator<Item = Group>, mul_add: FpGuard) -> Vec<Group> {
        let trusted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        for group in groups {
            if !trusted.contains(&(group, mul_add)) && !missing.contains(&group) {
                missing.push(group);
            }
        }
        missing
    }

    pub(super) fn add(&self, groups: Vec<Group>, mul_add: FpGuard) {
        let groups = groups.into_iter().map(|group| (group, mul_add));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(groups);
    }
}

/// Shows that these groups are right, unless they were before; the guarded ones if others are not.
///
/// # Errors
/// [`ErrorKind::WrongBits`] if one is not, and what the device says.
pub(super) async fn trust(
    device: &Device,
    operation: &'static str,
    groups: impl Iterator<Item = Group>,
) -> Result<()> {
    let Inner { kernels, trusted, .. } = &*device.inner;
    let groups: Vec<_> = groups.collect();
    loop {
        let mul_add = kernels.mul_add();
        let missing = trusted.missing(groups.iter().copied(), mul_add);
        match show(device, operation, &missing).await {
            Err(error)
                if matches!(error.kind(), ErrorKind::WrongBits { .. })
                    && kernels.fall_back(mul_add) => {}
            Ok(()) if kernels.mul_add() != mul_add => {} // Another thread had them fall back.
            shown => return shown.map(|()| trusted.add(missing, mul_add)),
        }
    }
}

/// Runs the kernels of these groups and compares what they make with what the CPU does.
async fn show(device: &Device, operation: &'static str, groups: &[Group]) -> Result<()> {
    let mut fills = Vec::new();
    for &group in groups {
        match group {
            // The reductions' input has to be right, too.
            Group::Reduce(dtype) => {
                fills.extend(blocks(operation, dtype, Transform::Normal)?.into_iter().take(1))
            }
            Group::Fill(dtype, transform) => fills.extend(blocks(operation, dtype, transform)?),
            Group::Slice(dtype, transform) => fills.extend(slices(operation, dtype, transform)?),
            Group::Many(dtype, transform) => shared(device, operation, dtype, transform).await?,
            Group::Clear(dtype) => fills.extend(cleared(operation, dtype)?),
            Group::Gather(dtype) => fills.extend(gathered(operation, dtype)?),
            Group::Diagonal(dtype) => fills.extend(parts(operation, dtype, DIRAC)?),
            Group::Sparse(dtype) => fills.extend(parts(operation, dtype, SPARSE)?),
            Group::Orthogonal(dtype) => fills.extend(parts(operation, dtype, ORTHOGONAL)?),
            Group::TallOrthogonal(dtype) => {
                fills.extend(parts(operation, dtype, ORTHOGONAL)?);
                fills.push(tall(operation, dtype)?);
            }
        }
    }
    let tensors =
        if fills.is_empty() { Vec::new() } else { filled(device, operation, fills).await? };
    for &group in groups {
        let Group::Reduce(dtype) = group else { continue };
        let Some(tensor) = tensors.iter().find(|tensor| tensor.dtype() == dtype) else { continue };
        reduced(operation, tensor).await?;
    }
    Ok(())
}

/// Elements of a block: enough that the rare paths of the radius and of the rounding are taken.
const ELEMENTS: u64 = 4096;
/// Where it begins, beyond 2^32: among its normals of `SPREAD` are some half way between two values
/// of each half type, below an even one and below an odd one, which are rare.
const FIRST: u64 = (1 << 40) + 184_565_760;
/// Where a pair of normals is zero, the first of them with a minus: one in 2^32 is.
const ZEROS: u64 = 1_123_897_459_580;
/// Where that is so of the subnormal numbers of f16.
const SUBNORMAL_TIES: u64 = (1 << 40) + 14_876_672;
/// A block's place in the buffer.
const STRIDE: u64 = 4 * ELEMENTS;

/// The blocks of a kernel: from a block's start (entry point `fill`) and from inside one
/// (`fill_words`), and others for what is rare.
fn blocks(operation: &'static str, dtype: DType, transform: Transform) -> Result<Vec<Fill>> {
    let distributions = match transform {
        Transform::Normal => vec![Distribution::Normal { mean: 0.0, std: SPREAD }],
        Transform::ShiftedNormal => {
            spreads(dtype, 1e-4, |mean, std| Distribution::Normal { mean, std })
        }
        Transform::Uniform => {
            spreads(dtype, 0.0, |mean, bound| Distribution::Uniform { mean, bound })
        }
        Transform::Constant => {
            spreads(dtype, 0.0, |mean, spread| Distribution::Constant { value: mean + spread })
        }
        Transform::Truncated => {
            // One with most of its table, and one whose bounds the type cannot hold: values are
            // kept within them.
            let (std, step) = (f64::from(SPREAD), 2.0 * dtype.rounding());
            [(std, -0.7 * std, 8.0 * std), (1.0, 1.0 + 0.3 * step, 1.0 + 2.7 * step)]
                .into_iter()
                .map(|(std, low, high)| Distribution::truncated_normal(0.0, std, low, high, dtype))
                .collect::<Result<_, _>>()
                .during(operation)?
        }
    };
    let mut fills = Vec::new();
    for distribution in distributions {
        // Of what other distributions give, these say nothing more.
        let zeros = (transform == Transform::Normal).then_some((ZEROS, 8));
        let ties = zeros.filter(|_| dtype == DType::F16).map(|_| (SUBNORMAL_TIES, ELEMENTS));
        for (first, len) in
            [(FIRST, ELEMENTS), (FIRST + 1, 511)].into_iter().chain(zeros).chain(ties)
        {
            let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
            fills.push(Fill {
                operation,
                distribution,
                dtype,
                seed,
                stream,
                first,
                len,
                runs: None,
                zeros: None,
            });
        }
    }
    Ok(fills)
}

/// The same distributions in a slice of an odd number of elements beyond 2^32.
fn slices(operation: &'static str, dtype: DType, transform: Transform) -> Result<Vec<Fill>> {
    let rows = (1 << 33) + 1..(1 << 33) + 6;
    let whole = TensorSpec::new([1 << 34, 7, 11], Initializer::ones()).dtype(dtype);
    let slice = whole.slice(0, rows).slice(2, 3..10).resolve(0, 7)?;
    let blocks =
        blocks(operation, dtype, transform)?.into_iter().filter(|block| block.first == FIRST);
    Ok(blocks
        .map(|Fill { distribution, seed, stream, .. }| Fill {
            operation,
            distribution,
            seed,
            stream,
            ..slice
        })
        .collect())
}

/// A spread that f16 holds as normal and subnormal numbers.
const SPREAD: f32 = 1.0 / 8192.0;

/// That spread about a mean, then means half way between two values of the type, with a spread that
/// vanishes beside them: random values hardly ever show how ties are rounded.
fn spreads(
    dtype: DType,
    mean: f32,
    distribution: fn(f32, f32) -> Distribution,
) -> Vec<Distribution> {
    let ties: &[f32] = match dtype {
        DType::F32 => &[],
        DType::F16 => &[1.0 + 0.5 / 1024.0, 1.0 + 1.5 / 1024.0, 1.5 / 16777216.0, 2.5 / 16777216.0],
        DType::BF16 => &[1.0 + 0.5 / 128.0, 1.0 + 1.5 / 128.0],
    };
    std::iter::once(distribution(mean, SPREAD))
        .chain(ties.iter().map(|&tie| distribution(tie, 1e-20)))
        .collect()
}

/// Tensors whose elements the device has not made yet, one after the other in a buffer.
fn unmade(
    device: &Device,
    operation: &'static str,
    fills: Vec<Fill>,
) -> Result<(wgpu::Buffer, Vec<Tensor>)> {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = device.inner.context.buffer(operation, STRIDE * fills.len() as u64, usage)?;
    let tensor = |(i, fill): (u64, Fill)| {
        let (device, buffer, shape) =
            (device.clone(), buffer.clone(), Shape::from([fill.len as usize]));
        Tensor { device, buffer, offset: i * STRIDE, shape, fill }
    };
    let tensors = (0..).zip(fills).map(tensor).collect();
    Ok((buffer, tensors))
}

/// Fills the blocks on the device and compares them with the CPU's.
async fn filled(device: &Device, operation: &'static str, fills: Vec<Fill>) -> Result<Vec<Tensor>> {
    let Inner { context, kernels, .. } = &*device.inner;
    let (buffer, tensors) = unmade(device, operation, fills)?;
    let recorder = Recorder::into_queue(context, kernels, operation, Progress::silent());
    device.record_tensors(&tensors.iter().collect::<Vec<_>>(), recorder)?;
    let mut bytes = vec![0; buffer.size() as usize];
    crate::gpu::readback::read(context, operation, &buffer, 0, &mut bytes).await?;
    for (tensor, actual) in tensors.iter().zip(bytes.chunks(STRIDE as usize)) {
        let expected = fill_tensor(&tensor.fill, &mut Progress::silent()).during(operation)?;
        compare(context, &tensor.fill, expected.as_bytes(), actual)?;
    }
    Ok(tensors)
}

/// Compares the reductions of a tensor with the CPU's.
async fn reduced(operation: &'static str, tensor: &Tensor) -> Result<()> {
    let (context, dtype) = (&tensor.device.inner.context, tensor.dtype());
    let expected = fill_tensor(&tensor.fill, &mut Progress::silent()).during(operation)?;
    let sums = reduce::untrusted_fingerprints(&[tensor]).await?;
    let stats = reduce::untrusted_stats(&[tensor]).await?;
    let of = |what: &str| format!("{what} {dtype}");
    check(
        context,
        operation,
        of("fingerprint"),
        format!("{:?}", [expected.fingerprint()]),
        format!("{sums:?}"),
    )?;
    check(
        context,
        operation,
        of("stats"),
        format!("{:?}", [expected.stats()]),
        format!("{stats:?}"),
    )
}

/// Compares small tensors in a shared buffer with the CPU's.
async fn shared(
    device: &Device,
    operation: &'static str,
    dtype: DType,
    transform: Transform,
) -> Result<()> {
    let Inner { context, kernels, .. } = &*device.inner;
    let fills: Vec<_> = blocks(operation, dtype, transform)?
        .into_iter()
        .filter(|fill| fill.first == FIRST)
        .flat_map(|fill| [fill.len, 1, 1027].map(|len| Fill { len, ..fill }))
        .collect();
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let places = batch::share(context, fills.iter(), usage)?;
    let tensor = |(fill, place): (Fill, &batch::Place)| {
        let (device, buffer, shape) =
            (device.clone(), place.buffer.clone(), Shape::from([fill.len as usize]));
        Tensor { device, buffer, offset: place.offset, shape, fill }
    };
    let tensors: Vec<_> = fills.into_iter().zip(&places).map(tensor).collect();
    let in_room: Vec<_> =
        tensors.iter().zip(places.iter().filter_map(|place| place.room)).collect();
    let mut recorder = Recorder::into_queue(context, kernels, operation, Progress::silent());
    device.record_shared(&in_room, &mut recorder)?;
    recorder.finish()?;
    for (tensor, room) in in_room {
        let mut expected = fill_tensor(&tensor.fill, &mut Progress::silent())
            .during(operation)?
            .as_bytes()
            .to_vec();
        expected.resize(room as usize, 0);
        let mut actual = vec![0; room as usize];
        crate::gpu::readback::read(context, operation, &tensor.buffer, tensor.offset, &mut actual)
            .await?;
        compare(context, &tensor.fill, &expected, &actual)?;
    }
    Ok(())
}

/// An initializer and a shape for it.
type Example = (Initializer, &'static [usize]);

const DIRAC: Example = (Initializer::Dirac { groups: 3 }, &[6, 3, 5]);
const SPARSE: Example = (Initializer::Sparse { sparsity: 0.3, std: 1.0 }, &[70, 9]);
const ORTHOGONAL: Example = (Initializer::Orthogonal { gain: 1.5 }, &[50, 37]);

/// All of an example, and all but its first element.
fn parts(
    operation: &'static str,
    dtype: DType,
    (initializer, shape): Example,
) -> Result<Vec<Fill>> {
    let whole = TensorSpec::new(shape, initializer).dtype(dtype);
    let rest = whole.clone().elements(1..shape.iter().product::<usize>() as u64);
    [whole, rest].iter().map(|part| Ok(Fill { operation, ..part.resolve(0, 7)? })).collect()
}

/// The last rows of a matrix of two tiles, from before the second one on. Of no more rows than any
/// device has bindings for.
fn tall(operation: &'static str, dtype: DType) -> Result<Fill> {
    let (rows, columns) = (TILE + 16, 17);
    let whole =
        TensorSpec::new([rows, columns], Initializer::Orthogonal { gain: 1.0 }).dtype(dtype);
    let len = (rows * columns) as u64;
    Ok(Fill { operation, ..whole.elements(len - ELEMENTS..len).resolve(0, 7)? })
}

/// A slice of a distribution that is not sampled element by element: of the simplest one.
fn gathered(operation: &'static str, dtype: DType) -> Result<Vec<Fill>> {
    let (initializer, shape) = DIRAC;
    let slice = TensorSpec::new(shape, initializer).dtype(dtype).slice(1, 1..3).slice(2, 1..4);
    Ok(vec![Fill { operation, ..slice.resolve(0, 7)? }])
}

/// Zeroed rows of a whole tensor and of a slice.
fn cleared(operation: &'static str, dtype: DType) -> Result<Vec<Fill>> {
    let normal = TensorSpec::new([9, 7, 11], Initializer::Normal { mean: 1.0, std: 0.1 })
        .dtype(dtype)
        .zero_rows(3..4);
    let slice = normal.clone().slice(1, 2..5).slice(2, 3..10);
    [normal, slice].iter().map(|part| Ok(Fill { operation, ..part.resolve(0, 7)? })).collect()
}

fn compare(context: &Context, fill: &Fill, expected: &[u8], actual: &[u8]) -> Result<()> {
    let size = fill.dtype.size() as usize;
    let mut pairs =
        expected.chunks(size).zip(actual.chunks(size)).zip((0..).map(|n| fill.index(n)));
    let Some(((expected, actual), index)) =
        pairs.find(|((expected, actual), _)| expected != actual)
    else {
        return Ok(());
    };
    let bits =
        |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
    let name = match fill.distribution {
        Distribution::Normal { .. } => "normal",
        Distribution::Uniform { .. } => "uniform",
        Distribution::Truncated { .. } => "truncated",
        Distribution::Constant { .. } => "constant",
        Distribution::Diagonal { .. } => "diagonal",
        Distribution::Sparse { .. } => "sparse",
        Distribution::Orthogonal { .. } => "orthogonal",
    };
    check(
        context,
        fill.operation,
        format!("{name} {}, element {index}", fill.dtype),
        bits(expected),
        bits(actual),
    )
}

fn check(
    context: &Context,
    operation: &'static str,
    what: String,
    expected: String,
    actual: String,
) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(ErrorKind::WrongBits { adapter: context.adapter.clone(), what, expected, actual }
        .during(operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_normals_has_zeros_of_both_signs() {
        let fill = blocks("test", DType::F32, Transform::Normal).unwrap()[2];
        let exact = fill_tensor(&fill, &mut Progress::silent()).unwrap();
        let bits: &[u32] = bytemuck::cast_slice(exact.as_bytes());
        assert_eq!((fill.first, bits[2], bits[3]), (ZEROS, 0x80000000, 0));
    }

    #[test]
    fn a_block_of_normals_has_ties() {
        for (dtype, dropped) in [(DType::F16, 13), (DType::BF16, 16)] {
            let fill = blocks("test", dtype, Transform::Normal).unwrap()[0];
            let exact =
                fill_tensor(&Fill { dtype: DType::F32, ..fill }, &mut Progress::silent()).unwrap();
            let values: &[f32] = bytemuck::cast_slice(exact.as_bytes());
            // Where f16 has subnormal numbers more is dropped.
            let normal =
                values.iter().filter(|value| value.abs() >= 2f32.powi(-14) || dtype == DType::BF16);
            let bits: Vec<u32> = normal.map(|value| value.to_bits()).collect();
            for odd in [0, 1] {
                let is_tie =
                    |bits: &u32| bits & ((2 << dropped) - 1) == odd << dropped | 1 << (dropped - 1);
                assert!(bits.iter().any(is_tie), "{dtype}, {odd}");
            }
        }
        let fill = blocks("test", DType::F16, Transform::Normal).unwrap()[3];
        let exact =
            fill_tensor(&Fill { dtype: DType::F32, ..fill }, &mut Progress::silent()).unwrap();
        let values: &[f32] = bytemuck::cast_slice(exact.as_bytes());
        for odd in [0.0, 1.0] {
            // Subnormal numbers of f16 are multiples of 2^-24.
            let is_tie = |value: &f32| (value.abs() * 2f32.powi(24)).rem_euclid(2.0) == odd + 0.5;
            assert!(
                values.iter().any(|value| value.abs() < 2f32.powi(-14) && is_tie(value)),
                "subnormal, {odd}"
            );
        }
    }
}
