// Zeroes the elements whose indices are in a range. Expects slice_index and zero_bits.

// 64-bit numbers are pairs: low word, high word.
struct Params {
    slice: Slice,
    first: vec2<u32>,  // index of the first element of the binding
    low: vec2<u32>,    // first index to zero
    high: vec2<u32>,   // the index after the last one to zero
    count: u32,        // elements in the binding
    begin: u32,        // the first one's offset in it
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
    let n = group_index(group, groups) * 256u + local;
    if n >= params.count {
        return;
    }
    var index = add64(params.first, vec2<u32>(n, 0u));
    if nonuniform(params.slice.run, group) > 0u {
        index = slice_index(params.slice, n);
    }
    if !less(index, params.low) && less(index, params.high) {
        zero_bits(params.begin + n);
    }
}
