//! The one error of the crate: the call or initializer that failed, and what went wrong there.

use crate::{DType, Layout, Number, Shape};

/// An operation that failed, and why: the values that were wrong and the remedy.
///
/// No partial result accompanies an error, and the device goes on working unless it is lost.
///
/// ```
/// use gpu_init::{ErrorKind, Initializer, TensorSpec};
///
/// let error = TensorSpec::new([768], Initializer::xavier_normal()).resolve(0, 0).unwrap_err();
/// assert_eq!(error.operation(), "xavier_normal");
/// assert!(matches!(error.kind(), ErrorKind::TooFewDims { .. }));
/// assert_eq!(
///     error.to_string(),
///     "xavier_normal: shape [768] has 1 dimension, but fan_in and fan_out need at least two; \
///      use normal, uniform or constant for vectors"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct Error {
    operation: &'static str,
    /// Boxed, so that results are small.
    kind: Box<ErrorKind>,
}

impl Error {
    /// The initializer or call that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl ErrorKind {
    /// Names the operation that failed.
    pub(crate) fn during(self, operation: &'static str) -> Error {
        Error { operation, kind: Box::new(self) }
    }
}

/// Names the operation of a result that failed, once, where a public call returns it.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T>;
}

impl<T> During<T> for Result<T, ErrorKind> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(|kind| kind.during(operation))
    }
}

const NO_ADAPTER_REMEDY: &str = if cfg!(target_arch = "wasm32") {
    "use a browser that has WebGPU on this machine, and a page from https or localhost"
} else {
    "install a Vulkan, Metal or DX12 driver (mesa-vulkan-drivers is one without a GPU)"
};

