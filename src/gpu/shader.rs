//! The shaders' text, assembled from the files in `shaders/`: plain concatenation, no preprocessor.

const MUL_WIDE_INT64: &str = include_str!("../../shaders/lib/mul_wide_int64.wgsl");
const MUL_WIDE_LIMBS: &str = include_str!("../../shaders/lib/mul_wide_limbs.wgsl");
const PHILOX: &str = include_str!("../../shaders/lib/philox.wgsl");
const GUARD: &str = include_str!("../../shaders/lib/guard.wgsl");
const MUL_ADD: &str = include_str!("../../shaders/lib/mul_add.wgsl");
const MUL_ADD_PLAIN: &str = include_str!("../../shaders/lib/mul_add_plain.wgsl");
const OPAQUE: &str = include_str!("../../shaders/lib/opaque.wgsl");
const OPAQUE_PLAIN: &str = include_str!("../../shaders/lib/opaque_plain.wgsl");
const SAMPLE: &str = include_str!("../../shaders/lib/sample.wgsl");
const DTYPE: &str = include_str!("../../shaders/lib/dtype.wgsl");
const HALF: &str = include_str!("../../shaders/lib/half.wgsl");
const TRUNCATED: &str = include_str!("../../shaders/lib/truncated.wgsl");
const SLICE: &str = include_str!("../../shaders/lib/slice.wgsl");
const GRID: &str = include_str!("../../shaders/lib/grid.wgsl");
const SCATTER: &str = include_str!("../../shaders/lib/scatter.wgsl");
const FILL: &str = include_str!("../../shaders/fill.wgsl");
const FILL_MANY: &str = include_str!("../../shaders/fill_many.wgsl");
const REDUCE: &str = include_str!("../../shaders/reduce.wgsl");
const FINGERPRINT: &str = include_str!("../../shaders/fingerprint.wgsl");
const STATS: &str = include_str!("../../shaders/stats.wgsl");
const GATHER: &str = include_str!("../../shaders/gather.wgsl");
const CLEAR: &str = include_str!("../../shaders/clear.wgsl");
const DIAGONAL: &str = include_str!("../../shaders/diagonal.wgsl");
const SPARSE: &str = include_str!("../../shaders/sparse.wgsl");
/// Where everything is in memory, then the entry points.
const ORTHOGONAL: [&str; 6] = [
    include_str!("../../shaders/orthogonal/layout.wgsl"),
    include_str!("../../shaders/orthogonal/reflect.wgsl"),
    include_str!("../../shaders/orthogonal/gram.wgsl"),
    include_str!("../../shaders/orthogonal/apply.wgsl"),
    include_str!("../../shaders/orthogonal/examine.wgsl"),
    include_str!("../../shaders/orthogonal/finish.wgsl"),
];

/// How a shader multiplies two words to 64 bits. Both ways give the same bits.
///
/// ```
/// use gpu_init::{WideMul, shader};
///
/// assert!(shader::fill(WideMul::Int64).contains("u64(a) * u64(b)"));
/// assert!(!shader::fill(WideMul::Limbs).contains("u64"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WideMul {
    /// With 64-bit integers: wgpu's `SHADER_INT64`.
    Int64,
    /// With 16-bit limbs: any WebGPU device, browsers too.
    Limbs,
}

impl WideMul {
    fn source(self) -> &'static str {
        match self {
            WideMul::Int64 => MUL_WIDE_INT64,
            WideMul::Limbs => MUL_WIDE_LIMBS,
        }
    }
}

/// How a shader has `a * b + c` rounded twice, as the stream does. All ways give the same bits,
/// where they can be used at all.
///
/// ```no_run
/// use gpu_init::{Device, DeviceOptions, FpGuard};
///
/// let device = Device::open(&DeviceOptions { mul_add: Some(FpGuard::NoReassociation), ..Default::default() })?;
/// assert_eq!(device.mul_add(), FpGuard::NoReassociation);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FpGuard {
    /// As written, for a driver that fuses and reorders nothing, as llvmpipe and SwiftShader.
    None,
    /// By a multiplication with a number that no compiler can know is 1, for a driver that may fuse
    /// but does not reorder what the shader of fills has: Vulkan's. Running sums, of statistics and
    /// orthogonal matrices, are guarded as in `NoReassociation`.
    NoContraction,
    /// Products go through integers as well, for drivers that take floats for associative: any.
    NoReassociation,
}

