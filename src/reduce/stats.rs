//! Count, range, mean and standard deviation. Mirrored by `shaders/reduce/stats.wgsl`.
//!
//! A chunk is read twice: first for its range, then for sums of (x - centre) scaled into [-1, 1],
//! so that neither a large mean nor a huge or tiny spread costs precision. The chunks are merged in
//! f64.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::cpu::vectors::{Vectorize, Vectors, vectorized};
use crate::distribution::moments::Moments;
use crate::reduce::lanes::{CHUNK, LANES, TOGETHER, reduce_lanes};
use crate::stream::guards::{mul_add, opaque};
use crate::{DType, Distribution, Element, Fill};

/// Statistics of a tensor's elements. Mean, deviation and range are taken over the finite ones.
///
/// ```
/// use gpu_init::{Cpu, Initializer, TensorSpec};
///
/// let stats = Cpu::new().fill(&TensorSpec::new([512, 512], Initializer::xavier_normal()))?.stats();
/// assert_eq!((stats.count, stats.nan, stats.infinite), (262144, 0, 0));
/// assert!((stats.std * 512f64.sqrt() - 1.0).abs() < 0.01);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// All elements.
    pub count: u64,
    /// Elements that are NaN.
    pub nan: u64,
    /// Elements that are infinite.
    pub infinite: u64,
    /// Mean; NaN if no element is finite.
    pub mean: f64,
    /// Standard deviation, with n as divisor; NaN if no element is finite.
    pub std: f64,
    /// The smallest; NaN if no element is finite.
    pub min: f64,
    /// The largest; NaN if no element is finite.
    pub max: f64,
}

/// Sampling errors that count as agreement: a false alarm in 10^9 tensors or fewer.
const SIGMAS: f64 = 6.5;
/// Elements from which on the deviation's sampling error is nearly normal.
const FEWEST: f64 = 64.0;

impl Stats {
    /// Computes the statistics of elements on the host, on all cores.
    ///
    /// ```
    /// let stats = gpu_init::Stats::of(&[1.0f32, 3.0, f32::NAN]);
    /// assert_eq!((stats.count, stats.nan, stats.mean, stats.std), (3, 1, 2.0, 1.0));
    /// ```
    pub fn of<T: Element>(elements: &[T]) -> Self {
        let chunks = elements.par_chunks(CHUNK).with_min_len(TOGETHER).map(Chunk::of);
        Self::merge(chunks.collect::<Vec<_>>().iter())
    }

