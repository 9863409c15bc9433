// Haar-distributed orthogonal matrices as products of Householder reflections. Twin: src/orthogonal/cpu.rs, the
// mathematics in src/orthogonal/mod.rs. A matrix is rows x columns, rows >= columns, in panels of COLUMNS columns
// (the last one of what is left), each row-major. A slab has some panels of some matrices; the output may be the
// transpose. Reflections come in blocks of BLOCK; a unit of `scratch` has one block of one matrix: rows of BLOCK
// floats, first the GRAM, then the signs, then a row of the vectors for each row of the matrix.

struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see philox.wgsl
    stream: vec2<u32>,  // counter words 2 and 3
    rows: u32,
    columns: u32,
    quads: u32,         // Philox blocks of a reflection's vector
    first_matrix: u32,  // the slab's first matrix
    first_panel: u32,   // panels of each matrix in the slab
    end_panel: u32,
    matrix: u32,        // first matrix in `scratch`
    block: u32,         // first block of reflections there
    blocks: u32,        // blocks of each matrix there
    at: u32,            // block to apply; to finish, first column of the output
    first: u32,         // first unit or panel of this dispatch; to finish, first row of the output
    count: u32,         // how many of them; to finish, of entries
    transposed: u32,    // 1 if the output is
    width: u32,         // columns of the output to finish
    origin: u32,        // place of the first entry, counted from the first element here, mod 2^32
    stride: u32,        // elements between rows and between columns of the output
    step: u32,
    here: u32,          // elements in the binding; entries elsewhere are left out
    begin: u32,         // where the first one is
    scale: f32,         // of normals, see sample.wgsl; of entries: the gain
    shift: f32,         // 0.0
    one: f32,           // 1.0 and 0, see mul_add.wgsl and keep.wgsl
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> scratch_floats: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> slab: array<f32>;

const BLOCK: u32 = 16u;   // reflections applied at once
const PARTS: u32 = 8u;    // sums that a sum over rows is made of
const RUN: u32 = 16u;     // rows of a running sum
const LANES: u32 = 256u;
const COLUMNS: u32 = 32u; // columns of a panel: two for each of the 128 / PARTS lanes of a part
const SIGNS: u32 = 16u;   // row of a unit: after the GRAM
const VECTORS: u32 = 17u; // row of a unit: after the signs

var<workgroup> lane_sums: array<f32, 256>;
var<workgroup> head: f32;
var<workgroup> part_sums: array<mat4x4<f32>, 64>;  // of the lanes of the upper half of the parts
var<workgroup> weights: array<f32, 512>;           // BLOCK rows of COLUMNS

fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

// Row `row` of a unit.
fn unit_row(unit: u32, row: u32) -> u32 {
    return unit * (VECTORS + params.rows) + row;
}

// Columns of a panel of a matrix.
fn panel_width(panel: u32) -> u32 {
    return min(COLUMNS, params.columns - panel * COLUMNS);
}

// Where panel `panel` of matrix `matrix` is in the slab.
fn panel_start(matrix: u32, panel: u32) -> u32 {
    let columns = min(params.end_panel * COLUMNS, params.columns) - params.first_panel * COLUMNS;
    return ((matrix - params.first_matrix) * columns + (panel - params.first_panel) * COLUMNS) * params.rows;
}

fn mul_add4(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    return fma(a * b, vec4<f32>(params.one), c);
}

fn keep4(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.zero));
}

// 1/sqrt(s) of a positive normal number.
fn inverse_sqrt(s: f32) -> f32 {
    let guess = bitcast<f32>(SQRT_GUESS - (bitcast<u32>(s) >> 1u));
    let h = mul_add(-keep(s * guess), guess, 1.0f);
    var q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    q = mul_add(q, h, 1.0f);
    return guess * q;
}

