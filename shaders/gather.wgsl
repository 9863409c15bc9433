// Copies the elements of a slice from memory that has them among others to memory of their own,
// which is zero. Expects slice_index and put_bits.

struct Params {
    origin: vec2<u32>,  // of a slice, see slice.wgsl
    inner_stride: vec2<u32>,
    outer_stride: vec2<u32>,
    inner_count: u32,
    inner_first: u32,
    run: u32,
    skip: u32,
    first: vec2<u32>,   // index of the first element of the source: low, high
    available: u32,     // elements of the source; others are left out
    source_begin: u32,  // where the first one is, in elements
    count: u32,         // elements of the slice
    begin: u32,         // where the first one goes, in elements
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
    let n = (group.y * groups.x + group.x) * 256u + local;
    if n >= params.count {
        return;
    }
    let index = slice_index(n);
    let offset = index.x - params.first.x;
    let high = index.y - params.first.y - u32(index.x < params.first.x);
    if high != 0u || offset >= params.available {
        return;
    }
    let at = params.begin + n;
    let at_source = params.source_begin + offset;
    if DTYPE == F32 {
        put_bits(at, source[at_source]);
    } else {
        put_bits(at, (source[at_source / 2u] >> (16u * (at_source & 1u))) & 0xffffu);
    }
}
