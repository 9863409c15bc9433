//! The shaders' text, assembled from the files in `shaders/`: plain concatenation, no preprocessor.

use crate::{DType, Fill};
use Part::{Guard, Pack, SumGuard, Tables, Text, WideMultiply};

const MUL_WIDE_INT64: &str = include_str!("../../shaders/lib/mul_wide_int64.wgsl");
const MUL_WIDE_LIMBS: &str = include_str!("../../shaders/lib/mul_wide_limbs.wgsl");
const GUARD: &str = include_str!("../../shaders/lib/guard.wgsl");
const MUL_ADD: &str = include_str!("../../shaders/lib/mul_add.wgsl");
const MUL_ADD_PLAIN: &str = include_str!("../../shaders/lib/mul_add_plain.wgsl");
const OPAQUE: &str = include_str!("../../shaders/lib/opaque.wgsl");
const OPAQUE_PLAIN: &str = include_str!("../../shaders/lib/opaque_plain.wgsl");
const PHILOX: Part = Text(include_str!("../../shaders/lib/philox.wgsl"));
const SAMPLE: Part = Text(include_str!("../../shaders/lib/sample.wgsl"));
const DTYPE: Part = Text(include_str!("../../shaders/lib/dtype.wgsl"));
const HALF: Part = Text(include_str!("../../shaders/lib/half.wgsl"));
const PACK: &str = include_str!("../../shaders/lib/pack.wgsl");
const PACK_FLOATS: &str = include_str!("../../shaders/lib/pack_floats.wgsl");
const FLOAT8: Part = Text(include_str!("../../shaders/lib/float8.wgsl"));
const FLOAT64: Part = Text(include_str!("../../shaders/lib/float64.wgsl"));
const TABLES: &str = include_str!("../../shaders/lib/tables.wgsl");
const TABLES_UNIFORM: &str = include_str!("../../shaders/lib/tables_uniform.wgsl");
const TRUNCATED: Part = Text(include_str!("../../shaders/lib/truncated.wgsl"));
const SLICE: Part = Text(include_str!("../../shaders/lib/slice.wgsl"));
const GRID: Part = Text(include_str!("../../shaders/lib/grid.wgsl"));
const SCATTER: Part = Text(include_str!("../../shaders/lib/scatter.wgsl"));

/// How a shader multiplies two words to 64 bits. Both ways give the same bits.
///
/// ```
/// use gpu_init::{FpGuard, WideMul, shader};
///
/// assert!(shader::fill(WideMul::Int64, FpGuard::None).contains("u64(a) * u64(b)"));
/// assert!(!shader::fill(WideMul::Limbs, FpGuard::None).contains("u64"));
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

/// How a shader rounds pairs of values to the half-width types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HalfRounding {
    /// By float instructions, which need not round to nearest.
    Floats,
    /// In integers: on any device.
    Integers,
}

impl HalfRounding {
    /// Whether float instructions can round all values of a fill: for BF16 they multiply by 2^16.
    pub(crate) fn by_floats(fill: &Fill) -> bool {
        let (low, high) = fill.distribution.bounds();
        fill.dtype != DType::BF16 || low.abs().max(high.abs()) < 2f64.powi(111)
    }
}

/// What a wrong kernel's shaders may do otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Arithmetic {
    pub(crate) fp_guard: FpGuard,
    pub(crate) half_rounding: HalfRounding,
}

impl Arithmetic {
    /// What any device rounds right, with this guard.
    pub(crate) const fn portable(fp_guard: FpGuard) -> Self {
        Arithmetic { fp_guard, half_rounding: HalfRounding::Integers }
    }
}

/// Where a shader reads the tables of truncated normals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AddressSpace {
    /// Any number of them.
    Storage,
    /// One: for drivers that run on the CPU.
    Uniform,
}

/// The choices among files. All give the same bits on a device that runs them right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) wide_mul: WideMul,
    pub(crate) arithmetic: Arithmetic,
    pub(crate) tables: AddressSpace,
}

impl Variant {
    /// What any device runs right that has this multiplication, with this guard.
    pub(crate) const fn portable(wide_mul: WideMul, fp_guard: FpGuard) -> Self {
        let arithmetic = Arithmetic::portable(fp_guard);
        Variant { wide_mul, arithmetic, tables: AddressSpace::Storage }
    }
}

/// A WGSL module: parts of the library, then the files of its own, with the entry points.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    library: &'static [Part],
    own: &'static [&'static str],
}

/// A file of the library, or several by a choice.
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
    /// [`HalfRounding`].
    Pack,
    /// [`AddressSpace`].
    Tables,
}

