// Sums that show whether the columns of a slab are orthonormal.

// The sum of all lanes' values that belong to column `lane`, in lanes below COLUMNS.
fn sum_of_column(own: f32, lane: u32) -> f32 {
    workgroupBarrier();
    lane_sums[lane] = own;
    workgroupBarrier();
    var sum = 0.0f;
    if lane < COLUMNS {
        for (var i = lane; i < LANES; i += COLUMNS) {
            sum += lane_sums[i];
        }
    }
    return sum;
}

// Sums of squares of each column of a panel of the slab, and of its products with the next column,
// over a tile of its rows. A workgroup for each tile of each panel of each matrix, in that order,
// from number `first` on; each has 2 COLUMNS floats of `carry` for its sums.
@compute @workgroup_size(256)
fn examine(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let index = p.first + group_index(group, groups);
    if index >= p.first + p.count {
        return;
    }
    let tiles = (p.rows + TILE - 1u) / TILE;
    let panels = p.end_panel - p.first_panel;
    let panel = p.first_panel + index / tiles % panels;
    let width = panel_width(p.columns, panel);
    let start = panel_start(p, p.first_matrix + index / tiles / panels, panel);
    let begin = index % tiles * TILE;
    let end = min(begin + TILE, p.rows);
    let column = lane % COLUMNS;
    let next = (column + 1u) % width;
    var square = 0.0f;
    var product = 0.0f;
    if column < width {
        for (var i = begin + lane / COLUMNS; i < end; i += LANES / COLUMNS) {
            let x = slab[start + i * width + column];
            square += x * x;
            product += x * slab[start + i * width + next];
        }
    }
    let squares = sum_of_column(square, lane);
    let products = sum_of_column(product, lane);
    if lane < COLUMNS {
        carry[index * 2u * COLUMNS + lane] = squares;
        carry[index * 2u * COLUMNS + COLUMNS + lane] = products;
    }
}
