// Fills many small tensors of one element type and distribution in one dispatch: a workgroup has
// one part of one tensor. Expects fill.wgsl, whose entries these are, with a part's params in the
// place of the uniforms.

// Elements of a tensor from a block's start, in whole entries.
struct Part {
    stream: vec2<u32>,
    first: vec2<u32>,  // index of the first element, in the whole tensor: low, high
    begin: u32,        // where it goes: entry of the output array
    entries: u32,      // entries to write
    count: u32,        // elements in them; what comes after is zero
    scale: f32,
    shift: f32,
    low: f32,
    high: f32,
    table: u32,        // where the distribution's table starts
}

@group(0) @binding(3) var<storage, read> parts: array<Part>;

// Invocations of a part's workgroup, each of which writes four blocks.
const PART_LANES: u32 = 64u;

// What of entry i is elements of a part; zeros come after the last one.
fn inside(part: Part, i: u32) -> vec4<u32> {
    let count = vec4<u32>(part.count);
    if DTYPE == F32 {
        return select(vec4<u32>(), vec4<u32>(0xffffffffu), 4u * i + vec4<u32>(0u, 1u, 2u, 3u) < count);
    }
    let at = 8u * i + vec4<u32>(0u, 2u, 4u, 6u);
    let low = select(vec4<u32>(), vec4<u32>(0xffffu), at < count);
    return low | select(vec4<u32>(), vec4<u32>(0xffff0000u), at + 1u < count);
}

// Entry i, if it is one of the part's.
fn store_part_entry(part: Part, i: u32, value: vec4<u32>) {
    if i < part.entries {
        out[part.begin + i] = value & inside(part, i);
    }
}

@compute @workgroup_size(PART_LANES)
fn fill_many(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    params = uniforms;
    let index = group.y * groups.x + group.x;
    if index >= params.count {
        return;
    }
    let part = parts[index];
    params.stream = part.stream;
    params.first = part.first;
    params.scale = part.scale;
    params.shift = part.shift;
    params.low = part.low;
    params.high = part.high;
    table_start = part.table;
    let a = entry(lane);
    let b = entry(lane + PART_LANES);
    var c: vec4<u32>;
    var d: vec4<u32>;
    if DTYPE == F32 {
        c = entry(lane + 2u * PART_LANES);
        d = entry(lane + 3u * PART_LANES);
    }
    store_part_entry(part, lane, a);
    store_part_entry(part, lane + PART_LANES, b);
    if DTYPE == F32 {
        store_part_entry(part, lane + 2u * PART_LANES, c);
        store_part_entry(part, lane + 3u * PART_LANES, d);
    }
}
