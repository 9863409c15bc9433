// Writes a value on a diagonal, into memory that is zero. Mirrored by src/cpu/scatter.rs.
// Entry n of the diagonal is step n / inner_count of the outer progression and step n mod
// inner_count of the inner one. Expects put_bits.

struct Params {
    origin: u32,         // offset of the outer step that entry 0 here is in, mod 2^32
    inner_first: u32,    // inner step of entry 0 here
    inner_count: u32,
    inner_stride: u32,   // mod 2^32, as are the offsets
    outer_stride: u32,
    count: u32,          // entries here
    bits: u32,           // of the value, in the element type
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;

@compute @workgroup_size(256)
fn diagonal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = group_index(group, groups) * 256u + local;
    if i >= params.count {
        return;
    }
    let n = params.inner_first + i;
    let outer = n / params.inner_count * params.outer_stride;
    put_bits(params.origin + outer + n % params.inner_count * params.inner_stride, params.bits);
}
