// Haar-distributed orthogonal matrices as products of Householder reflections. Mirrors
// src/orthogonal/cpu.rs, the mathematics in src/orthogonal/mod.rs. A matrix is rows x columns, rows
// >= columns, in panels of COLUMNS columns (the last one of what is left), each row-major. A slab
// has some panels of some matrices; the output may be the transpose. Reflections come in blocks of
// BLOCK; a unit of `scratch` has one block of one matrix: rows of BLOCK floats, first the GRAM,
// then the signs, scales and heads, then a row of the vectors for each row of the matrix.
//
// A dispatch computes one tile of a matrix: at most TILE rows, counted from the first row of a
// block. Sums over rows go on from tile to tile in `carry`, so that no loop grows with a matrix and
// the order of a sum does not depend on tiles.

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
    tile: u32,          // tile of rows of this dispatch
    width: u32,         // columns of the output to finish
    origin: u32,        // place of the first entry, counted from the first element here, mod 2^32
    stride: u32,        // elements between rows and between columns of the output
    step: u32,
    here: u32,          // elements in the binding; entries elsewhere are left out
    begin: u32,         // where the first one is
    scale: f32,         // of normals, see sample.wgsl; of entries: the gain
    shift: f32,         // 0.0
    one: f32,           // 1.0 and 0, see mul_add.wgsl and opaque.wgsl
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> scratch_floats: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> slab: array<f32>;
@group(0) @binding(3) var<storage, read_write> carry: array<f32>;  // sums so far, of matrices of several tiles

const BLOCK: u32 = 16u;   // reflections applied at once
const PARTS: u32 = 8u;    // sums that a sum over rows is made of
const RUN: u32 = 16u;     // rows of a running sum
const LANES: u32 = 256u;
const COLUMNS: u32 = 32u; // columns of a panel: two for each of the 128 / PARTS lanes of a part
const SIGNS: u32 = 16u;   // rows of a unit: signs of the columns, scales of the vectors, their first entries
const SCALES: u32 = 17u;
const HEADS: u32 = 18u;
const VECTORS: u32 = 19u;
const TILE: u32 = 8192u;  // a multiple of PARTS * RUN and of 4 * LANES

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

fn keep4(v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(opaque(v.x), opaque(v.y), opaque(v.z), opaque(v.w));
}

// A running sum: where one adds to another, a compiler may take a common factor out of both unless
// it is kept.
fn mul_add4(a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    return keep4(vec4<f32>(
        mul_add(a.x, b.x, c.x), mul_add(a.y, b.y, c.y), mul_add(a.z, b.z, c.z), mul_add(a.w, b.w, c.w),
    ));
}

fn keep4x4(m: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(keep4(m[0]), keep4(m[1]), keep4(m[2]), keep4(m[3]));
}

// 1/sqrt(s) of a positive normal number.
fn inverse_sqrt(s: f32) -> f32 {
    let guess = bitcast<f32>(SQRT_GUESS - (bitcast<u32>(s) >> 1u));
    let h = mul_add(-opaque(s * guess), guess, 1.0f);
    var q = mul_add(SQRT_Q4, h, SQRT_Q3);
    q = mul_add(q, h, SQRT_Q2);
    q = mul_add(q, h, SQRT_Q1);
    q = mul_add(q, h, 1.0f);
    return opaque(guess * q);
}

// Stores entry `i` of the vector of reflection `k`, if there is one, and returns `sum` with its
// square.
fn take(base: u32, i: u32, k: u32, normal: f32, sum: f32) -> f32 {
    if i >= params.rows {
        return sum;
    }
    let x = select(0.0f, normal, i >= k && k < params.columns);
    scratch_floats[base + i * BLOCK] = x;
    if i == k {
        head = x;
    }
    return opaque(mul_add(x, x, sum));
}

// The tile of this dispatch; `group.z` is 0: see sparse.wgsl.
fn tile_of(group: vec3<u32>) -> u32 {
    return params.tile + group.z;
}

// A reflection's vector in a unit, and the tile of it that is computed.
struct Vector {
    unit: u32,
    q: u32,          // which one of the unit's
    first_row: u32,  // of the unit's block
    base: u32,       // where row 0 is
    begin: u32,      // first row of the tile
    end: u32,        // the row after the last one
    inside: bool,    // whether there is any
}

