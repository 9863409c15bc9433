// Copies the elements of a slice from a buffer with the range that holds them to their own memory,
// which is zero. Expects slice_index and put_bits.

struct Params {
    slice: Slice,
    first: vec2<u32>,   // index of the first element of the source: low word, high word
    available: u32,     // elements of the source; others are left out
    source_begin: u32,  // offset of the first one, in elements
    count: u32,         // elements of the slice
    begin: u32,         // offset of the first one, in elements
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read> source: array<u32>;

@compute @workgroup_size(256)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = group_index(group, groups) * 256u + local;
    if n >= params.count {
        return;
    }
    let index = slice_index(params.slice, n);
    let offset = index.x - params.first.x;
    let high = index.y - params.first.y - u32(index.x < params.first.x);
    if high != 0u || offset >= params.available {
        return;
    }
    let at_source = params.source_begin + offset;
    if DTYPE == F32 {
        put_bits(params.begin + n, source[at_source]);
    } else {
        put_bits(params.begin + n, half_of_word(source[at_source / 2u], at_source));
    }
}
