//! Fills a range of a tensor on the host. Twin: `shaders/fill.wgsl`.
//!
//! Lanes of blocks are computed side by side in arrays, which the compiler turns into the vector
//! instructions of the machine; what it finds at run time decides which, and never what comes out.

use rayon::prelude::*;

use crate::philox::{philox4x32, words};
use crate::sample::{Scaling, normal4, uniform4};
use crate::{Distribution, Element, Fill};

/// Blocks computed side by side: the widest vectors hold 16 words.
const LANES: usize = 16;
/// Elements of a unit of work for one core: 256 KiB of f32, inside a core's cache.
const TASK: usize = 1 << 16;

/// What the shader's `params` hold of a fill.
#[derive(Clone, Copy)]
struct Params {
    key: [u32; 2],
    stream: [u32; 2],
    scaling: Scaling,
}

/// How a block becomes values: the shader's `DISTRIBUTION`.
trait Transform: Send + Sync {
    fn values(params: Params, block: [u32; 2]) -> [f32; 4];
}

struct Normal;
struct Uniform;

impl Transform for Normal {
    #[inline(always)]
    fn values(params: Params, block: [u32; 2]) -> [f32; 4] {
        normal4(params.scaling, block_words(params, block))
    }
}

impl Transform for Uniform {
    #[inline(always)]
    fn values(params: Params, block: [u32; 2]) -> [f32; 4] {
        uniform4(params.scaling, block_words(params, block))
    }
}

#[inline(always)]
fn block_words(params: Params, block: [u32; 2]) -> [u32; 4] {
    philox4x32([block[0], block[1], params.stream[0], params.stream[1]], params.key)
}

/// Index of a block plus `n`.
#[inline(always)]
fn block_index(block: [u32; 2], n: u32) -> [u32; 2] {
    let low = block[0].wrapping_add(n);
    [low, block[1].wrapping_add(u32::from(low < n))]
}

/// Writes `fill`'s elements, as many as `out` has, on all cores.
pub(crate) fn fill<T: Element>(fill: &Fill, out: &mut [T]) {
    debug_assert_eq!(fill.len, out.len() as u64);
    let params = Params { key: words(fill.seed), stream: words(fill.stream), scaling: fill.distribution.scaling() };
    match fill.distribution {
        Distribution::Normal { .. } => ranges::<T, Normal>(params, fill.first, out),
        Distribution::Uniform { .. } => ranges::<T, Uniform>(params, fill.first, out),
        Distribution::Constant { value } => {
            let value = T::round(value);
            out.par_chunks_mut(TASK).for_each(|part| part.fill(value));
        }
    }
}

/// Splits the range at block boundaries into one unit of work after another.
fn ranges<T: Element, S: Transform>(params: Params, first: u64, out: &mut [T]) {
    let lead = ((4 - first % 4) % 4).min(out.len() as u64);
    let (head, body) = out.split_at_mut(lead as usize);
    range::<T, S>(params, first, head);
    let first = first + lead;
    body.par_chunks_mut(TASK).enumerate().for_each(|(i, part)| range::<T, S>(params, first + (i * TASK) as u64, part));
}

/// Any range: whole lanes from a block's start, the rest element by element.
fn range<T: Element, S: Transform>(params: Params, first: u64, out: &mut [T]) {
    let mut done = 0;
    if first.is_multiple_of(4) {
        let (lanes, _) = out.as_chunks_mut();
        done = 4 * LANES * lanes.len();
        blocks_detected::<T, S>(params, first / 4, lanes);
    }
    let rest = first + done as u64;
    for (element, index) in out[done..].iter_mut().zip(rest..) {
        *element = T::round(S::values(params, words(index / 4))[(index % 4) as usize]);
    }
}

/// [`blocks`] compiled for the vectors that this machine has.
fn blocks_detected<T: Element, S: Transform>(params: Params, first: u64, out: &mut [[T; 4 * LANES]]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
        fn avx512<T: Element, S: Transform>(params: Params, first: u64, out: &mut [[T; 4 * LANES]]) {
            blocks::<T, S>(params, first, out);
        }
        #[target_feature(enable = "avx2")]
        fn avx2<T: Element, S: Transform>(params: Params, first: u64, out: &mut [[T; 4 * LANES]]) {
            blocks::<T, S>(params, first, out);
        }
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if has_avx512 {
            // SAFETY: every feature that the function is compiled for was just detected.
            return unsafe { avx512::<T, S>(params, first, out) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { avx2::<T, S>(params, first, out) };
        }
    }
    blocks::<T, S>(params, first, out);
}

#[inline(always)]
fn blocks<T: Element, S: Transform>(params: Params, first: u64, out: &mut [[T; 4 * LANES]]) {
    for (part, block) in out.iter_mut().zip((first..).step_by(LANES)) {
        let block = words(block);
        let mut values = [[0f32; LANES]; 4];
        for lane in 0..LANES {
            let block = block_index(block, lane as u32);
            for (column, value) in values.iter_mut().zip(S::values(params, block)) {
                column[lane] = value;
            }
        }
        for (i, element) in part.iter_mut().enumerate() {
            *element = T::round(values[i % 4][i / 4]);
        }
    }
}
