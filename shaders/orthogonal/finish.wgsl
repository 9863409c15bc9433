// Writes the entries of a slab to the output.

// Entries of `width` columns, from `at` on, of rows `first` and on, which are counted through all
// matrices; the output is zero before.
@compute @workgroup_size(256)
fn finish(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let i = group_index(group, groups) * LANES + lane;
    if i >= p.count {
        return;
    }
    let offset = p.origin + i / p.width * p.stride + i % p.width * p.step;
    if offset >= p.here {
        return;
    }
    let transposed = p.transposed == 1u;
    let own_rows = select(p.rows, p.columns, transposed);
    let own_row = p.first + i / p.width;
    let a = own_row % own_rows;
    let b = p.at + i % p.width;
    let row = select(a, b, transposed);
    let column = select(b, a, transposed);
    let panel = column / COLUMNS;
    let start = panel_start(p, own_row / own_rows, panel);
    let source = start + row * panel_width(p.columns, panel) + column % COLUMNS;
    put_bits(p.begin + offset, value_bits(slab[source] * p.scale));
}
