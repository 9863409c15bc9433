// Zeroes elements of each column, as many as asked for, each choice of them as likely: selection
// sampling. Twin: src/sparse.rs. An invocation has a column, and goes down its rows. Expects
// mul_wide, philox4x32 and zero_bits.

struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see philox.wgsl
    stream: vec2<u32>,  // counter words 2 and 3
    rows: u32,
    columns: u32,
    zeros: u32,         // of a column
    quads: u32,         // Philox blocks of a column
    first_row: u32,     // rows of this dispatch
    end_row: u32,
    start: u32,         // element of column 0 in the first row, counted from the first element here, mod 2^32
    count: u32,         // elements here; the others are decided, too, but are elsewhere
    begin: u32,         // the first element's place in the binding
    last: u32,          // 1 if no other dispatch decides these rows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> zeros_left: array<u32>;  // of each column, before the first row

const SELECTION: u32 = 0x80000000u;  // the upper bit of a block index, which no element's block has

// A column's four words for rows 4 `quad` and on.
fn selection_words(column: u32, quad: u32) -> vec4<u32> {
    let first = mul_wide(column, params.quads);
    let low = first.x + quad;
    let high = first.y + u32(low < quad);
    return philox4x32(vec4<u32>(low, high | SELECTION, params.stream), params.keys);
}

@compute @workgroup_size(256)
fn sparse(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = (group.y * groups.x + group.x) * 256u + local;
    if column >= params.columns {
        return;
    }
    // No condition hangs on uniforms alone (`group.z` is 0): where one does, Mesa's llvmpipe
    // compiles a kernel anew for each dispatch, with their values, and keeps them all.
    let first_row = params.first_row + group.z;
    let end_row = params.end_row + group.z;
    var zeros = params.zeros;
    if first_row > 0u {
        zeros = zeros_left[column];
    }
    var words = selection_words(column, first_row / 4u);
    for (var row = first_row; row < end_row; row++) {
        if row % 4u == 0u && row > first_row {
            words = selection_words(column, row / 4u);
        }
        if mul_wide(words[row % 4u], params.rows - row).y < zeros {
            zeros -= 1u;
            let at = params.start + (row - first_row) * params.columns + column;
            if at < params.count {
                zero_bits(params.begin + at);
            }
        }
    }
    if params.last + group.z == 1u {
        zeros_left[column] = zeros;
    }
}