    /// Joins the statistics of two parts of a tensor.
    ///
    /// ```
    /// use gpu_init::Stats;
    ///
    /// let both = Stats::of(&[1.0f32, 3.0]).join(&Stats::of(&[5.0f32, 7.0]));
    /// assert_eq!(both, Stats::of(&[1.0f32, 3.0, 5.0, 7.0]));
    /// ```
    pub fn join(&self, other: &Stats) -> Self {
        let moments = [self, other].map(|stats| {
            let n = (stats.count - stats.nan - stats.infinite) as f64;
            (n, stats.mean, n * stats.std * stats.std)
        });
        let (n, mean, square) = join_moments(moments);
        Stats {
            count: self.count + other.count,
            nan: self.nan + other.nan,
            infinite: self.infinite + other.infinite,
            mean,
            std: (square / n).sqrt(),
            // Of a number and NaN these take the number.
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// Says how the statistics disagree with the distribution of `fill`; `None` if they agree.
    ///
    /// Every element must be there and finite, mean and deviation may be 6.5 of their own sampling
    /// errors and one rounding away, the range must be inside the distribution's bounds, and
    /// constants must be exact.
    ///
    /// ```
    /// use gpu_init::{Cpu, Initializer, TensorSpec};
    ///
    /// let normal = TensorSpec::new([300, 100], Initializer::xavier_normal()).resolve(0, 0)?;
    /// let uniform = TensorSpec::new([300, 100], Initializer::xavier_uniform()).resolve(0, 0)?;
    /// let stats = Cpu::new().fill(&TensorSpec::new([300, 100], Initializer::xavier_normal()))?.stats();
    /// assert_eq!(stats.disagreement(&normal), None);
    /// assert!(stats.disagreement(&uniform).unwrap().contains("expected within"));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn disagreement(&self, fill: &Fill) -> Option<String> {
        let Fill { distribution, len, .. } = *fill;
        if (self.count, self.nan, self.infinite) != (len, 0, 0) {
            let Stats { count, nan, infinite, .. } = self;
            return Some(format!(
                "{count} elements, {nan} NaN, {infinite} infinite; expected {len}, 0, 0"
            ));
        }
        match distribution {
            Distribution::Constant { value } if value == 0.0 || fill.zeros.is_none() => {
                self.constant_disagreement(fill)
            }
            Distribution::Constant { .. } | Distribution::Diagonal { .. } => {
                self.count_disagreement(fill)
            }
            Distribution::Indexed { .. } => self.range_disagreement(fill),
            _ => self.sampling_disagreement(fill),
        }
    }

    fn constant_disagreement(&self, fill: &Fill) -> Option<String> {
        let mean = fill.moments().mean;
        let exact = self.min == self.max && close(self.min, mean, half_step(fill.dtype, mean));
        (!exact).then(|| format!("values {}..{}, expected {mean} everywhere", self.min, self.max))
    }

    /// Of one value and zero: the mean says how many there are, exactly for ones, whose sums are
    /// exact.
    fn count_disagreement(&self, fill: &Fill) -> Option<String> {
        let (n, (low, high)) = (fill.len as f64, bounds(fill));
        let [low, high] = [low, high].map(|value| fill.dtype.round(value as f32));
        let two = [self.min, self.max].iter().all(|&value| value == low || value == high);
        let (value, nonzero) = (low + high, fill.nonzero());
        let counted = self.mean / value * n;
        let error = if value == 1.0 { 0.5 } else { 0.5 + 5e-7 * n };
        let exact = two && close(counted, nonzero as f64, error);
        let Stats { min, max, .. } = self;
        (!exact).then(|| {
            format!("{counted:.1} values {min}..{max}, expected {nonzero} of {value}, else 0")
        })
    }

    fn range_disagreement(&self, fill: &Fill) -> Option<String> {
        let (low, high) = bounds(fill);
        let half_step = |value| half_step(fill.dtype, value);
        let inside = self.min >= low - half_step(low) && self.max <= high + half_step(high);
        (!inside)
            .then(|| format!("values {}..{}, expected within {low}..{high}", self.min, self.max))
    }

    fn sampling_disagreement(&self, fill: &Fill) -> Option<String> {
        let Moments { mean, std, kurtosis } = fill.moments();
        let (dtype, n, (low, high)) = (fill.dtype, fill.len as f64, bounds(fill));
        let half_step = |value| half_step(dtype, value);
        // All values of a tensor may be rounded the same way where the mean is large beside the
        // deviation.
        let mut rounding = half_step(mean) + f64::from(f32::EPSILON) * (std + mean.abs());
        if let Distribution::Truncated { .. } = fill.distribution {
            // Where a density ends at a bound all is rounded to one side: in mean a step times the
            // part of the distribution that a step is.
            let step = 2.0 * half_step(low.abs().max(high.abs()));
            rounding += step * (step / std).min(1.0);
        }
        let mean_error = SIGMAS * std / n.sqrt() + rounding;
        let spread = SIGMAS * ((kurtosis - 1.0) / (4.0 * n)).sqrt()
            + 2.0 / n
            + dtype.computed().rounding().powi(2);
        let std_error = std * spread + rounding;
        let outside = self.range_disagreement(fill);
        if outside.is_some() {
            outside
        } else if !close(self.mean, mean, mean_error) {
            Some(format!("mean {}, expected {mean} within {mean_error:.2e}", self.mean))
        } else if n >= FEWEST && !close(self.std, std, std_error) {
            Some(format!("std {}, expected {std} within {std_error:.2e}", self.std))
        } else {
            None
        }
    }

    pub(crate) fn merge<'a>(chunks: impl Iterator<Item = &'a Chunk> + Clone) -> Self {
        let count = |counted: fn(&Chunk) -> u32| {
            chunks.clone().map(|chunk| u64::from(counted(chunk))).sum::<u64>()
        };
        let (finite, nan, infinite) =
            (count(|c| c.finite), count(|c| c.nan), count(|c| c.infinite));
        let (n, mean, square) = join_moments(chunks.clone().map(Chunk::moments));
        let none = |value: f64| if finite == 0 { f64::NAN } else { value };
        let min = chunks.clone().map(|chunk| chunk.min).min().unwrap_or(u32::MAX);
        let max = chunks.map(|chunk| chunk.max).max().unwrap_or(0);
        Stats {
            count: finite + nan + infinite,
            nan,
            infinite,
            mean,
            std: (square / n).sqrt(),
            min: none(from_ordered_key(min).into()),
            max: none(from_ordered_key(max).into()),
        }
    }
}

