// Zeroes a given number of elements of each column, every choice of them equally likely: selection
// sampling (Fan et al. 1962). Mirrored by src/cpu/scatter.rs. An invocation goes down the
// rows of one column. Expects mul_wide, philox4x32 and zero_bits.

struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see lib/philox.wgsl
    stream: vec2<u32>,  // counter words 2 and 3
    rows: u32,
    columns: u32,
    zeros: u32,         // of a column
    quads: u32,         // Philox blocks of a column
    first_row: u32,     // rows of this dispatch
    end_row: u32,
    start: u32,         // offset of column 0 in the first row from element 0 here, mod 2^32
    count: u32,         // elements here; the others are drawn too, but not written
    begin: u32,         // offset of element 0 here in the binding
    last: u32,          // 1 if no other dispatch draws these rows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
// Of each column, before the first row.
@group(0) @binding(2) var<storage, read_write> zeros_left: array<u32>;

// The top bit of a block index, which no block of elements has.
const SELECTION: u32 = 0x80000000u;

// The Philox counter for rows 4 `quad` to 4 `quad` + 3 of a column of `quads` blocks.
fn selection_counter(stream: vec2<u32>, quads: u32, column: u32, quad: u32) -> vec4<u32> {
    let first = mul_wide(column, quads);
    let low = first.x + quad;
    let high = first.y + u32(low < quad);
    return vec4<u32>(low, high | SELECTION, stream);
}

@compute @workgroup_size(256)
fn sparse(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let p = params;
    let column = group_index(group, groups) * 256u + local;
    if column >= p.columns {
        return;
    }
    let first_row = nonuniform(p.first_row, group);
    let end_row = nonuniform(p.end_row, group);
    var zeros = p.zeros;
    if first_row > 0u {
        zeros = zeros_left[column];
    }
    var words = vec4<u32>();
    for (var row = first_row; row < end_row; row++) {
        if row % 4u == 0u || row == first_row {
            words = philox4x32(selection_counter(p.stream, p.quads, column, row / 4u), p.keys);
        }
        if mul_wide(words[row % 4u], p.rows - row).y < zeros {
            zeros -= 1u;
            let at = p.start + (row - first_row) * p.columns + column;
            if at < p.count {
                zero_bits(p.begin + at);
            }
        }
    }
    if nonuniform(p.last, group) == 1u {
        zeros_left[column] = zeros;
    }
}