pub(crate) static FILL: Module = Module {
    name: "fill",
    library: &[
        WideMultiply,
        PHILOX,
        Guard,
        SAMPLE,
        DTYPE,
        HALF,
        Pack,
        Tables,
        TRUNCATED,
        SLICE,
        GRID,
    ],
    own: &[include_str!("../../shaders/fill.wgsl"), include_str!("../../shaders/fill_many.wgsl")],
};
pub(crate) static REDUCE: Module = Module {
    name: "reduce",
    // `SLICE` multiplies, though not often.
    library: &[Text(MUL_WIDE_LIMBS), SumGuard, DTYPE, SLICE, GRID, FLOAT64],
    own: &[
        include_str!("../../shaders/reduce/lanes.wgsl"),
        include_str!("../../shaders/reduce/fingerprint.wgsl"),
        include_str!("../../shaders/reduce/stats.wgsl"),
        include_str!("../../shaders/reduce/summary.wgsl"),
    ],
};
pub(crate) static GATHER: Module = Module {
    name: "gather",
    library: &[WideMultiply, DTYPE, SLICE, GRID, SCATTER],
    own: &[include_str!("../../shaders/gather.wgsl")],
};
pub(crate) static CONVERT: Module = Module {
    name: "convert",
    library: &[DTYPE, GRID, FLOAT8, FLOAT64],
    own: &[include_str!("../../shaders/convert.wgsl")],
};
pub(crate) static CLEAR: Module = Module {
    name: "clear",
    library: &[WideMultiply, DTYPE, SLICE, GRID, SCATTER],
    own: &[include_str!("../../shaders/clear.wgsl")],
};
pub(crate) static DIAGONAL: Module = Module {
    name: "diagonal",
    library: &[DTYPE, GRID, SCATTER],
    own: &[include_str!("../../shaders/diagonal.wgsl")],
};
pub(crate) static SPARSE: Module = Module {
    name: "sparse",
    library: &[WideMultiply, PHILOX, DTYPE, GRID, SCATTER],
    own: &[include_str!("../../shaders/sparse.wgsl")],
};
pub(crate) static ORTHOGONAL: Module = Module {
    name: "orthogonal",
    library: &[WideMultiply, PHILOX, SumGuard, SAMPLE, DTYPE, HALF, GRID, SCATTER],
    // Where everything is in memory, then the entry points.
    own: &[
        include_str!("../../shaders/orthogonal/layout.wgsl"),
        include_str!("../../shaders/orthogonal/reflect.wgsl"),
        include_str!("../../shaders/orthogonal/gram.wgsl"),
        include_str!("../../shaders/orthogonal/apply.wgsl"),
        include_str!("../../shaders/orthogonal/examine.wgsl"),
        include_str!("../../shaders/orthogonal/finish.wgsl"),
    ],
};

impl Module {
    /// Assembles the text.
    pub(crate) fn text(&self, Variant { wide_mul, arithmetic, tables }: Variant) -> String {
        let files = |part: &'static Part| -> &[&str] {
            match (part, arithmetic.fp_guard) {
                (Text(file), _) => std::slice::from_ref(file),
                (WideMultiply, _) => match wide_mul {
                    WideMul::Int64 => &[MUL_WIDE_INT64],
                    WideMul::Limbs => &[MUL_WIDE_LIMBS],
                },
                (Pack, _) => match arithmetic.half_rounding {
                    HalfRounding::Floats => &[PACK_FLOATS],
                    HalfRounding::Integers => &[PACK],
                },
                (Tables, _) => match tables {
                    AddressSpace::Storage => &[TABLES],
                    AddressSpace::Uniform => &[TABLES_UNIFORM],
                },
                (Guard | SumGuard, FpGuard::None) => &[GUARD, MUL_ADD_PLAIN, OPAQUE_PLAIN],
                (Guard, FpGuard::NoContraction) => &[GUARD, MUL_ADD, OPAQUE_PLAIN],
                (Guard | SumGuard, _) => &[GUARD, MUL_ADD, OPAQUE],
            }
        };
        // Files are a line apart.
        self.library.iter().flat_map(files).chain(self.own).copied().collect::<Vec<_>>().join("\n")
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
    FILL.text(Variant::portable(wide_mul, fp_guard))
}

/// The module that computes fingerprint and statistics: entry points `fingerprint` and `summary`.
///
/// ```
/// use gpu_init::{FpGuard, shader};
///
/// assert!(shader::reduce(FpGuard::NoReassociation).contains("fn fingerprint("));
/// ```
pub fn reduce(fp_guard: FpGuard) -> String {
    REDUCE.text(Variant::portable(WideMul::Limbs, fp_guard))
}
