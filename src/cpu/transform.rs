//! How words become values, one block at a time and many side by side. Mirrored by `values`
//! in `shaders/fill.wgsl`.

use crate::Element;
use crate::cpu::blocks::{Blocks, PAIRS, word};
use crate::cpu::vectors::{Lookup, Vectors};
use crate::stream::guards::add_product;
use crate::stream::sample::{Scaling, neg_log2, normal4, on_circle, shifted4, uniform1, uniform4};
use crate::stream::truncated::{SIDE, Table, cubic, segment, truncated4};

/// How words become values: the shader's `DISTRIBUTION`.
pub(super) trait Transform: Copy + Send + Sync {
    /// The values of a block.
    fn values(self, words: [u32; 4]) -> [f32; 4];

    /// The values of pairs of words, side by side. Loops are short, each of them over all pairs, so
    /// that what a loop needs stays in registers.
    fn pairs<T: Element>(self, vectors: Vectors, lanes: &mut Lanes, out: &mut [[T; 2]; PAIRS]);
}

/// What loops leave for the next ones, made once and not for each chunk. It begins where a line of
/// the cache does, as all its arrays then do: access to two lines takes twice as long.
#[repr(align(64))]
pub(super) struct Lanes {
    pub(super) blocks: Blocks,
    values: [[f32; PAIRS]; 2],
    lookup: Lookup<{ 2 * SIDE }, PAIRS>,
}

impl Lanes {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Lanes { blocks: Blocks::zeroed(), values: [[0.0; PAIRS]; 2], lookup: Lookup::new() }
    }
}

/// Normals, with a mean that is not 0 if `SHIFTED`.
#[derive(Clone, Copy)]
pub(super) struct Normal<const SHIFTED: bool>(pub(super) Scaling);
#[derive(Clone, Copy)]
pub(super) struct Uniform(pub(super) Scaling);
#[derive(Clone, Copy)]
pub(super) struct Truncated<'a> {
    pub(super) table: &'a Table,
    pub(super) low: f32,
    pub(super) high: f32,
}

impl<const SHIFTED: bool> Transform for Normal<SHIFTED> {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        let normals = normal4(self.0.scale, words);
        if SHIFTED { shifted4(self.0, normals) } else { normals }
    }

    #[inline(always)]
    fn pairs<T: Element>(self, _: Vectors, lanes: &mut Lanes, out: &mut [[T; 2]; PAIRS]) {
        let Lanes { blocks, values: [squares, _], .. } = lanes;
        for (square, &first) in squares.iter_mut().zip(blocks.first()) {
            *square = neg_log2(word(first));
        }
        for ((pair, &square), &second) in out.iter_mut().zip(&*squares).zip(blocks.second()) {
            let [mut x, mut y] = on_circle(self.0.scale, square, word(second));
            if SHIFTED {
                (x, y) = (add_product(x, self.0.shift), add_product(y, self.0.shift));
            }
            *pair = [T::round(x), T::round(y)];
        }
    }
}

impl Transform for Uniform {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        uniform4(self.0, words)
    }

    #[inline(always)]
    fn pairs<T: Element>(self, _: Vectors, lanes: &mut Lanes, out: &mut [[T; 2]; PAIRS]) {
        let blocks = &lanes.blocks;
        for ((pair, &first), &second) in out.iter_mut().zip(blocks.first()).zip(blocks.second()) {
            *pair =
                [T::round(uniform1(self.0, word(first))), T::round(uniform1(self.0, word(second)))];
        }
    }
}

impl Transform for Truncated<'_> {
    #[inline(always)]
    fn values(self, words: [u32; 4]) -> [f32; 4] {
        truncated4(self.table, self.low, self.high, words)
    }

    #[inline(always)]
    fn pairs<T: Element>(self, vectors: Vectors, lanes: &mut Lanes, out: &mut [[T; 2]; PAIRS]) {
        let Lanes { blocks, values, lookup } = lanes;
        for (values, words) in values.iter_mut().zip([blocks.first(), blocks.second()]) {
            for (i, (value, &stored)) in values.iter_mut().zip(words).enumerate() {
                let (index, t) = segment(word(stored));
                lookup.choose(i, index);
                *value = t;
            }
            lookup.apply(vectors, self.table, values, |row, t| cubic(self.low, self.high, row, t));
        }
        for ((pair, &x), &y) in out.iter_mut().zip(&values[0]).zip(&values[1]) {
            *pair = [T::round(x), T::round(y)];
        }
    }
}
