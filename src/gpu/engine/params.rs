//! The uniform structs of the shaders, field by field: a test compares them with the WGSL.

use bytemuck::{Pod, Zeroable};

use crate::Fill;
use crate::spec::slice::{Elements, Runs};
use crate::stream::philox::{round_keys, words};

/// `Params` in `fill.wgsl`: what one dispatch of an entry point of
/// [`shader::fill`](crate::shader::fill) writes.
///
/// Its bytes are those of the uniform at binding 0. Made by [`FillParams::new`].
///
/// ```
/// use gpu_init::{TensorSpec, shader::FillParams};
///
/// let fill = TensorSpec::new([64, 64], "xavier_normal".parse()?).resolve(42, 7)?;
/// let params = FillParams::new(&fill, 0, 4096, 0);
/// assert_eq!((params.stream, params.first, params.count), ([7, 0], [0, 0], 4096));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[non_exhaustive]
pub struct FillParams {
    /// The round keys of Philox for the seed, two rounds in each entry.
    pub keys: [[u32; 4]; 5],
    /// Philox's counter words 2 and 3: the stream, low and high word.
    pub stream: [u32; 2],
    /// Index in the whole tensor of the first element to write, low and high word.
    pub first: [u32; 2],
    /// Where the first element goes in the binding: in 16-byte entries for `fill`, in words for
    /// `fill_words` and `fill_slice`.
    pub begin: u32,
    /// Number of elements to write.
    pub count: u32,
    /// The factor: sqrt(2 ln 2) times a normal's standard deviation, 2^-24 times a uniform's bound.
    pub scale: f32,
    /// The summand: the mean, or the constant.
    pub shift: f32,
    /// 1.0, by which products are multiplied that must not be fused with a sum.
    pub one: f32,
    /// 0, which is added to the bits of floats that must not be reordered.
    pub zero: u32,
    /// No value of a truncated normal is below; 0 for others.
    pub low: f32,
    /// No value of a truncated normal is above; 0 for others.
    pub high: f32,
    /// The elements of a slice; all 0 where elements follow one another.
    pub slice: SliceParams,
}

impl FillParams {
    /// Computes the parameters that write `count` of the fill's elements, from its element `start`
    /// on, at `begin` of the binding.
    pub fn new(fill: &Fill, start: u64, count: u32, begin: u32) -> Self {
        let distribution = fill.distribution.base();
        let scaling = distribution.scaling();
        let [low, high] = distribution.clamp_bounds();
        FillParams {
            keys: round_keys(fill.seed),
            stream: words(fill.stream),
            first: words(fill.first.wrapping_add(start)),
            begin,
            count,
            scale: scaling.scale,
            shift: scaling.shift,
            one: 1.0,
            zero: 0,
            low,
            high,
            slice: SliceParams::new(&fill.elements(), start),
        }
    }
}

/// The elements of a slice, as runs at two levels of strides: see `lib/slice.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
#[non_exhaustive]
pub struct SliceParams {
    /// Index of the first element of the outer step that element 0 is in, low and high word.
    pub origin: [u32; 2],
    /// Elements between the runs of an outer step.
    pub inner_stride: [u32; 2],
    /// Elements between outer steps.
    pub outer_stride: [u32; 2],
    /// Runs of an outer step.
    pub inner_count: u32,
    /// The run that element 0 is in.
    pub inner_first: u32,
    /// Elements of a run.
    pub run: u32,
    /// Elements before element 0 in its run.
    pub skip: u32,
    /// In a uniform, a struct's size is a multiple of 16 bytes.
    #[doc(hidden)]
    pub padding: [u32; 2],
}

impl SliceParams {
    /// Describes the elements from `start` on.
    pub(crate) fn new(elements: &Elements, start: u64) -> Self {
        let Some(Runs { origin, run, inner, outer, skip }) = elements.runs else {
            return Self::default();
        };
        let (step, skip) = ((skip + start) / run, (skip + start) % run);
        SliceParams {
            origin: words(origin + step / inner.count * outer.stride),
            inner_stride: words(inner.stride),
            outer_stride: words(outer.stride),
            inner_count: inner.count as u32,
            inner_first: (step % inner.count) as u32,
            run: run as u32,
            skip: skip as u32,
            padding: [0; 2],
        }
    }
}

/// `Part` in `fill_many.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct Part {
    pub(crate) stream: [u32; 2],
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) entries: u32,
    pub(crate) count: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) table: u32,
}

/// `Params` in `reduce/lanes.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct ReduceParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) count: u32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
}

/// `Params` in `gather.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct GatherParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) available: u32,
    pub(crate) source_begin: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
}

/// `Params` in `convert.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct ConvertParams {
    pub(crate) words: u32,
    pub(crate) last: u32,
    pub(crate) begin: u32,
}

/// `Params` in `clear.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct ClearParams {
    pub(crate) slice: SliceParams,
    pub(crate) first: [u32; 2],
    pub(crate) low: [u32; 2],
    pub(crate) high: [u32; 2],
    pub(crate) count: u32,
    pub(crate) begin: u32,
}

/// `Params` in `diagonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct DiagonalParams {
    pub(crate) origin: u32,
    pub(crate) inner_first: u32,
    pub(crate) inner_count: u32,
    pub(crate) inner_stride: u32,
    pub(crate) outer_stride: u32,
    pub(crate) count: u32,
    pub(crate) bits: u32,
}

/// `Params` in `sparse.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub(crate) struct SparseParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) zeros: u32,
    pub(crate) quads: u32,
    pub(crate) first_row: u32,
    pub(crate) end_row: u32,
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) begin: u32,
    pub(crate) last: u32,
}

/// `Params` in `orthogonal.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
pub(crate) struct OrthogonalParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) quads: u32,
    pub(crate) first_matrix: u32,
    pub(crate) first_panel: u32,
    pub(crate) end_panel: u32,
    pub(crate) matrix: u32,
    pub(crate) block: u32,
    pub(crate) blocks: u32,
    pub(crate) at: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) transposed: u32,
    pub(crate) tile: u32,
    pub(crate) width: u32,
    pub(crate) origin: u32,
    pub(crate) stride: u32,
    pub(crate) step: u32,
    pub(crate) here: u32,
    pub(crate) begin: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
    /// The uniform address space rounds a struct up to its alignment of 16.
    pub(crate) padding: [u32; 2],
}