fn vector(group: vec3<u32>, groups: vec3<u32>) -> Vector {
    let index = group_index(group, groups);
    let unit = params.first + index / BLOCK;
    let q = index % BLOCK;
    let first_row = (params.block + unit % params.blocks) * BLOCK;
    let begin = first_row + params.tile * TILE;
    let inside = index < params.count * BLOCK && begin < params.rows;
    let end = select(0u, min(begin + TILE, params.rows), inside);
    return Vector(unit, q, first_row, unit_row(unit, VECTORS) * BLOCK + q, begin, end, inside);
}

// Scales a tile of a vector.
fn scale_tile(v: Vector, lane: u32, scale: f32, first_entry: f32) {
    let k = v.first_row + v.q;
    for (var i = v.begin + 4u * lane; i < v.end; i += 4u * LANES) {
        for (var j = i; j < min(i + 4u, v.end); j++) {
            let at = v.base + j * BLOCK;
            if j == k {
                scratch_floats[at] = first_entry;
            } else {
                scratch_floats[at] = scratch_floats[at] * scale;
            }
        }
    }
}

// The vectors of units `first` and on: a workgroup for each of a unit's reflections. Those of a
// single tile are scaled, too; `scale` does that for the others when all tiles are drawn.
@compute @workgroup_size(256)
fn reflect(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let v = vector(group, groups);
    let k = v.first_row + v.q;
    let number = ((params.matrix + v.unit / params.blocks) * params.columns + k) * params.quads;
    let at_carry = (v.unit * BLOCK + v.q) * LANES + lane;

    if lane == 0u {
        head = 0.0f;
    }
    workgroupBarrier();
    let tile = tile_of(group);
    var sum = 0.0f;
    if tile > 0u {
        sum = carry[at_carry];
    }
    for (var i = v.begin + 4u * lane; i < v.end; i += 4u * LANES) {
        let x = normal4(philox4x32(vec4<u32>(number + i / 4u, 0u, params.stream), params.keys));
        sum = take(v.base, i, k, x.x, sum);
        sum = take(v.base, i + 1u, k, x.y, sum);
        sum = take(v.base, i + 2u, k, x.z, sum);
        sum = take(v.base, i + 3u, k, x.w, sum);
    }
    if !v.inside {
        return;
    }
    if v.end < params.rows {
        carry[at_carry] = sum;
        return;
    }
    lane_sums[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] = opaque(lane_sums[lane] + lane_sums[lane + half]);
        }
    }
    workgroupBarrier();
    let square = lane_sums[0];
    var x = head;
    if tile > 0u {
        x = scratch_floats[v.base + k * BLOCK];
    }
    let sign = select(1.0f, -1.0f, x < 0.0f);
    // A vector of one entry, or of none that is not 0, needs no reflection.
    let none = k + 1u >= params.rows || square == 0.0f;
    let norm = opaque(square * inverse_sqrt(square));
    let total = opaque(norm + abs(x));
    let scale = select(inverse_sqrt(opaque(norm * total)), 0.0f, none);
    let first_entry = select(opaque(total * scale) * sign, 0.0f, none);
    if tile == 0u {
        scale_tile(v, lane, scale, first_entry);
    }
    if lane == 0u {
        scratch_floats[unit_row(v.unit, SIGNS) * BLOCK + v.q] = select(-sign, sign, none);
        scratch_floats[unit_row(v.unit, SCALES) * BLOCK + v.q] = scale;
        scratch_floats[unit_row(v.unit, HEADS) * BLOCK + v.q] = first_entry;
    }
}

// Scales the vectors of units `first` and on that have several tiles.
@compute @workgroup_size(256)
fn scale(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let v = vector(group, groups);
    if v.inside && v.first_row + TILE < params.rows {
        let scale = scratch_floats[unit_row(v.unit, SCALES) * BLOCK + v.q];
        scale_tile(v, lane, scale, scratch_floats[unit_row(v.unit, HEADS) * BLOCK + v.q]);
    }
}