// Stores entry `i` of the vector of reflection `k`, if there is one, and returns `sum` with its square.
fn take(base: u32, i: u32, k: u32, normal: f32, sum: f32) -> f32 {
    if i >= params.rows {
        return sum;
    }
    let x = select(0.0f, normal, i >= k && k < params.columns);
    scratch_floats[base + i * BLOCK] = x;
    if i == k {
        head = x;
    }
    return mul_add(x, x, sum);
}

// The vectors of units `first` and on: a workgroup for each of a unit's reflections.
@compute @workgroup_size(256)
fn reflect(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    let inside = index < params.count * BLOCK;
    let unit = params.first + index / BLOCK;
    let q = index % BLOCK;
    let first_row = (params.block + unit % params.blocks) * BLOCK;
    let k = first_row + q;
    let number = ((params.matrix + unit / params.blocks) * params.columns + k) * params.quads;
    let base = unit_row(unit, VECTORS) * BLOCK + q;
    let end = select(0u, params.rows, inside);

    if lane == 0u {
        head = 0.0f;
    }
    workgroupBarrier();
    var sum = 0.0f;
    for (var i = first_row + 4u * lane; i < end; i += 4u * LANES) {
        let x = normal4(philox4x32(vec4<u32>(number + i / 4u, 0u, params.stream), params.keys));
        sum = take(base, i, k, x.x, sum);
        sum = take(base, i + 1u, k, x.y, sum);
        sum = take(base, i + 2u, k, x.z, sum);
        sum = take(base, i + 3u, k, x.w, sum);
    }
    lane_sums[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] += lane_sums[lane + half];
        }
    }
    workgroupBarrier();
    let square = lane_sums[0];
    let x = head;
    let sign = select(1.0f, -1.0f, x < 0.0f);
    // A vector of one entry, or of none that is not 0, needs no reflection.
    let none = k + 1u >= params.rows || square == 0.0f;
    let norm = square * inverse_sqrt(square);
    let total = norm + abs(x);
    let scale = select(inverse_sqrt(norm * total), 0.0f, none);
    for (var i = first_row + 4u * lane; i < end; i += 4u * LANES) {
        for (var j = i; j < min(i + 4u, params.rows); j++) {
            let at = base + j * BLOCK;
            if j == k {
                scratch_floats[at] = select(total * scale * sign, 0.0f, none);
            } else {
                scratch_floats[at] = scratch_floats[at] * scale;
            }
        }
    }
    if inside && lane == 0u {
        scratch_floats[unit_row(unit, SIGNS) * BLOCK + q] = select(-sign, sign, none);
    }
}

// The products of the vectors of units `first` and on with each other: a workgroup for each unit, a lane for each pair.
@compute @workgroup_size(256)
fn gram(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.count {
        return;
    }
    let unit = params.first + index;
    let first_row = (params.block + unit % params.blocks) * BLOCK;
    let vectors = unit_row(unit, VECTORS) * BLOCK;
    let q = lane / BLOCK;
    let l = lane % BLOCK;
    var parts: array<f32, 8>;
    for (var part = 0u; part < PARTS; part++) {
        var sum = 0.0f;
        for (var run = first_row + part * RUN; run < params.rows; run += PARTS * RUN) {
            var s = 0.0f;
            for (var i = run; i < min(run + RUN, params.rows); i++) {
                s = keep(mul_add(scratch_floats[vectors + i * BLOCK + q], scratch_floats[vectors + i * BLOCK + l], s));
            }
            sum += s;
        }
        parts[part] = sum;
    }
    for (var half = PARTS / 2u; half > 0u; half /= 2u) {
        for (var part = 0u; part < half; part++) {
            parts[part] += parts[part + half];
        }
    }
    // On the diagonal 1 / (g / 2), where g / 2 is 1 but for rounding.
    scratch_floats[unit_row(unit, 0u) * BLOCK + lane] = select(parts[0], mul_add(-0.5f, parts[0], 2.0f), q == l);
}

