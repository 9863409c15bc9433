//! Runs kernels on the cases and compares the result with the CPU path.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpu::fill::fill_tensor;
use crate::gpu::engine::Engine;
use crate::gpu::engine::fill::{record, record_shared};
use crate::gpu::engine::kernel::Transform;
use crate::gpu::engine::pipelines::Kernels;
use crate::gpu::engine::plan::batch::{Allocation, share};
use crate::gpu::engine::readback;
use crate::gpu::engine::recorder::Recorder;
use crate::gpu::engine::reduce;
use crate::gpu::engine::view::View;
use crate::gpu::engine::vulkan;
use crate::gpu::self_test::cases::{self, DIRAC, ORTHOGONAL, SPARSE};
use crate::gpu::self_test::group::Group;
use crate::gpu::wgsl::Arithmetic;
use crate::progress::Progress;
use crate::{Distribution, ErrorKind, Fill, HostTensor, Result};

/// The groups that were verified, each with the arithmetic of its shaders.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<HashSet<(Group, Arithmetic)>>);

impl Verified {
    /// Those of `groups` that are not verified yet, each of them once.
    fn missing(&self, groups: &[Group], arithmetic: Arithmetic) -> Vec<Group> {
        let verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut once = HashSet::new();
        let is_missing =
            |&group: &Group| !verified.contains(&(group, arithmetic)) && once.insert(group);
        groups.iter().copied().filter(is_missing).collect()
    }

    fn add(&self, groups: Vec<Group>, arithmetic: Arithmetic) {
        let groups = groups.into_iter().map(|group| (group, arithmetic));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(groups);
    }
}

/// Verifies the groups that were not verified before, and falls back to shaders that ask less of
/// the driver where others are wrong. Returns the kernels in force, of which these groups may be
/// used.
///
/// # Errors
/// [`ErrorKind::WrongBits`] if a kernel is still wrong, and what the device reports.
pub(crate) async fn verify(
    engine: &Engine,
    verified: &Verified,
    groups: impl Iterator<Item = Group>,
) -> Result<Arc<Kernels>, ErrorKind> {
    let groups: Vec<_> = groups.collect();
    loop {
        let kernels = engine.pipelines.kernels();
        let missing = verified.missing(&groups, kernels.arithmetic());
        match test(engine, &kernels, &missing).await {
            Err(ErrorKind::WrongBits { .. }) if engine.pipelines.fall_back(&kernels) => {}
            tested => {
                tested?;
                verified.add(missing, kernels.arithmetic());
                // Another thread may have made them fall back meanwhile.
                if Arc::ptr_eq(&kernels, &engine.pipelines.kernels()) {
                    return Ok(kernels);
                }
            }
        }
    }
}

/// Runs the kernels of these groups and compares the results with the CPU's.
async fn test(engine: &Engine, kernels: &Kernels, groups: &[Group]) -> Result<(), ErrorKind> {
    let (many, others): (Vec<_>, Vec<_>) =
        groups.iter().partition(|group| matches!(group, Group::Many(..)));
    test_fills(engine, kernels, &many, true).await?;
    let views = test_fills(engine, kernels, &others, false).await?;
    for group in others {
        let Group::Reduce(dtype) = *group else { continue };
        let Some(view) = views.iter().find(|view| view.fill.dtype == dtype) else { continue };
        test_reductions(engine, kernels, view).await?;
    }
    Ok(())
}

fn cases_of(group: Group) -> Result<Vec<Fill>, ErrorKind> {
    match group {
        // The reductions' input has to be right, too.
        Group::Reduce(dtype) if dtype.is_converted() => Ok(cases::converted(dtype)[..1].to_vec()),
        Group::Reduce(dtype) => {
            cases::blocks(dtype, Transform::Normal).map(|blocks| blocks[..1].to_vec())
        }
        Group::Fill(dtype, transform) => cases::blocks(dtype, transform),
        Group::Slice(dtype, transform) => cases::slices(dtype, transform),
        Group::Many(dtype, transform) => cases::many(dtype, transform),
        Group::Convert(dtype) => Ok(cases::converted(dtype)),
        Group::Clear(dtype) => cases::cleared(dtype),
        Group::Gather(dtype) => cases::gathered(dtype),
        Group::Diagonal(dtype) => cases::parts(dtype, DIRAC),
        Group::Sparse(dtype) => cases::parts(dtype, SPARSE),
        Group::Orthogonal(dtype) => cases::parts(dtype, ORTHOGONAL),
        Group::TallOrthogonal(dtype) => {
            Ok([cases::parts(dtype, ORTHOGONAL)?, vec![cases::tall(dtype)?]].concat())
        }
    }
}

