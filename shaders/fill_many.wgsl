// Fills many small tensors of one element type, distribution and seed in one dispatch: a workgroup
// writes one part of one tensor, from the start of a block. Expects fill.wgsl.

@group(0) @binding(3) var<storage, read> parts: array<Part>;

// Invocations of a workgroup, each of which writes four blocks.
const PART_LANES: u32 = 64u;

// The bits of entry i that belong to the first `count` elements; zeros follow them in memory.
fn inside(count: u32, i: u32) -> vec4<u32> {
    let end = vec4<u32>(count);
    if DTYPE == F32 {
        let at = 4u * i + vec4<u32>(0u, 1u, 2u, 3u);
        return select(vec4<u32>(), vec4<u32>(0xffffffffu), at < end);
    }
    let at = 8u * i + vec4<u32>(0u, 2u, 4u, 6u);
    let low = select(vec4<u32>(), vec4<u32>(0xffffu), at < end);
    return low | select(vec4<u32>(), vec4<u32>(0xffff0000u), at + 1u < end);
}

@compute @workgroup_size(PART_LANES)
fn fill_many(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let index = group_index(group, groups);
    // `count` is the number of parts.
    if index >= p.count {
        return;
    }
    let part = parts[index];
    let made = entries(p.keys, part, lane, PART_LANES);
    store_entries(part, lane, PART_LANES, Entries(
        made.a & inside(part.count, lane),
        made.b & inside(part.count, lane + PART_LANES),
        made.c & inside(part.count, lane + 2u * PART_LANES),
        made.d & inside(part.count, lane + 3u * PART_LANES),
    ));
}
