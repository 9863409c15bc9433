// Statistics and fingerprint together, chunk by chunk. Mirrored by src/reduce/summary.rs.

struct Summary {
    stats: Chunk,
    hash_low: u32,  // the sum of the chunk's hashes
    hash_high: u32,
}

@group(0) @binding(2) var<storage, read_write> summaries: array<Summary>;

@compute @workgroup_size(LANES)
fn summary(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let chunk = group_index(group, groups);
    let start = CHUNK * chunk;
    let len = chunk_len(p.count, chunk);
    hash_up(p, start, len, nonuniform(p.slice.run, group) > 0u, lane);
    let stats = chunk_stats(p.begin, start, len, lane);
    if lane == 0u && has_chunk(p.count, chunk) {
        summaries[chunk] = Summary(stats, lane_hashes[0].x, lane_hashes[0].y);
    }
}