impl FpGuard {
    fn source(self) -> String {
        let [sums, opaque] = match self {
            FpGuard::None => [MUL_ADD_PLAIN, OPAQUE_PLAIN],
            FpGuard::NoContraction => [MUL_ADD, OPAQUE_PLAIN],
            FpGuard::NoReassociation => [MUL_ADD, OPAQUE],
        };
        [GUARD, sums, opaque].join("\n")
    }
}

/// The shader that fills: entry points `fill`, `fill_words`, `fill_slice` and `fill_many`.
///
/// ```
/// let wgsl = gpu_init::shader::fill(gpu_init::WideMul::Limbs);
/// assert!(wgsl.contains("fn fill_words("));
/// ```
pub fn fill(multiply: WideMul) -> String {
    fill_with(multiply, FpGuard::NoReassociation)
}

/// [`fill`] for a driver that needs fewer guards.
///
/// ```
/// use gpu_init::{FpGuard, WideMul, shader};
///
/// let plain = shader::fill_with(WideMul::Limbs, FpGuard::None);
/// assert!(plain.len() < shader::fill(WideMul::Limbs).len());
/// ```
pub fn fill_with(multiply: WideMul, mul_add: FpGuard) -> String {
    [
        multiply.source(),
        PHILOX,
        &mul_add.source(),
        SAMPLE,
        DTYPE,
        HALF,
        TRUNCATED,
        SLICE,
        GRID,
        FILL,
        FILL_MANY,
    ]
    .join("\n")
}

/// The shader that computes the fingerprint: entry point `fingerprint`.
///
/// ```
/// let wgsl = gpu_init::shader::fingerprint(gpu_init::WideMul::Limbs);
/// assert!(wgsl.contains("fn fingerprint("));
/// ```
pub fn fingerprint(multiply: WideMul) -> String {
    [multiply.source(), PHILOX, DTYPE, SLICE, GRID, REDUCE, FINGERPRINT].join("\n")
}

/// The shader that computes the statistics: entry point `stats`.
///
/// ```
/// assert!(gpu_init::shader::stats().contains("fn stats("));
/// ```
pub fn stats() -> String {
    stats_with(FpGuard::NoReassociation)
}

pub(crate) fn stats_with(mul_add: FpGuard) -> String {
    // `SLICE`, for the parameters of `REDUCE`, multiplies.
    [MUL_WIDE_LIMBS, &mul_add.source(), DTYPE, SLICE, GRID, REDUCE, STATS].join("\n")
}

/// The shader that copies the elements of a slice: entry point `gather`.
pub(crate) fn gather(multiply: WideMul) -> String {
    [multiply.source(), DTYPE, SLICE, GRID, SCATTER, GATHER].join("\n")
}

/// The shader that zeroes a range of indices: entry point `clear`.
pub(crate) fn clear(multiply: WideMul) -> String {
    [multiply.source(), DTYPE, SLICE, GRID, SCATTER, CLEAR].join("\n")
}

/// The shader that puts a value on diagonals: entry point `diagonal`.
pub(crate) fn diagonal() -> String {
    [DTYPE, GRID, SCATTER, DIAGONAL].join("\n")
}

/// The shader that zeroes elements of each column: entry point `sparse`.
pub(crate) fn sparse(multiply: WideMul) -> String {
    [multiply.source(), PHILOX, DTYPE, GRID, SCATTER, SPARSE].join("\n")
}

/// The shader that makes orthogonal matrices: entry points `reflect`, `gram`, `apply` and `finish`.
pub(crate) fn orthogonal(multiply: WideMul, mul_add: FpGuard) -> String {
    let guards = mul_add.source();
    let common = [multiply.source(), PHILOX, &guards, SAMPLE, DTYPE, HALF, GRID, SCATTER];
    [&common[..], &ORTHOGONAL].concat().join("\n")
}
