// Draws the vectors of reflections and scales them.

var<workgroup> head: f32;

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

// A reflection's vector in a unit, and the tile of it that a workgroup computes.
struct Vector {
    unit: u32,
    q: u32,          // number of the reflection in its block
    k: u32,          // and in its matrix: the vector's first row
    rows: u32,       // of the matrix
    base: u32,       // index of row 0 in `scratch_floats`
    begin: u32,      // first row of the tile
    end: u32,        // the row after the last one
    inside: bool,    // whether the tile has rows
    is_single: bool, // whether the vector has no other tile
}

fn vector(params: Params, index: u32) -> Vector {
    let unit = params.first + index / BLOCK;
    let q = index % BLOCK;
    let first_row = (params.block + unit % params.blocks) * BLOCK;
    let begin = first_row + params.tile * TILE;
    let inside = index < params.count * BLOCK && begin < params.rows;
    let end = select(0u, min(begin + TILE, params.rows), inside);
    return Vector(
        unit, q, first_row + q, params.rows, unit_row(params.rows, unit, VECTORS) * BLOCK + q,
        begin, end, inside, first_row + TILE >= params.rows,
    );
}

// Index in `scratch_floats` of the vector's entry in row `row` of its unit: SIGNS, SCALES or HEADS.
fn entry_of(v: Vector, row: u32) -> u32 {
    return unit_row(v.rows, v.unit, row) * BLOCK + v.q;
}

// Scales a tile of a vector.
fn scale_tile(v: Vector, lane: u32, scale: f32, first_entry: f32) {
    for (var i = v.begin + 4u * lane; i < v.end; i += 4u * LANES) {
        for (var j = i; j < min(i + 4u, v.end); j++) {
            let at = v.base + j * BLOCK;
            if j == v.k {
                scratch_floats[at] = first_entry;
            } else {
                scratch_floats[at] = scratch_floats[at] * scale;
            }
        }
    }
}

// Stores row `i` of the vector, if there is one, and returns `sum` with its square. Beyond the last
// column there are no reflections: their vectors are zero.
fn store_normal(v: Vector, columns: u32, i: u32, normal: f32, sum: f32) -> f32 {
    if i >= v.rows {
        return sum;
    }
    let x = select(0.0f, normal, i >= v.k && v.k < columns);
    scratch_floats[v.base + i * BLOCK] = x;
    if i == v.k {
        head = x;
    }
    return opaque(mul_add(x, x, sum));
}

// Draws a lane's rows of a tile and returns `before` with the sum of their squares.
fn draw_tile(params: Params, v: Vector, lane: u32, before: f32) -> f32 {
    let matrix = params.matrix + v.unit / params.blocks;
    let number = (matrix * params.columns + v.k) * params.quads;
    var sum = before;
    for (var i = v.begin + 4u * lane; i < v.end; i += 4u * LANES) {
        let counter = vec4<u32>(number + i / 4u, 0u, params.stream);
        let x = normal4(params.scale, philox4x32(counter, params.keys));
        sum = store_normal(v, params.columns, i, x.x, sum);
        sum = store_normal(v, params.columns, i + 1u, x.y, sum);
        sum = store_normal(v, params.columns, i + 2u, x.z, sum);
        sum = store_normal(v, params.columns, i + 3u, x.w, sum);
    }
    return sum;
}

// The sum over all lanes.
fn sum_of_lanes(own: f32, lane: u32) -> f32 {
    lane_sums[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] = opaque(lane_sums[lane] + lane_sums[lane + half]);
        }
    }
    workgroupBarrier();
    return lane_sums[0];
}

// A reflection: the sign of its column, the factor of its vector's entries and the vector's first
// one.
struct Reflection {
    sign: f32,
    scale: f32,
    head: f32,
}

// The reflection of a vector with first entry x and this sum of squares. `is_last` if it has only
// that entry.
fn reflection(x: f32, square: f32, is_last: bool) -> Reflection {
    let sign = select(1.0f, -1.0f, x < 0.0f);
    // A vector of one entry, or of zeros, needs no reflection.
    if is_last || square == 0.0f {
        return Reflection(sign, 0.0f, 0.0f);
    }
    let norm = opaque(square * inverse_sqrt(square));
    let sum = opaque(norm + abs(x));
    let scale = inverse_sqrt(opaque(norm * sum));
    return Reflection(-sign, scale, opaque(sum * scale) * sign);
}

// Draws the vectors of units `first` and on: a workgroup for each of a unit's reflections. Vectors
// of a single tile are scaled here; `scale` does it for the others when all their tiles have been
// drawn.
@compute @workgroup_size(256)
fn reflect(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let v = vector(p, group_index(group, groups));
    let at_carry = (v.unit * BLOCK + v.q) * LANES + lane;
    if lane == 0u {
        head = 0.0f;
    }
    workgroupBarrier();
    let tile = tile_of(p, group);
    var sum = 0.0f;
    if tile > 0u {
        sum = carry[at_carry];
    }
    sum = draw_tile(p, v, lane, sum);
    if !v.inside {
        return;
    }
    if v.end < v.rows {
        carry[at_carry] = sum;
        return;
    }
    let square = sum_of_lanes(sum, lane);
    var x = head;
    if tile > 0u {
        x = scratch_floats[v.base + v.k * BLOCK];
    }
    let r = reflection(x, square, v.k + 1u >= v.rows);
    if tile == 0u {
        scale_tile(v, lane, r.scale, r.head);
    }
    if lane == 0u {
        scratch_floats[entry_of(v, SIGNS)] = r.sign;
        scratch_floats[entry_of(v, SCALES)] = r.scale;
        scratch_floats[entry_of(v, HEADS)] = r.head;
    }
}

// Scales the vectors of units `first` and on that have several tiles.
@compute @workgroup_size(256)
fn scale(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let v = vector(params, group_index(group, groups));
    if v.inside && !v.is_single {
        let scale = scratch_floats[entry_of(v, SCALES)];
        scale_tile(v, lane, scale, scratch_floats[entry_of(v, HEADS)]);
    }
}
