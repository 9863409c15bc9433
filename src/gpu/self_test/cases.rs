//! The fills by which kernels are verified.

use crate::distribution::indexed::Indexed;
use crate::distribution::orthogonal::TILE;
use crate::gpu::engine::kernel::Transform;
use crate::stream::quantile::Truncated;
use crate::{DType, Distribution, ErrorKind, Fill, Initializer, Result, TensorSpec};

fn resolved(spec: &TensorSpec) -> Result<Fill, ErrorKind> {
    spec.resolve(0, 7).map_err(|error| error.kind().clone())
}

/// Elements of a block: enough that the rare paths of the radius and of the rounding are taken.
const ELEMENTS: u64 = 4096;
/// A block's first element, beyond 2^32. Among its normals of `SPREAD` are some half way between two
/// values of each half type, below an even one and below an odd one, which are rare.
const FIRST: u64 = (1 << 40) + 66_531_328;
/// Where a pair of normals is zero, the first of them with a minus: one in 2^32 is.
const ZEROS: u64 = 1_191_969_599_388;
/// A block with ties of subnormal f16 numbers.
const SUBNORMAL_TIES: u64 = (1 << 40) + 778_240;

/// The blocks of a kernel: from a block's start (entry point `fill`) and from inside one
/// (`fill_words`), and others for what is rare.
pub(super) fn blocks(dtype: DType, transform: Transform) -> Result<Vec<Fill>, ErrorKind> {
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
                .map(|(std, low, high)| Truncated { mean: 0.0, std, low, high })
                .map(|truncated| Distribution::truncated_normal(truncated, dtype))
                .collect::<Result<_, _>>()?
        }
    };
    let mut fills = Vec::new();
    for distribution in distributions {
        // For other distributions these blocks show nothing more.
        let zeros = (transform == Transform::Normal).then_some((ZEROS, 8));
        let ties = zeros.filter(|_| dtype == DType::F16).map(|_| (SUBNORMAL_TIES, ELEMENTS));
        let blocks = [(FIRST, ELEMENTS), (FIRST + 1, 511)].into_iter().chain(zeros).chain(ties);
        fills.extend(blocks.map(|(first, len)| Fill {
            operation: "self-test",
            distribution,
            dtype,
            seed: 0x0123_4567_89ab_cdef,
            stream: 0xfedc_ba98_7654_3210,
            first,
            len,
            runs: None,
            zeros: None,
        }));
    }
    Ok(fills)
}

/// The same distributions in small tensors, of a part of `fill_many` and less and more.
pub(super) fn many(dtype: DType, transform: Transform) -> Result<Vec<Fill>, ErrorKind> {
    let blocks = blocks(dtype, transform)?.into_iter().filter(|block| block.first == FIRST);
    Ok(blocks.flat_map(|block| [ELEMENTS, 1, 1027].map(|len| Fill { len, ..block })).collect())
}

/// The same distributions in a slice of an odd number of elements beyond 2^32.
pub(super) fn slices(dtype: DType, transform: Transform) -> Result<Vec<Fill>, ErrorKind> {
    // Rows beyond 2^32, too, where a dimension may be that long: not on wasm32.
    let middle = (usize::MAX as u64 / 4).min(1 << 33);
    let shape = [2 * middle as usize, 7, 11];
    let whole = TensorSpec::new(shape, Initializer::ones()).dtype(dtype);
    let slice = resolved(&whole.slice(0, middle + 1..middle + 6).slice(2, 3..10))?;
    let blocks = blocks(dtype, transform)?.into_iter().filter(|block| block.first == FIRST);
    Ok(blocks
        .map(|Fill { distribution, seed, stream, .. }| Fill { distribution, seed, stream, ..slice })
        .collect())
}

/// A spread that f16 holds as normal and subnormal numbers.
const SPREAD: f32 = 1.0 / 8192.0;

/// That spread about a mean; then means half way between two values of the type, with a spread that
/// vanishes beside them, since random values hardly ever show how ties are rounded.
fn spreads(
    dtype: DType,
    mean: f32,
    distribution: fn(f32, f32) -> Distribution,
) -> Vec<Distribution> {
    let ties: &[f32] = match dtype {
        DType::F32 => &[],
        DType::F16 => &[1.0 + 0.5 / 1024.0, 1.0 + 1.5 / 1024.0, 1.5 / 16777216.0, 2.5 / 16777216.0],
        DType::BF16 => &[1.0 + 0.5 / 128.0, 1.0 + 1.5 / 128.0],
        // Their kernels have cases of their own.
        _ => &[],
    };
    std::iter::once(distribution(mean, SPREAD))
        .chain(ties.iter().map(|&tie| distribution(tie, 1e-20)))
        .collect()
}

