//! Groups of kernels that are verified together.

#[cfg(test)]
use strum::VariantArray;

use crate::distribution::orthogonal::TILE;
use crate::gpu::engine::kernel::Transform;
use crate::gpu::engine::plan;
use crate::gpu::engine::plan::convert::{kernel_type, source_type};
use crate::{DType, Distribution, Fill};

/// Kernels that are compiled and verified together: few, since compilation takes most of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// Distributions that are sampled per element.
    Fill(DType, Transform),
    /// The same for small tensors that share a buffer.
    Many(DType, Transform),
    /// The same for slices.
    Slice(DType, Transform),
    /// Fingerprints and summaries.
    Reduce(DType),
    /// Conversion to F64 or 8-bit types; for F32, the copy of values that the host computes.
    Convert(DType),
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
    /// The kernel of F32 normals, which most programs need.
    pub(crate) const COMMON: Group = Group::Fill(DType::F32, Transform::Normal);

    /// All but slices and scattered values, for tests.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Group> {
        let kinds = || {
            DType::SAMPLED.into_iter().flat_map(|dtype| {
                Transform::VARIANTS.iter().map(move |&transform| (dtype, transform))
            })
        };
        let fills = kinds().flat_map(|(dtype, transform)| {
            [Group::Fill(dtype, transform), Group::Many(dtype, transform)]
        });
        let converts = [DType::F32, DType::F64, DType::F8E4M3, DType::F8E5M2].map(Group::Convert);
        fills.chain(converts).chain(DType::FLOATS.map(Group::Reduce)).collect()
    }

    /// The groups that fill a tensor, in a buffer that it shares or not.
    pub(crate) fn of_fill(fill: &Fill, is_shared: bool) -> impl Iterator<Item = Group> + use<> {
        let Fill { distribution, runs, zeros, .. } = *fill;
        let dtype = source_type(fill.dtype);
        let uploaded = distribution.is_uploaded();
        let convert =
            (uploaded || dtype != fill.dtype).then_some(Group::Convert(kernel_type(fill.dtype)));
        let (base, is_slice) = (distribution.base(), runs.is_some());
        let group = match is_slice && base == distribution {
            true => Group::Slice,
            false if is_shared => Group::Many,
            false => Group::Fill,
        };
        // A slice of scattered values starts as zeros.
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
        let background = Some(group(dtype, base.into()));
        let computed = [background, gathered, gather, over, clear].into_iter().flatten();
        computed.filter(move |_| !uploaded).chain(convert)
    }

    /// The group that reduces tensors of a type.
    pub(crate) fn of_reductions(dtype: DType) -> Group {
        Group::Reduce(plan::reduce::kernel_type(dtype))
    }
}