// The products of the vectors of units `first` and on with each other: a workgroup for each unit, a
// lane for each pair.
@compute @workgroup_size(256)
fn gram(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    let unit = params.first + index;
    let begin = (params.block + unit % params.blocks) * BLOCK + params.tile * TILE;
    if index >= params.count || begin >= params.rows {
        return;
    }
    let end = min(begin + TILE, params.rows);
    let vectors = unit_row(unit, VECTORS) * BLOCK;
    let q = lane / BLOCK;
    let l = lane % BLOCK;
    var parts: array<f32, 8>;
    for (var part = 0u; part < PARTS; part++) {
        let at_carry = (unit * PARTS + part) * LANES + lane;
        var sum = 0.0f;
        if tile_of(group) > 0u {
            sum = carry[at_carry];
        }
        for (var run = begin + part * RUN; run < end; run += PARTS * RUN) {
            var s = 0.0f;
            for (var i = run; i < min(run + RUN, end); i++) {
                s = opaque(mul_add(scratch_floats[vectors + i * BLOCK + q], scratch_floats[vectors + i * BLOCK + l], s));
            }
            sum = opaque(sum + s);
        }
        parts[part] = sum;
        if end < params.rows {
            carry[at_carry] = sum;
        }
    }
    if end < params.rows {
        return;
    }
    for (var half = PARTS / 2u; half > 0u; half /= 2u) {
        for (var part = 0u; part < half; part++) {
            parts[part] = opaque(parts[part] + parts[part + half]);
        }
    }
    // On the diagonal 1 / (g / 2), where g / 2 is 1 but for rounding.
    scratch_floats[unit_row(unit, 0u) * BLOCK + lane] = select(parts[0], mul_add(-0.5f, parts[0], 2.0f), q == l);
}

// Entry `i` of a column at `at` of the slab. One whose own block is the one to apply is its sign at
// its own row; of the others, the rows of this block have not been written yet and are zero.
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
            sum = keep4x4(sum + part_sums[lane]);
        }
    }
    return sum;
}

// The weights of the vectors in columns whose products with them are `sum`: row q of `weights`, at
// `at`.
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
            w = opaque(mul_add(-scratch[gram_rows + q * 4u + l / 4u][l % 4u], weights[l * COLUMNS + at], w));
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

// A panel of a matrix, the block to apply to it, and a lane's share: columns lane mod BLOCK and
// BLOCK more, and the rows of part lane / BLOCK.
struct Panel {
    lane: u32,
    part: u32,
    at_a: u32,       // the two columns within the panel
    at_b: u32,
    a: u32,          // and of the matrix
    b: u32,
    has_a: bool,     // whether the block touches them: columns of earlier blocks it does not
    has_b: bool,
    width: u32,
    base: u32,       // where row 0 of column a is in the slab
    unit: u32,
    vectors: u32,    // where row 0 of the vectors is
    sign: f32,
    begin: u32,      // rows of the tile
    end: u32,
}

// Panel `index` of this dispatch.
fn panel_of(index: u32, lane: u32) -> Panel {
    let first_row = params.at * BLOCK;
    let first_panel = max(first_row / COLUMNS, params.first_panel);
    let panels = params.end_panel - first_panel;
    let matrix = (params.first + index) / panels;
    let panel = first_panel + (params.first + index) % panels;
    let at_a = lane % BLOCK;
    let a = panel * COLUMNS + at_a;
    let b = a + BLOCK;
    let unit = matrix * params.blocks + params.at - params.block;
    let sign = scratch[unit_row(unit, SIGNS) * 4u + at_a / 4u][at_a % 4u];
    let begin = first_row + params.tile * TILE;
    return Panel(
        lane, lane / BLOCK, at_a, at_a + BLOCK, a, b, a >= first_row && a < params.columns, b < params.columns,
        panel_width(panel), panel_start(params.matrix + matrix, panel) + at_a,
        unit, unit_row(unit, VECTORS) * 4u, sign, begin, min(begin + TILE, params.rows),
    );
}

