// Applies blocks of reflections to the panels of a slab: `apply` where a matrix has one tile,
// `project` and `update` where it has several.

var<workgroup> part_sums: array<mat4x4<f32>, 64>;  // of the lanes of the upper half of the parts
var<workgroup> weights: array<f32, 512>;           // BLOCK rows of COLUMNS

// A column of a panel that a lane computes.
struct Column {
    at: u32,        // number in the panel
    number: u32,    // number in the matrix
    is_used: bool,  // whether the block changes it: columns of earlier blocks it does not
}

// A panel of a matrix, the block to apply to it, and a lane's share: columns lane mod BLOCK and
// BLOCK more, and the rows of part lane / BLOCK.
struct Panel {
    lane: u32,
    part: u32,
    a: Column,
    b: Column,
    width: u32,
    base: u32,       // index in `slab` of row 0 of column a
    block: u32,
    sign: f32,       // of column a or b, where its own block is the one to apply
    gram: u32,       // index in `scratch` of the Gram matrix, and of row 0 of the vectors
    vectors: u32,
    begin: u32,      // rows of the tile
    end: u32,
}

// Panel `index` of this dispatch.
fn panel_of(params: Params, index: u32, lane: u32) -> Panel {
    let first_row = params.at * BLOCK;
    let first_panel = max(first_row / COLUMNS, params.first_panel);
    let panels = params.end_panel - first_panel;
    let matrix = (params.first + index) / panels;
    let panel = first_panel + (params.first + index) % panels;
    let at = lane % BLOCK;
    let a = panel * COLUMNS + at;
    let b = a + BLOCK;
    let unit = matrix * params.blocks + params.at - params.block;
    let sign = scratch[unit_row(params.rows, unit, SIGNS) * 4u + at / 4u][at % 4u];
    let begin = first_row + params.tile * TILE;
    return Panel(
        lane, lane / BLOCK,
        Column(at, a, a >= first_row && a < params.columns),
        Column(at + BLOCK, b, b < params.columns),
        panel_width(params.columns, panel), panel_start(params, params.matrix + matrix, panel) + at,
        params.at, sign,
        unit_row(params.rows, unit, 0u) * 4u, unit_row(params.rows, unit, VECTORS) * 4u,
        begin, min(begin + TILE, params.rows),
    );
}

// Entry `i` of a column at `at` of the slab. In a column whose own block is the one to apply it is
// the sign at its own row; in others, the rows of this block have not been written yet and are
// zero.
fn entry(p: Panel, column: Column, at: u32, i: u32) -> f32 {
    if i / BLOCK == p.block || column.number / BLOCK == p.block {
        return select(0.0f, p.sign, i == column.number);
    }
    return slab[at];
}

// Row `i` of the vectors.
fn vector_row(p: Panel, i: u32) -> mat4x4<f32> {
    let at = p.vectors + i * 4u;
    return mat4x4<f32>(scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u]);
}

// Products of a block's vectors with a lane's columns, over the rows of its part.
struct Products {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
}

// `sum` and the products of a row of the vectors with an entry.
fn add_products(v: mat4x4<f32>, entry: f32, sum: mat4x4<f32>) -> mat4x4<f32> {
    let x = vec4<f32>(entry);
    return mat4x4<f32>(
        mul_add4(v[0], x, sum[0]),
        mul_add4(v[1], x, sum[1]),
        mul_add4(v[2], x, sum[2]),
        mul_add4(v[3], x, sum[3]),
    );
}

// `before` and the products over the rows of a tile.
fn products_of_tile(p: Panel, before: Products) -> Products {
    var sum = before;
    for (var run = p.begin + p.part * RUN; run < p.end; run += PARTS * RUN) {
        var s = Products();
        for (var i = run; i < min(run + RUN, p.end); i++) {
            let v = vector_row(p, i);
            let at = p.base + i * p.width;
            if p.a.is_used {
                s.a = add_products(v, entry(p, p.a, at, i), s.a);
            }
            if p.b.is_used {
                s.b = add_products(v, entry(p, p.b, at + BLOCK, i), s.b);
            }
        }
        sum.a = opaque4x4(sum.a + s.a);
        sum.b = opaque4x4(sum.b + s.b);
    }
    return sum;
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
            sum = opaque4x4(sum + part_sums[lane]);
        }
    }
    return sum;
}

