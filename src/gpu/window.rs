//! Cuts a fill of buffer memory into dispatches that a device can run. Pure: no device is touched.

use crate::gpu::context::Context;
use crate::spec::slice::{Elements, Runs};
use crate::stream::philox::{round_keys, words};
use crate::{DType, Distribution, ErrorKind, Fill, Result};

/// Invocations of a workgroup.
pub(crate) const WORKGROUP_SIZE: u32 = 256;
/// Bytes of an output entry of the shader's `fill`.
pub(crate) const ENTRY: u64 = 16;
/// Blocks whose elements an invocation of it writes.
pub(crate) const BLOCKS: u64 = 4;

/// Elements of blocks whose index has the same high half.
pub(crate) const SAME_HIGH: u64 = 1 << 34;

/// What a device allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowLimits {
    /// Most bytes of one storage binding.
    pub(crate) binding: u64,
    /// What a binding's offset must be a multiple of: a power of two, 16 to 256.
    pub(crate) alignment: u64,
    /// Most workgroups in one dimension.
    pub(crate) groups: u32,
}

impl WindowLimits {
    pub(crate) fn of(limits: &wgpu::Limits) -> Self {
        WindowLimits {
            // Above 2 GiB sizes and indices inside drivers and shaders have been seen to wrap.
            binding: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size)
                .min(1 << 31)
                & !255,
            alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(ENTRY),
            groups: limits.max_compute_workgroups_per_dimension,
        }
    }

    /// Whether a buffer of so many bytes can be bound as a whole.
    pub(crate) fn check(
        &self,
        context: &Context,
        operation: &'static str,
        bytes: u64,
    ) -> Result<()> {
        let (limit, adapter) = (self.binding, context.adapter.clone());
        if bytes <= limit {
            Ok(())
        } else {
            Err(ErrorKind::BufferTooLarge { bytes, limit, adapter }.during(operation))
        }
    }

    /// Workgroups in x and y for so many in all, and few more; the shader leaves what is too many.
    pub(crate) fn grid(&self, groups: u32) -> [u32; 2] {
        let y = groups.div_ceil(self.groups);
        [groups.div_ceil(y), y]
    }
}

/// Which entry point of `fill.wgsl` runs, for which element type and distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FillKernel {
    pub(crate) entry: FillEntry,
    pub(crate) dtype: DType,
    pub(crate) transform: Transform,
}

/// Entry points of `fill.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FillEntry {
    /// `fill`: whole 16-byte entries from a block's start.
    Entries,
    /// `fill_words`: any range.
    Words,
    /// `fill_slice`: elements that do not follow one another.
    Slice,
}

/// `DISTRIBUTION` in `fill.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Transform {
    Normal = 0,
    Uniform = 1,
    Constant = 2,
    Truncated = 3,
    ShiftedNormal = 4,
}

impl Transform {
    pub(crate) const ALL: [Transform; 5] = [
        Transform::Normal,
        Transform::Uniform,
        Transform::Constant,
        Transform::Truncated,
        Transform::ShiftedNormal,
    ];
}

impl From<Distribution> for Transform {
    fn from(distribution: Distribution) -> Self {
        match distribution {
            Distribution::Normal { mean: 0.0, .. } | Distribution::Sparse { .. } => {
                Transform::Normal
            }
            Distribution::Normal { .. } => Transform::ShiftedNormal,
            Distribution::Uniform { .. } => Transform::Uniform,
            Distribution::Constant { .. }
            | Distribution::Diagonal { .. }
            | Distribution::Orthogonal { .. } => Transform::Constant,
            Distribution::Truncated { .. } => Transform::Truncated,
        }
    }
}

/// `Params` in `fill.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct FillParams {
    pub(crate) keys: [[u32; 4]; 5],
    pub(crate) stream: [u32; 2],
    pub(crate) first: [u32; 2],
    pub(crate) begin: u32,
    pub(crate) count: u32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
    pub(crate) one: f32,
    pub(crate) zero: u32,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) slice: SliceParams,
}

/// `Slice` in `lib/slice.wgsl`; all zero where elements follow one another.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct SliceParams {
    pub(crate) origin: [u32; 2],
    pub(crate) inner_stride: [u32; 2],
    pub(crate) outer_stride: [u32; 2],
    pub(crate) inner_count: u32,
    pub(crate) inner_first: u32,
    pub(crate) run: u32,
    pub(crate) skip: u32,
    /// In a uniform, a struct's size is a multiple of 16 bytes.
    pub(crate) padding: [u32; 2],
}