/// What the CPU makes of a fill.
fn expected(fill: &Fill) -> Result<HostTensor, ErrorKind> {
    fill_tensor(fill, &mut Progress::silent())
}

/// Fills tensors in buffers that they share, one by one or by the kernel for many, and compares them
/// with the CPU's. That kernel writes zeros, too, up to the next tensor.
async fn test_fills(
    engine: &Engine,
    kernels: &Kernels,
    groups: &[&Group],
    are_many: bool,
) -> Result<Vec<View>, ErrorKind> {
    let fills = groups.iter().map(|&&group| cases_of(group)).collect::<Result<Vec<_>, _>>()?;
    let fills = fills.concat();
    let (allocations, sizes) = share(fills.iter(), &engine.limits);
    let mut buffers = Vec::with_capacity(sizes.len());
    for size in sizes {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        buffers.push(match are_many {
            true => vulkan::unwritten(&engine.context, size, usage).await?,
            false => engine.scratch(size).await?,
        });
    }
    let view = |(fill, to): (Fill, &Allocation)| View {
        fill,
        buffer: buffers[to.buffer].clone(),
        offset: to.offset,
    };
    let views: Vec<_> = fills.into_iter().zip(&allocations).map(view).collect();
    let mut recorder = Recorder::into_queue(engine, kernels);
    if are_many {
        let tensors: Vec<_> = views.iter().zip(allocations.iter().copied()).collect();
        record_shared(engine, &tensors, &buffers, &mut recorder).await?;
    } else {
        record(engine, &views.iter().collect::<Vec<_>>(), &mut recorder).await?;
    }
    recorder.finish().await?;
    let mut contents = Vec::with_capacity(buffers.len());
    for buffer in &buffers {
        contents.push(readback::read_all(&engine.context, buffer).await?);
    }
    for (View { fill, .. }, to) in views.iter().zip(allocations) {
        let mut expected = expected(fill)?.as_bytes().to_vec();
        if let (true, Some(padded)) = (are_many, to.padded) {
            expected.resize(padded as usize, 0);
        }
        compare(engine, fill, &expected, &contents[to.buffer][to.offset as usize..])?;
    }
    Ok(views)
}

/// Compares the reductions of a tensor with the CPU's.
async fn test_reductions(engine: &Engine, kernels: &Kernels, view: &View) -> Result<(), ErrorKind> {
    let (expected, dtype) = (expected(&view.fill)?, view.fill.dtype);
    let fingerprints = reduce::fingerprints(engine, kernels, &[view]).await?;
    let summaries = reduce::summaries(engine, kernels, &[view]).await?;
    check(
        engine,
        || format!("fingerprint {dtype}"),
        format!("{:?}", [expected.fingerprint()]),
        format!("{fingerprints:?}"),
    )?;
    check(
        engine,
        || format!("summary {dtype}"),
        format!("{:?}", [expected.summary()]),
        format!("{summaries:?}"),
    )
}

fn compare(engine: &Engine, fill: &Fill, expected: &[u8], actual: &[u8]) -> Result<(), ErrorKind> {
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
        Distribution::LogUniform { .. } => "log_uniform",
        Distribution::Indexed { .. } => "indexed",
    };
    let what = || format!("{name} {}, element {index}", fill.dtype);
    check(engine, what, bits(expected), bits(actual))
}

fn check(
    engine: &Engine,
    what: impl Fn() -> String,
    expected: String,
    actual: String,
) -> Result<(), ErrorKind> {
    if expected == actual { Ok(()) } else { Err(engine.wrong_bits(what(), expected, actual)) }
}
