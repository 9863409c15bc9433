// Zeroes the elements whose indices are in a range, whatever they are. Expects slice_index and
// zero_bits.

struct Params {
    origin: vec2<u32>,  // of a slice, see slice.wgsl; `run` is 0 if the elements follow one another
    inner_stride: vec2<u32>,
    outer_stride: vec2<u32>,
    inner_count: u32,
    inner_first: u32,
    run: u32,
    skip: u32,
    first: vec2<u32>,   // index of the first element here: low, high
    low: vec2<u32>,     // first index to zero
    high: vec2<u32>,    // the index after the last one
    count: u32,         // elements here
    begin: u32,         // where the first one is, in elements
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;

fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

@compute @workgroup_size(256)
fn clear(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = (group.y * groups.x + group.x) * 256u + local;
    if n >= params.count {
        return;
    }
    var index = add64(params.first, vec2<u32>(n, 0u));
    if params.run + group.z > 0u { // `group.z` is 0: see sparse.wgsl.
        index = slice_index(n);
    }
    if less(index, params.low) || !less(index, params.high) {
        return;
    }
    zero_bits(params.begin + n);
}
