// The sum mod 2^64 of Philox2x32-10 over every element's bits and index. Mirrored by
// src/reduce/fingerprint.rs. A sum of integers does not depend on order, so parts add up to the
// whole.

@group(0) @binding(2) var<storage, read_write> sums: array<vec2<u32>>;

var<workgroup> lane_sums: array<vec2<u32>, LANES>;

@compute @workgroup_size(LANES)
fn fingerprint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let chunk = group_index(group, groups);
    let is_slice = nonuniform(p.slice.run, group) > 0u;
    var sum = vec2<u32>(0u, 0u);
    // Past the last chunk there is nothing to read, and `i` must not wrap.
    let inside = chunk <= (p.count - 1u) / CHUNK;
    if inside {
        let start = chunk * CHUNK;
        let end = min(CHUNK, p.count - start);
        for (var i = lane; i < end; i += LANES) {
            var index = add64(p.first, vec2<u32>(start + i, 0u));
            if is_slice {
                index = slice_index(p.slice, start + i);
            }
            let bits = element_bits(p.begin, start + i);
            sum = add64(sum, philox2x32(vec2<u32>(bits, index.x), index.y));
        }
    }
    lane_sums[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] = add64(lane_sums[lane], lane_sums[lane + half]);
        }
    }
    if lane == 0u && inside {
        sums[chunk] = lane_sums[0];
    }
}