/// Half a step of the element type at a value; near zero it is that of the smallest subnormal.
/// Integers are exact, but for the rounding to f32 that statistics are taken of.
fn half_step(dtype: DType, value: f64) -> f64 {
    let dtype = if dtype.is_integer() { DType::F32 } else { dtype.computed() };
    dtype.rounding() * value.abs() + dtype.least_subnormal().unwrap_or(0.0) / 2.0
}

/// Whether two values differ by at most `error`; NaN is close to nothing.
fn close(actual: f64, expected: f64, error: f64) -> bool {
    (actual - expected).abs() <= error
}

/// The least and the largest value possible, with the zeros of rows that are zero.
fn bounds(fill: &Fill) -> (f64, f64) {
    let (low, high) = fill.distribution.bounds();
    if fill.zeros.is_some() { (low.min(0.0), high.max(0.0)) } else { (low, high) }
}

/// Count, mean and sum of squares about the mean of all parts together (Chan, Golub and LeVeque
/// 1979). Mean and squares are NaN if there is nothing.
fn join_moments(parts: impl IntoIterator<Item = (f64, f64, f64)>) -> (f64, f64, f64) {
    let parts = parts.into_iter().filter(|&(n, ..)| n > 0.0);
    let joined = parts.reduce(|(n, mean, square), (part_n, part_mean, part_square)| {
        let (total, delta) = (n + part_n, part_mean - mean);
        (
            total,
            mean + delta * (part_n / total),
            square + part_square + delta * delta * (n * part_n / total),
        )
    });
    joined.unwrap_or((0.0, f64::NAN, f64::NAN))
}

/// The statistics of one chunk, as the shader writes them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct Chunk {
    pub(crate) finite: u32,
    pub(crate) nan: u32,
    pub(crate) infinite: u32,
    /// Ordered keys of the smallest and the largest finite value.
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Of d = (x - centre) * scale.
    pub(crate) sum: f32,
    /// Of d * d.
    pub(crate) square: f32,
}

impl Chunk {
    /// The statistics of at most `CHUNK` elements.
    pub(crate) fn of<T: Element>(elements: &[T]) -> Self {
        let mut range = [u32::MAX, 0];
        vectorized(Range { elements, range: &mut range });
        let all_finite = FINITE.contains(&range[0]) && FINITE.contains(&range[1]);
        let ([finite, nan, infinite], [min, max]) =
            if all_finite { ([elements.len() as u32, 0, 0], range) } else { count(elements) };
        let (centre, scale) = centre_and_scale(min, max);

        let mut sums = [[0f32; LANES]; 2];
        vectorized(Sums { elements, all_finite, centre, scale, sums: &mut sums });
        let [sum, square] = sums.map(|lanes| reduce_lanes(lanes, |a, b| a + b));
        Chunk { finite, nan, infinite, min, max, sum, square }
    }

    /// Number of finite elements, their mean and the sum of squares about it.
    fn moments(&self) -> (f64, f64, f64) {
        let (centre, scale) = centre_and_scale(self.min, self.max);
        let (n, sum, square) =
            (f64::from(self.finite), f64::from(self.sum), f64::from(self.square));
        let (centre, scale) = (f64::from(centre), f64::from(scale));
        (n, centre + sum / n / scale, (square - sum * sum / n).max(0.0) / scale / scale)
    }
}

/// Lanes whose sums are in registers at a time.
const GROUP: usize = 32;

/// Ordered keys of the finite values.
const FINITE: std::ops::Range<u32> = 0x00800000..0xff800000;

/// The range of the ordered keys of all elements, finite or not.
struct Range<'a, T> {
    elements: &'a [T],
    range: &'a mut [u32; 2],
}

impl<T: Element> Vectorize for Range<'_, T> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        let [mut low, mut high] = *self.range;
        for element in self.elements {
            let key = ordered_key(element.widen().to_bits());
            (low, high) = (low.min(key), high.max(key));
        }
        *self.range = [low, high];
    }
}

/// Numbers of finite values, NaNs and infinities, and the range of the finite ones' keys.
fn count<T: Element>(elements: &[T]) -> ([u32; 3], [u32; 2]) {
    let (mut counts, [mut low, mut high]) = ([0; 3], [u32::MAX, 0]);
    for element in elements {
        let value = element.widen();
        if value.is_finite() {
            let key = ordered_key(value.to_bits());
            (low, high) = (low.min(key), high.max(key));
            counts[0] += 1;
        } else {
            counts[if value.is_nan() { 1 } else { 2 }] += 1;
        }
    }
    (counts, [low, high])
}