// The products of a block's vectors with a lane's columns, over the rows of its part.
struct Products {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

// `before` and the products over the rows of a tile.
fn products_of_tile(p: Panel, before: Products) -> Products {
    var sum = before;
    for (var run = p.begin + p.part * RUN; run < p.end; run += PARTS * RUN) {
        var s_a = mat4x4<f32>();
        var s_b = mat4x4<f32>();
        for (var i = run; i < min(run + RUN, p.end); i++) {
            let v0 = scratch[p.vectors + i * 4u];
            let v1 = scratch[p.vectors + i * 4u + 1u];
            let v2 = scratch[p.vectors + i * 4u + 2u];
            let v3 = scratch[p.vectors + i * 4u + 3u];
            if p.has_a {
                let x = vec4<f32>(entry(p.base + i * p.width, i, p.a, p.sign));
                s_a[0] = mul_add4(v0, x, s_a[0]);
                s_a[1] = mul_add4(v1, x, s_a[1]);
                s_a[2] = mul_add4(v2, x, s_a[2]);
                s_a[3] = mul_add4(v3, x, s_a[3]);
            }
            if p.has_b {
                let x = vec4<f32>(entry(p.base + i * p.width + BLOCK, i, p.b, p.sign));
                s_b[0] = mul_add4(v0, x, s_b[0]);
                s_b[1] = mul_add4(v1, x, s_b[1]);
                s_b[2] = mul_add4(v2, x, s_b[2]);
                s_b[3] = mul_add4(v3, x, s_b[3]);
            }
        }
        sum.a = keep4x4(sum.a + s_a);
        sum.b = keep4x4(sum.b + s_b);
    }
    return sum;
}

// Solves for the weights of all columns of a panel, from the products of all lanes.
fn solve_panel(p: Panel, own: Products) {
    let sum_a = sum_of_parts(own.a, p.lane);
    let sum_b = sum_of_parts(own.b, p.lane);
    // Part 0 has the sums of columns a, and hands those of b to part 1.
    if p.part == 0u {
        part_sums[p.lane] = sum_b;
    }
    workgroupBarrier();
    if p.part == 0u {
        solve(unit_row(p.unit, 0u) * 4u, sum_a, p.lane);
    } else if p.part == 1u {
        solve(unit_row(p.unit, 0u) * 4u, part_sums[p.lane - BLOCK], p.lane);
    }
    workgroupBarrier();
}

// Subtracts the weighted vectors from the rows of a tile.
fn update_tile(p: Panel) {
    let a0 = weights4(0u, p.at_a);
    let a1 = weights4(1u, p.at_a);
    let a2 = weights4(2u, p.at_a);
    let a3 = weights4(3u, p.at_a);
    let b0 = weights4(0u, p.at_b);
    let b1 = weights4(1u, p.at_b);
    let b2 = weights4(2u, p.at_b);
    let b3 = weights4(3u, p.at_b);
    for (var run = p.begin + p.part * RUN; run < p.end; run += PARTS * RUN) {
        for (var i = run; i < min(run + RUN, p.end); i++) {
            let v0 = scratch[p.vectors + i * 4u];
            let v1 = scratch[p.vectors + i * 4u + 1u];
            let v2 = scratch[p.vectors + i * 4u + 2u];
            let v3 = scratch[p.vectors + i * 4u + 3u];
            if p.has_a {
                let at = p.base + i * p.width;
                let u = mul_add4(v3, a3, mul_add4(v2, a2, mul_add4(v1, a1, keep4(v0 * a0))));
                slab[at] = entry(at, i, p.a, p.sign) - opaque(opaque(u.x + u.y) + opaque(u.z + u.w));
            }
            if p.has_b {
                let at = p.base + i * p.width + BLOCK;
                let u = mul_add4(v3, b3, mul_add4(v2, b2, mul_add4(v1, b1, keep4(v0 * b0))));
                slab[at] = entry(at, i, p.b, p.sign) - opaque(opaque(u.x + u.y) + opaque(u.z + u.w));
            }
        }
    }
}

// Applies block `at`, its last reflection first, to the columns that it touches, in rows of a
// single tile: a workgroup for a panel of a matrix.
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
    let p = panel_of(index, lane);
    solve_panel(p, products_of_tile(p, Products()));
    update_tile(p);
}

// Where a lane's entry `i` of 8 times 4 products is carried.
fn carried(index: u32, lane: u32, i: u32) -> u32 {
    return ((index * 8u + i) * 128u + lane) * 4u;
}

fn carried4(index: u32, lane: u32, i: u32) -> vec4<f32> {
    let at = carried(index, lane, i);
    return vec4<f32>(carry[at], carry[at + 1u], carry[at + 2u], carry[at + 3u]);
}

