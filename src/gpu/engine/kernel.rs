//! The table of kernels. A kernel is one row here and an entry point of a WGSL module; planners
//! name it, and all else follows from its row.

use crate::distribution::orthogonal::TILE;
use crate::gpu::engine::params::{
    ClearParams, ConvertParams, DiagonalParams, FillParams, GatherParams, OrthogonalParams,
    ReduceParams, SparseParams,
};
use crate::gpu::wgsl::{self, Module};
use crate::reduce::lanes::{CHUNK, LANES};
use crate::{DType, Distribution};

/// Invocations of a workgroup, unless a kernel's row says otherwise.
pub(crate) const WORKGROUP_SIZE: u32 = 256;
/// Invocations of a workgroup of `fill_many`.
pub(crate) const PART_LANES: u32 = 64;
/// Rows that an invocation of `sparse` goes down.
pub(crate) const SPARSE_ROWS: u32 = 1 << 13;
/// Most iterations that the loops of one invocation may make. llvmpipe ends loops without a word
/// after 65,535 in all, and other drivers reset a device that takes long: planners make more
/// dispatches instead.
const MOST_ITERATIONS: u32 = 1 << 14;

/// The entry points of the shaders, which have these names in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Entry {
    /// Whole 16-byte entries from a block's start.
    Fill,
    /// Any range.
    FillWords,
    /// Elements that do not follow one another.
    FillSlice,
    /// Many small tensors.
    FillMany,
    Fingerprint,
    /// Statistics and fingerprint.
    Summary,
    Gather,
    /// F32 values to F64 or 8-bit types, and words as they are.
    Convert,
    Clear,
    Diagonal,
    Sparse,
    Reflect,
    Scale,
    Gram,
    Apply,
    Project,
    Update,
    Examine,
    Finish,
}

/// What the engine knows of a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) module: &'static Module,
    /// The buffers at bindings 1, 2...; binding 0 is the uniform.
    pub(crate) bindings: &'static [Access],
    /// Bytes of the uniform.
    pub(crate) params: usize,
    pub(crate) workgroup_size: u32,
    /// Whether `DISTRIBUTION` and `WORKGROUP_SIZE` are constants to set, beside `DTYPE`.
    pub(crate) has_distribution: bool,
    /// Most iterations of all loops of one invocation.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the WGSL"))]
    pub(crate) iterations: u32,
}

/// How a kernel accesses a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Reads the tables, in their [`AddressSpace`](crate::gpu::wgsl::AddressSpace); others are
    /// storage buffers.
    Table,
}

/// A buffer of tables may be bound in either address space.
pub(crate) const TABLE_USAGES: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::UNIFORM);

impl Entry {
    /// The name in the WGSL.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// The table.
    pub(crate) const fn row(self) -> Row {
        use Access::{Read, Table, Write};
        let tile = TILE as u32;
        // An invocation reads its elements of a chunk three times, and the sums of all lanes.
        let reduce = 3 * ((CHUNK / LANES) as u32 + 8);
        // It draws four rows at a time and scales each by itself; then all add up their sums.
        let draw = 2 * tile / 256 + 8;
        // It goes over its eighth of the rows twice, and solves a triangular system between.
        let apply = (tile + tile / 16) / 4 + 256;
        let orthogonal = row::<OrthogonalParams>(&wgsl::ORTHOGONAL, &[Write, Write, Write]);
        match self {
            Self::Fill | Self::FillWords | Self::FillSlice => {
                row::<FillParams>(&wgsl::FILL, &[Write, Table]).distribution()
            }
            Self::FillMany => row::<FillParams>(&wgsl::FILL, &[Write, Table, Read])
                .distribution()
                .lanes(PART_LANES),
            Self::Fingerprint | Self::Summary => {
                row::<ReduceParams>(&wgsl::REDUCE, &[Read, Write]).loops(reduce)
            }
            Self::Gather => row::<GatherParams>(&wgsl::GATHER, &[Write, Read]),
            Self::Convert => row::<ConvertParams>(&wgsl::CONVERT, &[Write, Read]),
            Self::Clear => row::<ClearParams>(&wgsl::CLEAR, &[Write]),
            Self::Diagonal => row::<DiagonalParams>(&wgsl::DIAGONAL, &[Write]),
            Self::Sparse => row::<SparseParams>(&wgsl::SPARSE, &[Write, Write]).loops(SPARSE_ROWS),
            Self::Reflect | Self::Scale => orthogonal.loops(draw),
            Self::Gram => orthogonal.loops(tile + tile / 16 + 32),
            Self::Apply | Self::Project | Self::Update => orthogonal.loops(apply).lanes(128),
            Self::Examine => orthogonal.loops(tile / 8 + 16),
            Self::Finish => orthogonal,
        }
    }
}

/// No row allows more than `MOST_ITERATIONS`, or this does not compile.
const _: () = {
    let mut i = 0;
    while i < <Entry as strum::VariantArray>::VARIANTS.len() {
        <Entry as strum::VariantArray>::VARIANTS[i].row();
        i += 1;
    }
};

const fn row<P>(module: &'static Module, bindings: &'static [Access]) -> Row {
    Row {
        module,
        bindings,
        params: size_of::<P>(),
        workgroup_size: WORKGROUP_SIZE,
        has_distribution: false,
        iterations: 0,
    }
}

impl Row {
    const fn distribution(self) -> Self {
        Row { has_distribution: true, ..self }
    }

    const fn lanes(self, workgroup_size: u32) -> Self {
        Row { workgroup_size, ..self }
    }

    const fn loops(self, iterations: u32) -> Self {
        assert!(iterations <= MOST_ITERATIONS);
        Row { iterations, ..self }
    }
}

/// An entry point with its constants: what is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    pub(crate) entry: Entry,
    pub(crate) dtype: DType,
    /// Only of kernels that have it.
    pub(crate) transform: Transform,
}

impl Kernel {
    pub(crate) fn new(entry: Entry, dtype: DType) -> Self {
        Kernel { entry, dtype, transform: Transform::Normal }
    }

    /// The values of its module's overrides.
    pub(crate) fn constants(self) -> Vec<(&'static str, f64)> {
        let row = self.entry.row();
        let mut constants = vec![("DTYPE", f64::from(self.dtype as u32))];
        if row.has_distribution {
            constants.push(("DISTRIBUTION", f64::from(self.transform as u32)));
            constants.push(("WORKGROUP_SIZE", f64::from(row.workgroup_size)));
        }
        constants
    }
}

/// `DISTRIBUTION` in `fill.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::VariantArray)]
pub(crate) enum Transform {
    Normal = 0,
    Uniform = 1,
    Constant = 2,
    Truncated = 3,
    ShiftedNormal = 4,
}

impl From<Distribution> for Transform {
    /// The transform of the background, where values are scattered over one.
    fn from(distribution: Distribution) -> Self {
        match distribution {
            Distribution::Normal { mean: 0.0, .. } | Distribution::Sparse { .. } => {
                Transform::Normal
            }
            Distribution::Normal { .. } => Transform::ShiftedNormal,
            Distribution::Uniform { .. } => Transform::Uniform,
            Distribution::Constant { .. }
            | Distribution::Diagonal { .. }
            | Distribution::Orthogonal { .. }
            // No shader computes these.
            | Distribution::LogUniform { .. }
            | Distribution::Indexed { .. } => Transform::Constant,
            Distribution::Truncated { .. } => Transform::Truncated,
        }
    }
}
