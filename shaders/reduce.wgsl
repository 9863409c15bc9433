// What the reductions over a tensor share: the window they read and its decoding. Twin:
// src/reduce/mod.rs.

struct Params {
    first: vec2<u32>,  // index of the first element to read, in the whole tensor: low, high
    begin: u32,        // where it is: word of the input array
    count: u32,        // elements to read
    one: f32,          // 1.0 and 0, see mul_add.wgsl and opaque.wgsl
    zero: u32,
    origin: vec2<u32>,  // of a slice, see slice.wgsl; `run` is 0 if the elements follow one another
    inner_stride: vec2<u32>,
    outer_stride: vec2<u32>,
    inner_count: u32,
    inner_first: u32,
    run: u32,
    skip: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;

// A workgroup reduces CHUNK elements; lane l takes elements l, l + LANES, l + 2 LANES... of them.
const LANES: u32 = 256u;
const CHUNK: u32 = 16384u;

// The bits of element `i` of the window: 32 or 16 of them.
fn element_bits(i: u32) -> u32 {
    if DTYPE == F32 {
        return input[params.begin + i];
    }
    return (input[params.begin + i / 2u] >> (16u * (i & 1u))) & 0xffffu;
}

fn chunk_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}