impl SliceParams {
    /// Of elements from `start` on.
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

/// One dispatch: a kernel, its params and the part of the buffer that it is bound to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub(crate) kernel: FillKernel,
    pub(crate) params: FillParams,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) grid: [u32; 2],
}

/// Elements of a tensor that one binding has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    /// Index of the first one in the whole tensor.
    pub(crate) first: u64,
    /// Its number among the fill's.
    pub(crate) number: u64,
    pub(crate) count: u32,
    /// Where it is in the binding, in elements.
    pub(crate) begin: u32,
    /// The binding, in bytes of the buffer.
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// The elements of `fill` at byte `offset`, a multiple of 4, of a buffer, one binding after
/// another.
pub(crate) fn pieces(fill: &Fill, offset: u64, limits: WindowLimits) -> Vec<Piece> {
    let (size, mut pieces, mut start) = (fill.dtype.size(), Vec::new(), 0);
    while start < fill.len {
        let at = offset + start * size;
        let base = at & !(limits.alignment - 1);
        let end = fill.len.min((base + limits.binding - offset) / size);
        pieces.push(Piece {
            first: fill.first + start,
            number: start,
            count: (end - start) as u32,
            begin: ((at - base) / size) as u32,
            offset: base,
            size: (offset + end * size).next_multiple_of(4) - base,
        });
        start = end;
    }
    pieces
}

/// Dispatches that write what `fill` is at first at byte `offset`, a multiple of 4, of a buffer.
pub(crate) fn windows(fill: &Fill, offset: u64, limits: WindowLimits) -> Vec<Window> {
    // Whole entries if they start where a block starts; what is left over, or all, word by word.
    let per_entry = ENTRY / fill.dtype.size();
    let aligned = offset.is_multiple_of(ENTRY) && fill.first.is_multiple_of(4);
    let whole = if aligned { fill.len - fill.len % per_entry } else { 0 };
    let mut windows = Vec::new();
    if fill.runs.is_some() {
        cut(fill, FillEntry::Slice, 0..fill.len, offset, limits, &mut windows);
        return windows;
    }
    let mut start = 0;
    while start < whole {
        // Entries up to where the blocks' index gets another high half, and word by word the one
        // that has both.
        let same = SAME_HIGH - (fill.first + start) % SAME_HIGH;
        let end = whole.min(start + same - same % per_entry);
        cut(fill, FillEntry::Entries, start..end, offset, limits, &mut windows);
        start = if same.is_multiple_of(per_entry) { end } else { whole.min(end + per_entry) };
        cut(fill, FillEntry::Words, end..start, offset, limits, &mut windows);
    }
    cut(fill, FillEntry::Words, whole..fill.len, offset, limits, &mut windows);
    windows
}

/// The elements `range` (counted from the fill's first) by one entry point, one binding after
/// another.
fn cut(
    fill: &Fill,
    entry: FillEntry,
    range: std::ops::Range<u64>,
    offset: u64,
    limits: WindowLimits,
    windows: &mut Vec<Window>,
) {
    let size = fill.dtype.size();
    let distribution = fill.distribution.base();
    let scaling = distribution.scaling();
    let [low, high] = distribution.kept_within();
    let mut start = range.start;
    while start < range.end {
        let at = offset + start * size;
        let base = at & !(limits.alignment - 1);
        let end = range.end.min((base + limits.binding - offset) / size);
        let (first, count) = (fill.first + start, end - start);
        let (invocations, unit) = match entry {
            FillEntry::Entries => ((count / 4).div_ceil(BLOCKS), ENTRY),
            FillEntry::Words => ((first % 4 + count).div_ceil(4), 4),
            FillEntry::Slice => (count.div_ceil(4), 4),
        };
        windows.push(Window {
            kernel: FillKernel { entry, dtype: fill.dtype, transform: distribution.into() },
            params: FillParams {
                keys: round_keys(fill.seed),
                stream: words(fill.stream),
                first: words(first),
                begin: ((at - base) / unit) as u32,
                count: count as u32,
                scale: scaling.scale,
                shift: scaling.shift,
                one: 1.0,
                zero: 0,
                low,
                high,
                slice: SliceParams::new(&fill.elements(), start),
            },
            offset: base,
            size: (offset + end * size).next_multiple_of(unit) - base,
            grid: limits.grid(invocations.div_ceil(WORKGROUP_SIZE.into()) as u32),
        });
        start = end;
    }
}