// Entry `i` of a column at `at` of the slab. One whose own block is the one to apply is its sign at its own row; of the
// others, the rows of this block have not been written yet and are zero.
fn entry(at: u32, i: u32, column: u32, sign: f32) -> f32 {
    if i / BLOCK == params.at || column / BLOCK == params.at {
        return select(0.0f, sign, i == column);
    }
    return slab[at];
}

// The sum over the parts, in the lanes of part 0.
fn sum_of_parts(own: mat4x4<f32>, lane: u32) -> mat4x4<f32> {
    var sum = own;
    for (var half = PARTS / 2u; half > 0u; half /= 2u) {
        let lanes = half * BLOCK;
        workgroupBarrier();
        if lane >= lanes && lane < 2u * lanes {
            part_sums[lane - lanes] = sum;
        }
        workgroupBarrier();
        if lane < lanes {
            sum += part_sums[lane];
        }
    }
    return sum;
}

// The weights of the vectors in columns whose products with them are `sum`: row q of `weights`, at `at`.
fn solve(gram_rows: u32, sum: mat4x4<f32>, at: u32) {
    for (var i = 0u; i < 4u; i++) {
        weights[i * COLUMNS + at] = sum[0][i];
        weights[(i + 4u) * COLUMNS + at] = sum[1][i];
        weights[(i + 8u) * COLUMNS + at] = sum[2][i];
        weights[(i + 12u) * COLUMNS + at] = sum[3][i];
    }
    for (var n = 1u; n <= BLOCK; n++) {
        let q = BLOCK - n;
        var w = weights[q * COLUMNS + at];
        for (var l = q + 1u; l < BLOCK; l++) {
            w = keep(mul_add(-scratch[gram_rows + q * 4u + l / 4u][l % 4u], weights[l * COLUMNS + at], w));
        }
        weights[q * COLUMNS + at] = w * scratch[gram_rows + q * 4u + q / 4u][q % 4u];
    }
}

// Weights 4 i to 4 i + 3 of the column at `at`.
fn weights4(i: u32, at: u32) -> vec4<f32> {
    let first = 4u * i * COLUMNS + at;
    return vec4<f32>(
        weights[first], weights[first + COLUMNS], weights[first + 2u * COLUMNS], weights[first + 3u * COLUMNS],
    );
}