/// The sums of d = (x - centre) * scale and of d * d, by lanes.
struct Sums<'a, T> {
    elements: &'a [T],
    all_finite: bool,
    centre: f32,
    scale: f32,
    sums: &'a mut [[f32; LANES]; 2],
}

impl<T: Element> Vectorize for Sums<'_, T> {
    #[inline(always)]
    fn run(self, _: Vectors) {
        match self.all_finite {
            true => self.add::<true>(),
            false => self.add::<false>(),
        }
    }
}

impl<T: Element> Sums<'_, T> {
    #[inline(always)]
    fn add<const ALL_FINITE: bool>(self) {
        let Sums { elements, centre, scale, sums: [sums, squares], .. } = self;
        let step = |element: T, sum: &mut f32, square: &mut f32| {
            let value = element.widen();
            // A zero that is added is none: no sum is -0.
            let d = if ALL_FINITE || value.is_finite() { (value - centre) * scale } else { 0.0 };
            *sum = opaque(*sum + d);
            *square = opaque(mul_add(d, d, *square));
        };
        let (rows, last) = elements.as_chunks::<LANES>();
        let groups = sums.as_chunks_mut::<GROUP>().0.iter_mut();
        for (group, (sums, squares)) in groups.zip(squares.as_chunks_mut::<GROUP>().0).enumerate() {
            let (mut own_sums, mut own_squares) = (*sums, *squares);
            for row in rows {
                let row = &row.as_chunks::<GROUP>().0[group];
                for (i, &element) in row.iter().enumerate() {
                    step(element, &mut own_sums[i], &mut own_squares[i]);
                }
            }
            (*sums, *squares) = (own_sums, own_squares);
        }
        for ((&element, sum), square) in last.iter().zip(sums).zip(squares) {
            step(element, sum, square);
        }
    }
}

/// The middle of a range given by ordered keys, and a power of two that scales the range about it
/// to [-1, 1].
fn centre_and_scale(min: u32, max: u32) -> (f32, f32) {
    let minimum = from_ordered_key(min);
    let maximum = from_ordered_key(max);
    (maximum * 0.5 + minimum * 0.5, scale_for(maximum * 0.5 - minimum * 0.5))
}

/// Unsigned integers in the order of the floats, -0 before +0.
#[inline(always)]
fn ordered_key(bits: u32) -> u32 {
    bits ^ if bits & 0x80000000 != 0 { 0xffffffff } else { 0x80000000 }
}

fn from_ordered_key(key: u32) -> f32 {
    f32::from_bits(key ^ if key & 0x80000000 != 0 { 0x80000000 } else { 0xffffffff })
}

/// 2^-e where the half range is in [2^e, 2^(e + 1)), kept a normal number.
fn scale_for(half_range: f32) -> f32 {
    let exponent = (half_range.to_bits() >> 23).clamp(1, 253);
    f32::from_bits((254 - exponent) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, Initializer, Layout, TensorSpec};

    /// Rows of zeros change what is expected by the elements that they take away, and one more or
    /// less shows.
    #[test]
    fn rows_of_zeros_agree_and_others_do_not() {
        let eye = TensorSpec::new([1000, 500], Initializer::eye());
        let delta = TensorSpec::new([3, 64, 64], Initializer::delta_orthogonal());
        let ones = TensorSpec::new([1000, 500], Initializer::ones());
        for (whole, rows) in [
            (eye.clone(), 500..1000),
            (eye.clone(), 0..1),
            (eye.clone().scale(0.3).dtype(DType::BF16), 0..1),
            (eye.clone().slice(1, 10..20), 5..15),
            (eye.clone(), 0..1000),
            (ones.clone(), 3..4),
            (ones.clone().slice(0, 0..3), 3..4),
            (ones.clone().slice(0, 3..4), 3..4),
            (TensorSpec::new([10, 10], Initializer::zeros()), 3..4),
            (delta.clone().layout(Layout::KernelInOut), 0..1),
            (delta.clone().layout(Layout::KernelInOut), 1..2),
        ] {
            let zeroed = whole.zero_rows(rows);
            let fill = zeroed.resolve(0, 0).unwrap();
            let disagreement = Cpu::new().fill(&zeroed).unwrap().stats().disagreement(&fill);
            assert_eq!(disagreement, None, "{zeroed:?}");
        }
        for whole in [eye, ones] {
            let stats = Cpu::new().fill(&whole.clone().zero_rows(3..5)).unwrap().stats();
            assert!(stats.disagreement(&whole.zero_rows(3..4).resolve(0, 0).unwrap()).is_some());
        }
    }
}
