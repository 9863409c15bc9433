// Puts a value at the places of a diagonal, in memory that is zero. Twin: src/diagonal.rs. Place n
// of all is step n / inner of the outer progression and n mod inner of the inner one. Expects
// put_bits.

struct Params {
    origin: u32,         // element of the binding, mod 2^32, where the outer progression's first step here would be
    inner_first: u32,    // its inner step that is the first place here
    inner_count: u32,
    inner_stride: u32,   // mod 2^32, as what comes out is
    outer_stride: u32,
    count: u32,          // places here
    bits: u32,           // the value, as the element type has it
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;

@compute @workgroup_size(256)
fn diagonal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.y * groups.x + group.x) * 256u + local;
    if i >= params.count {
        return;
    }
    let n = params.inner_first + i;
    let at = params.origin + n / params.inner_count * params.outer_stride + n % params.inner_count * params.inner_stride;
    put_bits(at, params.bits);
}