// Applies block `at`, its last reflection first, to the columns that it touches: a workgroup for a panel of columns
// of a matrix, of which lane l has columns l mod BLOCK and BLOCK more, and the rows of part l / BLOCK.
@compute @workgroup_size(128)
fn apply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.count {
        return;
    }
    let first_row = params.at * BLOCK;
    let first_panel = max(first_row / COLUMNS, params.first_panel);
    let panels = params.end_panel - first_panel;
    let matrix = (params.first + index) / panels;
    let panel = first_panel + (params.first + index) % panels;
    let width = panel_width(panel);
    let part = lane / BLOCK;
    let at_a = lane % BLOCK;
    let at_b = at_a + BLOCK;
    let a = panel * COLUMNS + at_a;
    let b = panel * COLUMNS + at_b;
    // Columns of earlier blocks are not touched.
    let has_a = a >= first_row && a < params.columns;
    let has_b = b < params.columns;
    let base = panel_start(params.matrix + matrix, panel) + at_a;
    let unit = matrix * params.blocks + params.at - params.block;
    let vectors = unit_row(unit, VECTORS) * 4u;
    let sign = scratch[unit_row(unit, SIGNS) * 4u + at_a / 4u][at_a % 4u];

    var sum_a = mat4x4<f32>();
    var sum_b = mat4x4<f32>();
    for (var run = first_row + part * RUN; run < params.rows; run += PARTS * RUN) {
        var s_a = mat4x4<f32>();
        var s_b = mat4x4<f32>();
        for (var i = run; i < min(run + RUN, params.rows); i++) {
            let v0 = scratch[vectors + i * 4u];
            let v1 = scratch[vectors + i * 4u + 1u];
            let v2 = scratch[vectors + i * 4u + 2u];
            let v3 = scratch[vectors + i * 4u + 3u];
            if has_a {
                let p = vec4<f32>(entry(base + i * width, i, a, sign));
                s_a[0] = mul_add4(v0, p, s_a[0]);
                s_a[1] = mul_add4(v1, p, s_a[1]);
                s_a[2] = mul_add4(v2, p, s_a[2]);
                s_a[3] = mul_add4(v3, p, s_a[3]);
            }
            if has_b {
                let p = vec4<f32>(entry(base + i * width + BLOCK, i, b, sign));
                s_b[0] = mul_add4(v0, p, s_b[0]);
                s_b[1] = mul_add4(v1, p, s_b[1]);
                s_b[2] = mul_add4(v2, p, s_b[2]);
                s_b[3] = mul_add4(v3, p, s_b[3]);
            }
        }
        sum_a += s_a;
        sum_b += s_b;
    }
    sum_a = sum_of_parts(sum_a, lane);
    sum_b = sum_of_parts(sum_b, lane);
    // Part 0 has the sums of columns a, and hands those of b to part 1.
    if part == 0u {
        part_sums[lane] = sum_b;
    }
    workgroupBarrier();
    if part == 0u {
        solve(unit_row(unit, 0u) * 4u, sum_a, lane);
    } else if part == 1u {
        solve(unit_row(unit, 0u) * 4u, part_sums[lane - BLOCK], lane);
    }
    workgroupBarrier();
    let a0 = weights4(0u, at_a);
    let a1 = weights4(1u, at_a);
    let a2 = weights4(2u, at_a);
    let a3 = weights4(3u, at_a);
    let b0 = weights4(0u, at_b);
    let b1 = weights4(1u, at_b);
    let b2 = weights4(2u, at_b);
    let b3 = weights4(3u, at_b);
    for (var run = first_row + part * RUN; run < params.rows; run += PARTS * RUN) {
        for (var i = run; i < min(run + RUN, params.rows); i++) {
            let v0 = scratch[vectors + i * 4u];
            let v1 = scratch[vectors + i * 4u + 1u];
            let v2 = scratch[vectors + i * 4u + 2u];
            let v3 = scratch[vectors + i * 4u + 3u];
            if has_a {
                let at = base + i * width;
                let u = mul_add4(v3, a3, mul_add4(v2, a2, mul_add4(v1, a1, keep4(v0 * a0))));
                slab[at] = entry(at, i, a, sign) - keep(keep(u.x + u.y) + keep(u.z + u.w));
            }
            if has_b {
                let at = base + i * width + BLOCK;
                let u = mul_add4(v3, b3, mul_add4(v2, b2, mul_add4(v1, b1, keep4(v0 * b0))));
                slab[at] = entry(at, i, b, sign) - keep(keep(u.x + u.y) + keep(u.z + u.w));
            }
        }
    }
}

// A value as the element type's bits.
fn entry_bits(value: f32) -> u32 {
    if DTYPE == F16 {
        return f16_bits(value);
    }
    if DTYPE == BF16 {
        return bf16_bits(value);
    }
    return bitcast<u32>(value);
}

// Puts entries of the slab where the output, zero until then, has them: those of `width` columns of rows `first` and on,
// which are counted through all matrices.
@compute @workgroup_size(256)
fn finish(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group_index(group, groups) * LANES + lane;
    if i >= params.count {
        return;
    }
    let place = params.origin + i / params.width * params.stride + i % params.width * params.step;
    if place >= params.here {
        return;
    }
    let own_rows = select(params.rows, params.columns, params.transposed == 1u);
    let own_row = params.first + i / params.width;
    var row = own_row % own_rows;
    var column = params.at + i % params.width;
    if params.transposed == 1u {
        row = column;
        column = own_row % own_rows;
    }
    let panel = column / COLUMNS;
    let source = panel_start(own_row / own_rows, panel) + row * panel_width(panel) + column % COLUMNS;
    let bits = entry_bits(slab[source] * params.scale);
    put_bits(params.begin + place, bits);
}
