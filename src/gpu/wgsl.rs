//! The shaders' text, assembled from the files in `shaders/`: plain concatenation, no preprocessor.

use Part::{Guard, SumGuard, Text, WideMultiply};

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
const FILL_WGSL: &str = include_str!("../../shaders/fill.wgsl");
const FILL_MANY: &str = include_str!("../../shaders/fill_many.wgsl");
const REDUCE: &str = include_str!("../../shaders/reduce.wgsl");
const FINGERPRINT_WGSL: &str = include_str!("../../shaders/fingerprint.wgsl");
const STATS_WGSL: &str = include_str!("../../shaders/stats.wgsl");
const GATHER_WGSL: &str = include_str!("../../shaders/gather.wgsl");
const CLEAR_WGSL: &str = include_str!("../../shaders/clear.wgsl");
const DIAGONAL_WGSL: &str = include_str!("../../shaders/diagonal.wgsl");
const SPARSE_WGSL: &str = include_str!("../../shaders/sparse.wgsl");
/// Where everything is in memory, then the entry points.
const ORTHOGONAL_WGSL: [&str; 6] = [
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
/// assert!(shader::fingerprint(WideMul::Int64).contains("u64(a) * u64(b)"));
/// assert!(!shader::fingerprint(WideMul::Limbs).contains("u64"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WideMul {
    /// With 64-bit integers: wgpu's `SHADER_INT64`.
    Int64,
    /// With 16-bit limbs: any WebGPU device, browsers too.
    Limbs,
}

/// How a shader keeps compilers from changing its arithmetic: the stream rounds `a * b + c` twice.
/// All ways give the same bits where they can be used at all.
///
/// ```no_run
/// use gpu_init::{Device, DeviceOptions, FpGuard};
///
/// let device = Device::open(&DeviceOptions::new().fp_guard(FpGuard::NoReassociation))?;
/// assert_eq!(device.fp_guard(), FpGuard::NoReassociation);
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FpGuard {
    /// Not at all, for a driver that fuses and reorders nothing: llvmpipe and SwiftShader.
    None,
    /// Against fused multiply-adds, by a factor that no compiler can know is 1: for drivers that may
    /// fuse but do not reorder the arithmetic of fills, as Vulkan's. Running sums, in statistics and
    /// orthogonal matrices, are guarded as by `NoReassociation`.
    NoContraction,
    /// Against both, by passing products through integers too: for any driver, including those that
    /// take floats for associative.
    NoReassociation,
}

/// A WGSL module: its files, one after the other.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    parts: &'static [Part],
}

