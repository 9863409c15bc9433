//! How words become values, one block at a time and many side by side. Mirrored by `values`
//! in `shaders/fill.wgsl`.

use crate::Element;
use crate::cpu::blocks::{Blocks, PAIRS, word};
use crate::cpu::vectors::Vectors;
use crate::stream::guards::add_product;
use crate::stream::sample::{Scaling, neg_log2, normal4, on_circle, shifted4, uniform1, uniform4};
use crate::stream::truncated::{Table, cubic, segment, truncated4};

/// How words become values: the shader's `DISTRIBUTION`.
pub(super) trait Transform: Copy + Send + Sync {
    /// The values of a block.
    fn values(self, words: [u32; 4]) -> [f32; 4];

    /// The values of pairs of words, side by side. Loops are short, each of them over all pairs, so
    /// that what a loop needs stays in registers.
    fn pairs<T: Element>(self, vectors: Vectors, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]);
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
    fn pairs<T: Element>(self, _: Vectors, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
        let mut squares = [0f32; PAIRS];
        for (square, &first) in squares.iter_mut().zip(blocks.first()) {
            *square = neg_log2(word(first));
        }
        for ((pair, &square), &second) in out.iter_mut().zip(&squares).zip(blocks.second()) {
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
    fn pairs<T: Element>(self, _: Vectors, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
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
    fn pairs<T: Element>(self, vectors: Vectors, blocks: &Blocks, out: &mut [[T; 2]; PAIRS]) {
        let mut values = [[0f32; PAIRS]; 2];
        for (values, words) in values.iter_mut().zip([blocks.first(), blocks.second()]) {
            let (mut indices, mut ts) = ([0u32; PAIRS], [0f32; PAIRS]);
            for ((index, t), &stored) in indices.iter_mut().zip(&mut ts).zip(words) {
                (*index, *t) = segment(word(stored));
            }
            let (indices, ts) = (indices.as_chunks().0, ts.as_chunks::<8>().0);
            for ((values, &indices), ts) in
                values.as_chunks_mut::<8>().0.iter_mut().zip(indices).zip(ts)
            {
                let [c0, c1, c2, c3] = vectors.columns(self.table, indices);
                for (i, value) in values.iter_mut().enumerate() {
                    *value = cubic(self.low, self.high, [c0[i], c1[i], c2[i], c3[i]], ts[i]);
                }
            }
        }
        for ((pair, &x), &y) in out.iter_mut().zip(&values[0]).zip(&values[1]) {
            *pair = [T::round(x), T::round(y)];
        }
    }
}
