// Multiplies the vectors of a block with each other.

// The sum of all parts of a sum.
fn sum_of_array(all: array<f32, 8>) -> f32 {
    var parts = all;
    for (var half = PARTS / 2u; half > 0u; half /= 2u) {
        for (var part = 0u; part < half; part++) {
            parts[part] = opaque(parts[part] + parts[part + half]);
        }
    }
    return parts[0];
}

// The products of the vectors of units `first` and on with each other: a workgroup for each unit, a
// lane for each pair.
@compute @workgroup_size(256)
fn gram(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let index = group_index(group, groups);
    let unit = p.first + index;
    let begin = (p.block + unit % p.blocks) * BLOCK + p.tile * TILE;
    if index >= p.count || begin >= p.rows {
        return;
    }
    let end = min(begin + TILE, p.rows);
    let vectors = unit_row(p.rows, unit, VECTORS) * BLOCK;
    let q = lane / BLOCK;
    let l = lane % BLOCK;
    var parts: array<f32, 8>;
    for (var part = 0u; part < PARTS; part++) {
        let at_carry = (unit * PARTS + part) * LANES + lane;
        var sum = 0.0f;
        if tile_of(p, group) > 0u {
            sum = carry[at_carry];
        }
        for (var run = begin + part * RUN; run < end; run += PARTS * RUN) {
            var s = 0.0f;
            for (var i = run; i < min(run + RUN, end); i++) {
                let row = vectors + i * BLOCK;
                s = opaque(mul_add(scratch_floats[row + q], scratch_floats[row + l], s));
            }
            sum = opaque(sum + s);
        }
        parts[part] = sum;
        if end < p.rows {
            carry[at_carry] = sum;
        }
    }
    if end < p.rows {
        return;
    }
    let product = sum_of_array(parts);
    // On the diagonal 1 / (product / 2), where product / 2 is 1 up to rounding.
    let at = unit_row(p.rows, unit, 0u) * BLOCK + lane;
    scratch_floats[at] = select(product, mul_add(-0.5f, product, 2.0f), q == l);
}