fn carry4(index: u32, lane: u32, i: u32, v: vec4<f32>) {
    let at = carried(index, lane, i);
    carry[at] = v.x;
    carry[at + 1u] = v.y;
    carry[at + 2u] = v.z;
    carry[at + 3u] = v.w;
}

fn carried_products(index: u32, lane: u32) -> Products {
    return Products(
        mat4x4<f32>(
            carried4(index, lane, 0u), carried4(index, lane, 1u), carried4(index, lane, 2u), carried4(index, lane, 3u),
        ),
        mat4x4<f32>(
            carried4(index, lane, 4u), carried4(index, lane, 5u), carried4(index, lane, 6u), carried4(index, lane, 7u),
        ),
    );
}

// The first half of `apply` where rows are of several tiles: the products over one of them.
@compute @workgroup_size(128)
fn project(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.count {
        return;
    }
    let p = panel_of(index, lane);
    var sum = Products();
    if tile_of(group) > 0u {
        sum = carried_products(index, lane);
    }
    sum = products_of_tile(p, sum);
    carry4(index, lane, 0u, sum.a[0]);
    carry4(index, lane, 1u, sum.a[1]);
    carry4(index, lane, 2u, sum.a[2]);
    carry4(index, lane, 3u, sum.a[3]);
    carry4(index, lane, 4u, sum.b[0]);
    carry4(index, lane, 5u, sum.b[1]);
    carry4(index, lane, 6u, sum.b[2]);
    carry4(index, lane, 7u, sum.b[3]);
}

// The second half: one tile of rows, when `project` is done with all.
@compute @workgroup_size(128)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group_index(group, groups);
    if index >= params.count {
        return;
    }
    let p = panel_of(index, lane);
    solve_panel(p, carried_products(index, lane));
    update_tile(p);
}

// Sums of squares of each column of a panel of the slab, and of its products with the next column,
// over a tile of its rows: a workgroup for each tile of each panel of each matrix, in that order,
// from number `first` on, and 64 floats of `carry` for its sums.
@compute @workgroup_size(256)
fn examine(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = params.first + group_index(group, groups);
    if index >= params.first + params.count {
        return;
    }
    let tiles = (params.rows + TILE - 1u) / TILE;
    let panels = params.end_panel - params.first_panel;
    let panel = params.first_panel + index / tiles % panels;
    let width = panel_width(panel);
    let start = panel_start(params.first_matrix + index / tiles / panels, panel);
    let begin = index % tiles * TILE;
    let end = min(begin + TILE, params.rows);
    let column = lane % COLUMNS;
    let next = (column + 1u) % width;
    var square = 0.0f;
    var product = 0.0f;
    if column < width {
        for (var i = begin + lane / COLUMNS; i < end; i += LANES / COLUMNS) {
            let x = slab[start + i * width + column];
            square += x * x;
            product += x * slab[start + i * width + next];
        }
    }
    lane_sums[lane] = square;
    workgroupBarrier();
    if lane < COLUMNS {
        var sum = 0.0f;
        for (var i = lane; i < LANES; i += COLUMNS) {
            sum += lane_sums[i];
        }
        carry[index * 2u * COLUMNS + lane] = sum;
    }
    workgroupBarrier();
    lane_sums[lane] = product;
    workgroupBarrier();
    if lane < COLUMNS {
        var sum = 0.0f;
        for (var i = lane; i < LANES; i += COLUMNS) {
            sum += lane_sums[i];
        }
        carry[index * 2u * COLUMNS + COLUMNS + lane] = sum;
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

// Puts entries of the slab where the output, zero until then, has them: those of `width` columns of
// rows `first` and on, which are counted through all matrices.
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
    let transposed = params.transposed == 1u;
    let own_rows = select(params.rows, params.columns, transposed);
    let own_row = params.first + i / params.width;
    let a = own_row % own_rows;
    let b = params.at + i % params.width;
    let row = select(a, b, transposed);
    let column = select(b, a, transposed);
    let panel = column / COLUMNS;
    let source = panel_start(own_row / own_rows, panel) + row * panel_width(panel) + column % COLUMNS;
    let bits = entry_bits(slab[source] * params.scale);
    put_bits(params.begin + place, bits);
}