/// Values that the host computes, of which a converting kernel rounds each in its own way: the
/// middles between two subnormal numbers of the type and between two normal ones, of either sign,
/// and numbers beyond the largest.
pub(super) fn converted(dtype: DType) -> Vec<Fill> {
    /// No multiple of 4, so that the last word is written in part.
    const LEN: u64 = 1027;
    let (least, digits, largest) = match dtype {
        DType::F8E4M3 => (-9, 3, 7),
        DType::F8E5M2 => (-16, 2, 14),
        _ => (-40, 3, 40),
    };
    let around_zero = [(-33.0, least - 1), (-33.5, least - 2)];
    let binades = [least + digits + 2, 0, largest, largest + 1]
        .into_iter()
        .flat_map(|binade| [(-2f64.powi(digits + 2), binade - digits - 1), (0.3, binade - 4)]);
    around_zero
        .into_iter()
        .chain(binades)
        .map(|(start, exponent)| {
            let step = 2f64.powi(exponent);
            let indexed = Indexed::unchecked(start * step, step, LEN);
            Fill {
                operation: "self-test",
                distribution: Distribution::Indexed { indexed },
                dtype,
                seed: 0,
                stream: 0,
                first: 0,
                len: LEN,
                runs: None,
                zeros: None,
            }
        })
        .collect()
}

/// An initializer and a shape for it.
pub(super) type Example = (Initializer, &'static [usize]);

pub(super) const DIRAC: Example = (Initializer::Dirac { groups: 3 }, &[6, 3, 5]);
pub(super) const SPARSE: Example = (Initializer::Sparse { sparsity: 0.3, std: 1.0 }, &[70, 9]);
pub(super) const ORTHOGONAL: Example = (Initializer::Orthogonal { gain: 1.5 }, &[50, 37]);

/// The whole of an example, and all but its first element.
pub(super) fn parts(dtype: DType, (initializer, shape): Example) -> Result<Vec<Fill>, ErrorKind> {
    let whole = TensorSpec::new(shape, initializer).dtype(dtype);
    let rest = whole.clone().elements(1..shape.iter().product::<usize>() as u64);
    [whole, rest].iter().map(resolved).collect()
}

/// The last rows of a matrix of two tiles, from before the second one on. Of no more rows than any
/// device has bindings for.
pub(super) fn tall(dtype: DType) -> Result<Fill, ErrorKind> {
    let (rows, columns) = (TILE + 16, 17);
    let whole = TensorSpec::new([rows, columns], Initializer::orthogonal()).dtype(dtype);
    let len = (rows * columns) as u64;
    resolved(&whole.elements(len - ELEMENTS..len))
}

/// A slice of scattered values: of the simplest distribution that has them.
pub(super) fn gathered(dtype: DType) -> Result<Vec<Fill>, ErrorKind> {
    let (initializer, shape) = DIRAC;
    let slice = TensorSpec::new(shape, initializer).dtype(dtype).slice(1, 1..3).slice(2, 1..4);
    Ok(vec![resolved(&slice)?])
}

/// Zeroed rows of a whole tensor and of a slice.
pub(super) fn cleared(dtype: DType) -> Result<Vec<Fill>, ErrorKind> {
    let normal =
        TensorSpec::new([9, 7, 11], Initializer::normal(1.0, 0.1)).dtype(dtype).zero_rows(3..4);
    let slice = normal.clone().slice(1, 2..5).slice(2, 3..10);
    [normal, slice].iter().map(resolved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::fill::fill_tensor;
    use crate::progress::Progress;

    /// The normals of a block before they are rounded to its type.
    fn exact(dtype: DType, block: usize) -> Vec<f32> {
        let fill = blocks(dtype, Transform::Normal).unwrap()[block];
        let exact = Fill { dtype: DType::F32, ..fill };
        fill_tensor(&exact, &mut Progress::silent()).unwrap().into_vec().unwrap()
    }

    #[test]
    fn a_block_of_normals_has_zeros_of_both_signs() {
        assert_eq!(blocks(DType::F32, Transform::Normal).unwrap()[2].first, ZEROS);
        let values = exact(DType::F32, 2);
        assert_eq!([values[2], values[3]].map(f32::to_bits), [0x80000000, 0]);
    }

    #[test]
    fn a_block_of_normals_has_ties() {
        for (dtype, dropped) in [(DType::F16, 13), (DType::BF16, 16)] {
            // Where f16 has subnormal numbers more is dropped.
            let least = if dtype == DType::F16 { 2f32.powi(-14) } else { 0.0 };
            let normal = exact(dtype, 0).into_iter().filter(|value| value.abs() >= least);
            let bits: Vec<u32> = normal.map(f32::to_bits).collect();
            for odd in [0, 1] {
                let is_tie =
                    |bits: &u32| bits & ((2 << dropped) - 1) == odd << dropped | 1 << (dropped - 1);
                assert!(bits.iter().any(is_tie), "{dtype}, {odd}");
            }
        }
        let values = exact(DType::F16, 3).into_iter().map(f32::abs);
        let subnormal: Vec<_> = values.filter(|&value| value < 2f32.powi(-14)).collect();
        for odd in [0.0, 1.0] {
            // Subnormal numbers of f16 are multiples of 2^-24.
            let is_tie = |value: &f32| (value * 2f32.powi(24)).rem_euclid(2.0) == odd + 0.5;
            assert!(subnormal.iter().any(is_tie), "subnormal, {odd}");
        }
    }
}