/// What went wrong, with the offending values; its text names the remedy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The initializer needs fan_in and fan_out, and the shape has fewer than two dimensions.
    #[error(
        "shape {shape} has {} dimension{}, but fan_in and fan_out need at least two; \
         use normal, uniform or constant for vectors",
        shape.dims().len(), if shape.dims().len() == 1 { "" } else { "s" }
    )]
    TooFewDims {
        /// The shape asked for.
        shape: Shape,
    },
    /// The scheme is for shapes of another kind.
    #[error(
        "shape {shape} does not fit: it must have {expected}; use another shape or initializer"
    )]
    Dimensions {
        /// The shape asked for.
        shape: Shape,
        /// What it must have.
        expected: &'static str,
    },
    /// A dimension is zero: there is nothing to fill.
    #[error("shape {shape} has a dimension of size 0; every dimension must be at least 1")]
    ZeroSized {
        /// The shape asked for.
        shape: Shape,
    },
    /// The number of elements, or their bytes, does not fit in 64 bits.
    #[error("the size of shape {shape} overflows 64 bits; check its dimensions")]
    SizeOverflow {
        /// The shape asked for.
        shape: Shape,
    },
    /// The shape lacks the dimension to slice.
    #[error("shape {shape} has no dimension {dim} to slice; name one below {rank}")]
    NoDimension {
        /// The shape asked for.
        shape: Shape,
        /// The dimension to slice.
        dim: usize,
        /// The number of dimensions.
        rank: usize,
    },
    /// A slice or shard of a dimension is empty or not inside it.
    #[error(
        "{start}..{end} of dimension {dim} of shape {shape} is empty or beyond its length here, {len}; \
         give a range inside it, or let this rank leave the tensor out"
    )]
    Slice {
        /// The shape asked for.
        shape: Shape,
        /// The dimension to slice.
        dim: usize,
        /// First index asked for.
        start: u64,
        /// The index after the last one.
        end: u64,
        /// The length of the dimension.
        len: u64,
    },
    /// The rank is not below the number of ranks.
    #[error("there is no rank {rank} among {world}; ranks count from 0")]
    NoRank {
        /// The rank asked for.
        rank: u64,
        /// The number of ranks.
        world: u64,
    },
    /// A slice along more than two dimensions: its elements are scattered too much.
    #[error("shape {shape} is sliced along too many dimensions; slice two of them at most")]
    Scattered {
        /// The shape asked for.
        shape: Shape,
    },
    /// The layout does not fit the shape or the initializer: an axis that there is not or that
    /// comes twice, groups that do not divide the outputs, or axes that the initializer has no use
    /// for.
    #[error("shape {shape} cannot be read as {layout:?}; {remedy}")]
    Layout {
        /// The shape asked for.
        shape: Shape,
        /// How it was to be read; boxed, so that results are small.
        layout: Box<Layout>,
        /// What to name instead.
        remedy: &'static str,
    },
    /// An option of an initializer is not a number it can take.
    #[error("{option} = {value:?} is out of range; it must be {expected}")]
    InvalidOption {
        /// The option: `gain`, `std`...
        option: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// The initializer does not have an option that is set on it.
    #[error(
        "there is no option {option:?}; it has {}",
        if options.is_empty() { "none".to_owned() } else { options.join(", ") }
    )]
    UnknownOption {
        /// The option: `gain`, `mode`...
        option: &'static str,
        /// The options that the initializer has.
        options: Vec<&'static str>,
    },
    /// The scale is so small that values would be subnormal in `dtype`: devices flush those to
    /// zero.
    #[error(
        "{option} = {value:e} would give {}; its magnitude must be at least {least:e}: use a larger one{}",
        vanishing(*dtype),
        wider(*dtype)
    )]
    Subnormal {
        /// `std`, `bound` or `mean`; `std within the bounds` of a truncated distribution.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The least allowed.
        least: f64,
        /// The element type.
        dtype: DType,
    },
    /// The type has integers only, and the initializer gives others.
    #[error(
        "{dtype} holds integers; use zeros, ones, constant or arange, or a floating-point dtype"
    )]
    IntegersOnly {
        /// The element type.
        dtype: DType,
    },
    /// A number of an initializer is not one of a type of integers.
    #[error("{option} = {value} is no {dtype}; it must be a whole number from {least} to {most}")]
    NotInteger {
        /// The option: `val`, `start`..., or `the last value`.
        option: &'static str,
        /// Its value.
        value: Number,
        /// The least that the type holds.
        least: i128,
        /// The largest that the type holds.
        most: i128,
        /// The element type.
        dtype: DType,
    },
    /// Values would overflow to infinity in `dtype`.
    #[error(
        "values up to {largest:e} do not fit in {dtype}, whose largest is {limit:e}; use smaller ones{}",
        match dtype {
            DType::F16 | DType::F8E4M3 | DType::F8E5M2 => format!(", or F32 or BF16 instead of {dtype}"),
            _ => String::new(),
        }
    )]
    Overflow {
        /// The largest magnitude that the distribution can give.
        largest: f64,
        /// The largest finite value of the element type.
        limit: f64,
        /// The element type.
        dtype: DType,
    },
    /// The bounds of a truncated distribution are so near to each other that `dtype` has no value
    /// between them.
    #[error(
        "{dtype} has no value between the bounds {low:?} and {high:?}; move them apart{}",
        if *dtype == DType::F32 { "" } else { " or use a dtype with more digits" }
    )]
    NoValueBetween {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
        /// The element type.
        dtype: DType,
    },
    /// The range of elements is not inside the tensor.
    #[error(
        "elements {start}..{end} are not a range of shape {shape}, which has {elements}; start must be below end, end at most {elements}"
    )]
    Range {
        /// First element asked for.
        start: u64,
        /// One past the last.
        end: u64,
        /// The tensor's shape.
        shape: Shape,
        /// Its number of elements.
        elements: u64,
    },
    /// A host slice does not have as many elements as the tensor.
    #[error(
        "the slice has {actual} elements, but {expected} are to be written; pass a slice of exactly {expected}"
    )]
    Length {
        /// Elements to write.
        expected: u64,
        /// Elements of the slice.
        actual: u64,
    },
    /// Host values of another type than the tensor's.
    #[error("the dtype is {expected}, but the host type is {actual}; use the same for both")]
    DTypeMismatch {
        /// The tensor's dtype.
        expected: DType,
        /// The host type's.
        actual: DType,
    },
    /// The host is out of memory.
    #[error(
        "{bytes} bytes of host memory cannot be allocated; fill a smaller tensor, or a range of it at a time"
    )]
    HostOutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// There is no adapter to run on.
    #[error("no GPU adapter was found ({backends}); {NO_ADAPTER_REMEDY}, or use the CPU path")]
    NoAdapter {
        /// The backends that were asked.
        backends: String,
    },
    /// An adapter number that is not in the list.
    #[error("there is no adapter {index}, only {count}; `adapters` lists them")]
    NoSuchAdapter {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The adapter lacks what the shaders need.
    #[error("adapter {adapter} cannot be used: {reason}; choose another adapter or the CPU path")]
    UnsupportedAdapter {
        /// The adapter's name.
        adapter: String,
        /// What it lacks, or the driver's words.
        reason: String,
    },
    /// The driver's arithmetic gives other bits than the stream's, so its weights would be other
    /// weights.
    #[error(
        "adapter {adapter} breaks the arithmetic of the stream: {what} is {actual}, not {expected}; \
         update its driver, choose another adapter or the CPU path, and please report this"
    )]
    WrongBits {
        /// The adapter's name and driver.
        adapter: String,
        /// The kernel and the first element that differs, `normal F32, element 7`, or what is wrong
        /// with a large orthogonal matrix: `orthogonal, matrix 0, column 3, its length squared`.
        what: String,
        /// The element's bits on the CPU, or the value that an orthogonal matrix has.
        expected: String,
        /// The element's bits on the device, or its value there.
        actual: String,
    },
    /// A buffer larger than the adapter allows.
    #[error(
        "{bytes} bytes are over the largest buffer of adapter {adapter}, {limit} bytes; fill a range of the tensor at a time or use a smaller dtype"
    )]
    BufferTooLarge {
        /// Bytes asked for.
        bytes: u64,
        /// The adapter's `max_buffer_size`.
        limit: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// An orthogonal matrix is computed in whole columns, and one is larger than a binding of the
    /// device may be.
    #[error(
        "an orthogonal matrix of {rows} rows takes {bytes} bytes at a time, and adapter {adapter} binds at most {limit}; fill it on the CPU, which gives the same bits, or use a smaller matrix"
    )]
    MatrixTooLarge {
        /// The larger side of the matrix.
        rows: u64,
        /// Bytes of the columns or reflections that are needed together.
        bytes: u64,
        /// The adapter's `max_storage_buffer_binding_size`, or 2 GiB.
        limit: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The device is out of memory.
    #[error(
        "adapter {adapter} is out of memory for {bytes} more bytes; free buffers, or fill a range of the tensor at a time"
    )]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// A byte offset into the caller's buffer that shaders cannot address.
    #[error(
        "byte offset {offset} is not a multiple of {alignment}; move the tensor to a multiple of {alignment} in the buffer"
    )]
    UnalignedOffset {
        /// The offset.
        offset: u64,
        /// What it must be a multiple of.
        alignment: u64,
    },
    /// The caller's buffer ends before the tensor does.
    #[error(
        "{bytes} bytes at offset {offset} do not fit in a buffer of {size} bytes; it must have at least {needed}"
    )]
    BufferTooSmall {
        /// Bytes of the tensor.
        bytes: u64,
        /// The byte offset of its start.
        offset: u64,
        /// The buffer's size.
        size: u64,
        /// The size it must have: shaders write whole 4-byte words.
        needed: u64,
    },
    /// The buffer was not made for this use.
    #[cfg(feature = "gpu")]
    #[error("the buffer lacks usage {missing:?} (it has {usage:?}); create it with that usage too")]
    BufferUsage {
        /// The usage that is missing.
        missing: wgpu::BufferUsages,
        /// What it has.
        usage: wgpu::BufferUsages,
    },
    /// The caller's progress function cancelled the work.
    #[error(
        "interrupted after {done} of {total} elements, so the tensors are incomplete; fill again"
    )]
    Interrupted {
        /// Elements completed.
        done: u64,
        /// All elements of the call.
        total: u64,
    },
    /// The device is gone: destroyed, unplugged or reset by its driver.
    #[error("device {adapter} is lost; open a new Device and fill again")]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
    },
    /// The device refused something for a reason that has no variant of its own.
    #[error("the device refuses: {message}; check the buffers, usages and limits passed to it")]
    Gpu {
        /// wgpu's words.
        message: String,
    },
}

/// What becomes of values that are too small.
fn vanishing(dtype: DType) -> String {
    match dtype {
        DType::F8E4M3 | DType::F8E5M2 => format!("few values other than zero in {dtype}"),
        _ => format!("subnormal values in {dtype}, which devices may flush to zero"),
    }
}

/// The remedy for a type of few digits and exponents.
fn wider(dtype: DType) -> String {
    match dtype {
        DType::F16 | DType::F8E4M3 | DType::F8E5M2 => format!(", or F32 instead of {dtype}"),
        _ => String::new(),
    }
}

/// `Result` with the crate's [`Error`].
///
/// ```
/// fn checked() -> gpu_init::Result<()> {
///     gpu_init::TensorSpec::new([2, 3], gpu_init::Initializer::xavier_uniform()).resolve(0, 0)?;
///     Ok(())
/// }
/// # checked().unwrap();
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;