/// A file of a module, or one of several by a choice.
#[derive(Debug)]
enum Part {
    Text(&'static str),
    /// [`WideMul`].
    WideMultiply,
    /// [`FpGuard`].
    Guard,
    /// [`FpGuard`] of running sums: where one fma adds to another, Mesa takes their common factor
    /// out, `one`, which is a reordering.
    SumGuard,
}

pub(crate) static FILL: Module = Module {
    name: "fill",
    parts: &[
        WideMultiply,
        Text(PHILOX),
        Guard,
        Text(SAMPLE),
        Text(DTYPE),
        Text(HALF),
        Text(TRUNCATED),
        Text(SLICE),
        Text(GRID),
        Text(FILL_WGSL),
        Text(FILL_MANY),
    ],
};
pub(crate) static FINGERPRINT: Module = Module {
    name: "fingerprint",
    parts: &[
        WideMultiply,
        Text(PHILOX),
        Text(DTYPE),
        Text(SLICE),
        Text(GRID),
        Text(REDUCE),
        Text(FINGERPRINT_WGSL),
    ],
};
pub(crate) static STATS: Module = Module {
    name: "stats",
    parts: &[
        // `SLICE`, for the parameters of `REDUCE`, multiplies.
        Text(MUL_WIDE_LIMBS),
        SumGuard,
        Text(DTYPE),
        Text(SLICE),
        Text(GRID),
        Text(REDUCE),
        Text(STATS_WGSL),
    ],
};
pub(crate) static GATHER: Module = Module {
    name: "gather",
    parts: &[WideMultiply, Text(DTYPE), Text(SLICE), Text(GRID), Text(SCATTER), Text(GATHER_WGSL)],
};
pub(crate) static CLEAR: Module = Module {
    name: "clear",
    parts: &[WideMultiply, Text(DTYPE), Text(SLICE), Text(GRID), Text(SCATTER), Text(CLEAR_WGSL)],
};
pub(crate) static DIAGONAL: Module = Module {
    name: "diagonal",
    parts: &[Text(DTYPE), Text(GRID), Text(SCATTER), Text(DIAGONAL_WGSL)],
};
pub(crate) static SPARSE: Module = Module {
    name: "sparse",
    parts: &[WideMultiply, Text(PHILOX), Text(DTYPE), Text(GRID), Text(SCATTER), Text(SPARSE_WGSL)],
};
pub(crate) static ORTHOGONAL: Module = Module {
    name: "orthogonal",
    parts: &[
        WideMultiply,
        Text(PHILOX),
        SumGuard,
        Text(SAMPLE),
        Text(DTYPE),
        Text(HALF),
        Text(GRID),
        Text(SCATTER),
        Text(ORTHOGONAL_WGSL[0]),
        Text(ORTHOGONAL_WGSL[1]),
        Text(ORTHOGONAL_WGSL[2]),
        Text(ORTHOGONAL_WGSL[3]),
        Text(ORTHOGONAL_WGSL[4]),
        Text(ORTHOGONAL_WGSL[5]),
    ],
};

impl Module {
    /// Assembles the text.
    pub(crate) fn text(&self, wide_mul: WideMul, fp_guard: FpGuard) -> String {
        let mut text = String::new();
        for part in self.parts {
            let files: &[&str] = match (part, fp_guard) {
                (Text(file), _) => &[file],
                (WideMultiply, _) => match wide_mul {
                    WideMul::Int64 => &[MUL_WIDE_INT64],
                    WideMul::Limbs => &[MUL_WIDE_LIMBS],
                },
                (Guard | SumGuard, FpGuard::None) => &[GUARD, MUL_ADD_PLAIN, OPAQUE_PLAIN],
                (Guard, FpGuard::NoContraction) => &[GUARD, MUL_ADD, OPAQUE_PLAIN],
                (Guard | SumGuard, _) => &[GUARD, MUL_ADD, OPAQUE],
            };
            for file in files {
                // Files are a line apart.
                text.push_str(if text.is_empty() { "" } else { "\n" });
                text.push_str(file);
            }
        }
        text
    }
}

/// The module that fills: entry points `fill`, `fill_words`, `fill_slice` and `fill_many`.
///
/// ```
/// use gpu_init::{FpGuard, WideMul, shader};
///
/// let portable = shader::fill(WideMul::Limbs, FpGuard::NoReassociation);
/// assert!(portable.contains("fn fill_words("));
/// assert!(shader::fill(WideMul::Limbs, FpGuard::None).len() < portable.len());
/// ```
pub fn fill(wide_mul: WideMul, fp_guard: FpGuard) -> String {
    FILL.text(wide_mul, fp_guard)
}

/// The module that computes the fingerprint: entry point `fingerprint`.
///
/// ```
/// let wgsl = gpu_init::shader::fingerprint(gpu_init::WideMul::Limbs);
/// assert!(wgsl.contains("fn fingerprint("));
/// ```
pub fn fingerprint(wide_mul: WideMul) -> String {
    FINGERPRINT.text(wide_mul, FpGuard::NoReassociation)
}

/// The module that computes the statistics: entry point `stats`.
///
/// ```
/// assert!(gpu_init::shader::stats().contains("fn stats("));
/// ```
pub fn stats() -> String {
    STATS.text(WideMul::Limbs, FpGuard::NoReassociation)
}
