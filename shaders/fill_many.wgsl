// Fills many small tensors of one element type and distribution in one dispatch: a workgroup has one part of one
// tensor. Expects fill.wgsl, whose values these are.

// Elements of a tensor from a block's start, in whole entries.
struct Part {
    key: vec2<u32>,
    stream: vec2<u32>,
    first: vec2<u32>,  // index of the first element, in the whole tensor: low, high
    begin: u32,        // where it goes: entry of the output array
    entries: u32,      // entries to write
    count: u32,        // elements in them; what comes after is zero
    scale: f32,
    shift: f32,
    low: f32,
    high: f32,
    table: u32,        // where the law's table starts
}

@group(0) @binding(3) var<storage, read> parts: array<Part>;

// Invocations of a part's workgroup, each of which writes four entries.
const PART_LANES: u32 = 64u;

// Entry `i` of a part: elements, and zeros after the last one.
fn write_entry(part: Part, source: Source, i: u32) {
    if i >= part.entries {
        return;
    }
    if DTYPE == F32 {
        let inside = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(part.count);
        let words = bitcast<vec4<u32>>(values(source, block_index(part.first, i)));
        out[part.begin + i] = select(vec4<u32>(), words, inside);
    } else {
        let a = values(source, block_index(part.first, 2u * i));
        let b = values(source, block_index(part.first, 2u * i + 1u));
        let at = vec4<u32>(8u * i) + vec4<u32>(0u, 2u, 4u, 6u);
        let low = select(vec4<u32>(), vec4<u32>(0xffffu), at < vec4<u32>(part.count));
        let high = select(vec4<u32>(), vec4<u32>(0xffff0000u), at + 1u < vec4<u32>(part.count));
        let words = vec4<u32>(pack(a.x, a.y), pack(a.z, a.w), pack(b.x, b.y), pack(b.z, b.w));
        out[part.begin + i] = words & (low | high);
    }
}

@compute @workgroup_size(PART_LANES)
fn fill_many(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if index >= params.count {
        return;
    }
    let part = parts[index];
    let bounds = Bounds(part.table, part.low, part.high);
    let source = Source(part.key, part.stream, Scaling(part.scale, part.shift), bounds);
    // Written out: a loop would get a guard, and have a driver of masked lanes run its body once too often.
    write_entry(part, source, lane);
    write_entry(part, source, lane + PART_LANES);
    write_entry(part, source, lane + 2u * PART_LANES);
    write_entry(part, source, lane + 3u * PART_LANES);
}
