// Haar-distributed orthogonal matrices as products of Householder reflections: where everything is
// in memory. Mirrored by src/cpu/orthogonal.rs; the mathematics is in
// src/distribution/orthogonal/mod.rs.
//
// A matrix is rows x columns, rows >= columns, in panels of COLUMNS columns (the last one may be
// narrower), each row-major. A slab has some panels of some matrices; the output may be the
// transpose. Reflections are applied in blocks of BLOCK. A unit of `scratch` has one block of one
// matrix in rows of BLOCK floats: the Gram matrix, then signs, scales and heads, then a row of
// vectors for each row of the matrix.
//
// A dispatch computes one tile of a matrix: at most TILE rows, counted from the first row of a
// block. Sums over rows continue from tile to tile in `carry`: no loop grows with a matrix, and the
// order of a sum does not depend on tiles.

struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see lib/philox.wgsl
    stream: vec2<u32>,  // counter words 2 and 3
    rows: u32,
    columns: u32,
    quads: u32,         // Philox blocks of a reflection's vector
    first_matrix: u32,  // the slab's first matrix
    first_panel: u32,   // panels of each matrix in the slab
    end_panel: u32,
    matrix: u32,        // first matrix in `scratch`
    block: u32,         // first block of reflections in `scratch`
    blocks: u32,        // blocks of each matrix in `scratch`
    at: u32,            // block to apply; in `finish`, first column of the output
    first: u32,         // first unit or panel here; in `finish`, first row of the output
    count: u32,         // number of units or panels; in `finish`, of entries
    transposed: u32,    // 1 if the output is
    tile: u32,          // tile of rows of this dispatch
    width: u32,         // columns of the output in this dispatch
    origin: u32,        // offset of the first entry from the binding's first element, mod 2^32
    stride: u32,        // elements between rows of the output
    step: u32,          // and between its columns
    here: u32,          // elements in the binding; entries elsewhere are left out
    begin: u32,         // offset of the first element in the binding
    scale: f32,         // of normals, see Scaling; in `finish`, the gain
    shift: f32,         // 0.0
    one: f32,           // 1.0 and 0, see lib/guard.wgsl
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> scratch_floats: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> slab: array<f32>;
// Sums so far, of matrices of several tiles.
@group(0) @binding(3) var<storage, read_write> carry: array<f32>;

const BLOCK: u32 = 16u;   // reflections applied at once
const PARTS: u32 = 8u;    // partial sums of a sum over rows
const RUN: u32 = 16u;     // rows of a running sum
const LANES: u32 = 256u;
const COLUMNS: u32 = 32u; // columns of a panel: two for each of the 128 / PARTS lanes of a part
// Rows of a unit: signs of the columns, scales of the vectors, first entries of the vectors.
const SIGNS: u32 = 16u;
const SCALES: u32 = 17u;
const HEADS: u32 = 18u;
const VECTORS: u32 = 19u;
const TILE: u32 = 8192u;  // a multiple of PARTS * RUN and of 4 * LANES

var<workgroup> lane_sums: array<f32, 256>;

// Row `row` of a unit, in matrices of `rows` rows.
fn unit_row(rows: u32, unit: u32, row: u32) -> u32 {
    return unit * (VECTORS + rows) + row;
}

// Columns of a panel, in matrices of `columns` columns.
fn panel_width(columns: u32, panel: u32) -> u32 {
    return min(COLUMNS, columns - panel * COLUMNS);
}

// Index in `slab` of the first entry of panel `panel` of matrix `matrix`.
fn panel_start(params: Params, matrix: u32, panel: u32) -> u32 {
    let columns = min(params.end_panel * COLUMNS, params.columns) - params.first_panel * COLUMNS;
    let first_column = (panel - params.first_panel) * COLUMNS;
    return ((matrix - params.first_matrix) * columns + first_column) * params.rows;
}

// The tile of this dispatch, for conditions.
fn tile_of(params: Params, group: vec3<u32>) -> u32 {
    return nonuniform(params.tile, group);
}

fn opaque4(v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(opaque(v.x), opaque(v.y), opaque(v.z), opaque(v.w));
}

fn opaque4x4(m: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(opaque4(m[0]), opaque4(m[1]), opaque4(m[2]), opaque4(m[3]));
}

// A step of a running sum. Opaque, since a compiler may take a common factor out of two steps.
fn mul_add4(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    return opaque4(vec4<f32>(
        mul_add(a.x, b.x, c.x),
        mul_add(a.y, b.y, c.y),
        mul_add(a.z, b.z, c.z),
        mul_add(a.w, b.w, c.w),
    ));
}
