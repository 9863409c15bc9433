// The sum mod 2^64 of Philox2x32-10 over every element's bits and index. Twin:
// src/reduce/fingerprint.rs. A sum of integers has no order, so parts add up to the whole.

@group(0) @binding(2) var<storage, read_write> sums: array<vec2<u32>>;

var<workgroup> lane_sums: array<vec2<u32>, LANES>;

fn element_hash(i: u32, is_slice: bool) -> vec2<u32> {
    var index = add64(params.first, vec2<u32>(i, 0u));
    if is_slice {
        index = slice_index(i);
    }
    return philox2x32(vec2<u32>(element_bits(i), index.x), index.y);
}

@compute @workgroup_size(LANES)
fn fingerprint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let chunk = chunk_index(group, groups);
    let is_slice = params.run + group.z > 0u; // `group.z` is 0: see sparse.wgsl.
    var sum = vec2<u32>(0u, 0u);
    // Past the last chunk there is nothing to read, and `i` must not wrap round.
    if chunk <= (params.count - 1u) / CHUNK {
        let end = min(CHUNK, params.count - chunk * CHUNK);
        for (var i = lane; i < end; i += LANES) {
            sum = add64(sum, element_hash(chunk * CHUNK + i, is_slice));
        }
    }
    lane_sums[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] = add64(lane_sums[lane], lane_sums[lane + half]);
        }
    }
    if lane == 0u && chunk <= (params.count - 1u) / CHUNK {
        sums[chunk] = lane_sums[0];
    }
}