// Solves for the weights of the vectors in column `at` of a panel, whose products with them are
// `sum`.
fn solve(gram: u32, sum: mat4x4<f32>, at: u32) {
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
            let g = scratch[gram + q * 4u + l / 4u][l % 4u];
            w = opaque(mul_add(-g, weights[l * COLUMNS + at], w));
        }
        weights[q * COLUMNS + at] = w * scratch[gram + q * 4u + q / 4u][q % 4u];
    }
}

// Solves for the weights of all columns of a panel, from the products of all lanes.
fn solve_panel(p: Panel, own: Products) {
    let sum_a = sum_of_parts(own.a, p.lane);
    let sum_b = sum_of_parts(own.b, p.lane);
    // Part 0 has all sums: it keeps those of columns a, and part 1 takes those of columns b.
    if p.part == 0u {
        part_sums[p.lane] = sum_b;
    }
    workgroupBarrier();
    if p.part == 0u {
        solve(p.gram, sum_a, p.lane);
    } else if p.part == 1u {
        solve(p.gram, part_sums[p.lane - BLOCK], p.lane);
    }
    workgroupBarrier();
}

// Weights 4 i to 4 i + 3 of the column at `at`.
fn weights4(i: u32, at: u32) -> vec4<f32> {
    let first = 4u * i * COLUMNS + at;
    return vec4<f32>(
        weights[first],
        weights[first + COLUMNS],
        weights[first + 2u * COLUMNS],
        weights[first + 3u * COLUMNS],
    );
}

fn weights_of(column: Column) -> mat4x4<f32> {
    let at = column.at;
    return mat4x4<f32>(weights4(0u, at), weights4(1u, at), weights4(2u, at), weights4(3u, at));
}

// The sum of a row of the vectors, each times its weight.
fn weighted_sum(v: mat4x4<f32>, w: mat4x4<f32>) -> f32 {
    let u = mul_add4(v[3], w[3], mul_add4(v[2], w[2], mul_add4(v[1], w[1], opaque4(v[0] * w[0]))));
    return opaque(opaque(u.x + u.y) + opaque(u.z + u.w));
}

// Subtracts the weighted vectors from the rows of a tile.
fn update_tile(p: Panel) {
    let a = weights_of(p.a);
    let b = weights_of(p.b);
    for (var run = p.begin + p.part * RUN; run < p.end; run += PARTS * RUN) {
        for (var i = run; i < min(run + RUN, p.end); i++) {
            let v = vector_row(p, i);
            let at = p.base + i * p.width;
            if p.a.is_used {
                slab[at] = entry(p, p.a, at, i) - weighted_sum(v, a);
            }
            if p.b.is_used {
                slab[at + BLOCK] = entry(p, p.b, at + BLOCK, i) - weighted_sum(v, b);
            }
        }
    }
}

// Applies block `at`, its last reflection first, to the columns that it changes, in matrices of a
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
    guard = Guard(params.one, params.zero);
    let p = panel_of(params, index, lane);
    solve_panel(p, products_of_tile(p, Products()));
    update_tile(p);
}

// Index in `carry` of column `i` of 8 of a lane's products.
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

// Columns `i` to `i` + 3.
fn carried4x4(index: u32, lane: u32, i: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        carried4(index, lane, i), carried4(index, lane, i + 1u), carried4(index, lane, i + 2u),
        carried4(index, lane, i + 3u),
    );
}

fn carry4x4(index: u32, lane: u32, i: u32, m: mat4x4<f32>) {
    carry4(index, lane, i, m[0]);
    carry4(index, lane, i + 1u, m[1]);
    carry4(index, lane, i + 2u, m[2]);
    carry4(index, lane, i + 3u, m[3]);
}

fn carried_products(index: u32, lane: u32) -> Products {
    return Products(carried4x4(index, lane, 0u), carried4x4(index, lane, 4u));
}

// The first half of `apply` for matrices of several tiles: the products over one tile.
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
    guard = Guard(params.one, params.zero);
    let p = panel_of(params, index, lane);
    var sum = Products();
    if tile_of(params, group) > 0u {
        sum = carried_products(index, lane);
    }
    sum = products_of_tile(p, sum);
    carry4x4(index, lane, 0u, sum.a);
    carry4x4(index, lane, 4u, sum.b);
}

// The second half, of one tile, when `project` has been over all tiles.
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
    guard = Guard(params.one, params.zero);
    let p = panel_of(params, index, lane);
    solve_panel(p, carried_products(index, lane));
    update_tile(p);
}
