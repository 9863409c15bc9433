//! Plans, checked without a device.

use crate::cpu::orthogonal::tests::plan as matrices;
use crate::gpu::engine::kernel::Entry;
use crate::gpu::engine::params::{FillParams, OrthogonalParams, SparseParams};
use crate::gpu::engine::plan::dispatch::{Binding, Dispatch, Slot, Step};
use crate::gpu::engine::plan::limits::{Limits, TooLarge};
use crate::gpu::engine::plan::orthogonal::sizes::{BLOCK, Sizes, TILE, len};
use crate::gpu::engine::plan::plan;
use crate::gpu::engine::plan::tiles::{Target, background};
use crate::gpu::engine::plan::types::{Bindings, Plan};
use crate::{DType, Distribution, Fill, TensorSpec};

const TABLE: Binding = Binding { slot: Slot::TABLE, offset: 0, size: 16 };

proptest::proptest! {
    /// The dispatches of a fill write each of its bytes once, and no other, within the limits.
    #[test]
    fn tiles_cover_a_fill_once(
        first in 0..2000u64,
        len in 1..300_000u64,
        offset in 0..1000u64,
        dtype in proptest::sample::select(DType::SAMPLED.to_vec()),
        binding in 2..40u64,
        alignment in proptest::sample::select(vec![16u64, 32, 64, 256]),
        groups in 1..70_000u32,
    ) {
        let first = first + (1 << 34) - 1000;
        let distribution = Distribution::normal(0.0, 1.0, dtype).unwrap();
        let fill = Fill { operation: "test", distribution, dtype, seed: 1, stream: 2, first, len, runs: None, zeros: None };
        let limits = Limits { binding: binding * 4096, alignment, groups, step: 1 << 20 };
        let offset = offset * 4;
        let mut next = (offset, first);
        let target = Target { slot: Slot::TENSOR, offset };
        for Dispatch { kernel, params, bindings, grid, .. } in background(&fill, target, TABLE, &limits) {
            let params: FillParams = bytemuck::pod_read_unaligned(params.as_bytes());
            let Binding { offset: base, size, .. } = bindings[0];
            let unit = if kernel.entry == Entry::Fill { 16 } else { 4 };
            let at = base + u64::from(params.begin) * unit;
            let index = u64::from(params.first[1]) << 32 | u64::from(params.first[0]);
            let bytes = u64::from(params.count) * dtype.size();
            proptest::prop_assert_eq!((at, index), next);
            proptest::prop_assert!(base % alignment == 0 && size <= limits.binding && size % unit == 0);
            proptest::prop_assert!(at + bytes.next_multiple_of(4) <= base + size);
            proptest::prop_assert!(grid[0] <= groups);
            let invocations = if unit == 16 { u64::from(params.count).div_ceil(16) } else { (index % 4 + u64::from(params.count)).div_ceil(4) };
            proptest::prop_assert!(u64::from(grid[0]) * u64::from(grid[1]) * 256 >= invocations);
            if unit == 16 {
                proptest::prop_assert!(index % 4 == 0 && bytes % 16 == 0 && at % 16 == 0);
                let high_of_block = |element: u64| (element / 4) >> 32;
                proptest::prop_assert_eq!(high_of_block(index), high_of_block(index + u64::from(params.count) - 1));
            }
            next = (at + bytes, index + u64::from(params.count));
        }
        proptest::prop_assert_eq!(next, (offset + len * dtype.size(), first + len));
    }
}

/// The numbers of the largest matrices, without their memory.
#[test]
fn matrices_of_any_size_are_divided_within_a_devices_limits() {
    for binding in [1 << 20, 128 << 20, (1 << 31) - 256] {
        for (rows, cols, batch) in [
            (1, 1, 1),
            (16, 16, 1 << 24),
            (8192, 8192, 1),
            (8193, 33, 5),
            (92_681, 92_681, 1),
            (2_000_000, 1, 1),
            (1, 30_000_000, 1),
            (5, 3, 1 << 28),
        ] {
            let plan = matrices(rows, cols, batch);
            let limits = Limits { binding, alignment: 256, groups: 65_535, step: 1 << 24 };
            let all = u64::from(plan.rows) * u64::from(plan.batch);
            let sizes = Sizes::new(&limits, plan, 0..all);
            let bytes = sizes.scratch_bytes().max(sizes.slab_bytes());
            let (height, width) = (rows.max(cols) as u64, rows.min(cols) as u64);
            // Only what cannot be divided may be more.
            let least = 4 * (16 * (height + 19)).max(height * width.min(32));
            assert!(bytes <= binding || bytes <= least, "{rows} x {cols} x {batch}: {bytes}");
            assert!(sizes.carry_bytes() <= 1 << 20, "{rows} x {cols} x {batch}");
            let mut panels = 0;
            for slab in sizes.slabs().take(10_000) {
                assert!(!slab.matrices.is_empty() && !slab.panels.is_empty());
                panels += len(&slab.matrices) * len(&slab.panels);
            }
            let all = len(&sizes.wanted.matrices) * len(&sizes.wanted.panels);
            assert!(
                panels == all || sizes.slabs().nth(10_000).is_some() && panels < all,
                "{panels} of {all}"
            );
        }
    }
}

fn planned(fill: &Fill, offset: u64, limits: &Limits) -> Result<Plan, TooLarge> {
    let target = Target { slot: Slot::TENSOR, offset };
    plan(fill, Bindings { target, table: TABLE, scratch: 0, examines: true }, limits)
}

/// Most iterations of the loops of one invocation of a dispatch, as its parameters bound them.
fn iterations(dispatch: &Dispatch) -> u64 {
    let (entry, params) = (dispatch.kernel.entry, dispatch.params.as_bytes());
    match entry {
        Entry::Sparse => {
            let p: SparseParams = bytemuck::pod_read_unaligned(params);
            u64::from(p.end_row - p.first_row)
        }
        Entry::Finish => 0,
        _ if entry.row().module.name == "orthogonal" => {
            let p: OrthogonalParams = bytemuck::pod_read_unaligned(params);
            let begin = u64::from(p.block.max(p.at)) * BLOCK + u64::from(p.tile) * TILE;
            let rows = u64::from(p.rows).checked_sub(begin).expect("a tile has rows").min(TILE);
            match entry {
                Entry::Reflect | Entry::Scale => 2 * rows.div_ceil(256) + 8,
                Entry::Gram => rows + rows.div_ceil(16) + 32,
                Entry::Examine => rows.div_ceil(8) + 16,
                _ => (rows + rows.div_ceil(16)).div_ceil(4) + 256,
            }
        }
        _ => 0,
    }
}

/// Plans of every kind stay within the limits, bind memory that they ask for, and complete each
/// element once.
#[test]
fn plans_complete_each_element_once() {
    let limits = Limits { binding: 1 << 20, alignment: 256, groups: 64, step: 1 << 20 };
    let whole = |shape: &[usize], text: &str| TensorSpec::new(shape, text.parse().unwrap());
    for spec in [
        whole(&[1500, 701], "xavier_normal"),
        whole(&[1500, 701], "eye"),
        whole(&[1500, 701], "sparse(sparsity=0.3)"),
        whole(&[512, 128, 3, 3], "dirac"),
        whole(&[700, 300], "orthogonal"),
        whole(&[9000, 2], "orthogonal"),
        whole(&[200, 100, 3, 3], "delta_orthogonal"),
    ] {
        let rows = spec.shape().dims()[0] as u64;
        for spec in [
            spec.clone(),
            spec.clone().elements(5..1000),
            spec.clone().slice(1, 1..2).slice(0, 1..3),
            spec.clone().zero_rows(rows - 2..rows),
        ] {
            let fill = spec.resolve(1, 2).unwrap();
            let Plan { scratch, steps, .. } = planned(&fill, 260, &limits).unwrap();
            let mut complete = 0;
            for step in steps {
                let dispatch = match step {
                    Step::Run(dispatch) => dispatch,
                    Step::Complete(elements) => {
                        complete += elements;
                        continue;
                    }
                };
                complete += dispatch.elements;
                assert!(dispatch.grid.iter().all(|&groups| (1..=64).contains(&groups)), "{spec:?}");
                let row = dispatch.kernel.entry.row();
                assert_eq!(dispatch.bindings.len(), row.bindings.len());
                assert!(iterations(&dispatch) <= row.iterations.into(), "{spec:?}: {dispatch:?}");
                for Binding { slot, offset, size } in dispatch.bindings {
                    assert!(offset % 256 == 0 && 0 < size && size <= 1 << 20, "{spec:?}");
                    let bytes = match slot {
                        Slot::TENSOR => 260 + fill.bytes().next_multiple_of(4),
                        Slot::TABLE => TABLE.size,
                        Slot(number) => scratch[number - 2],
                    };
                    assert!(offset + size <= bytes, "{spec:?}: {slot:?}");
                }
            }
            assert_eq!(complete, fill.len, "{spec:?}");
        }
    }
}

/// A matrix whose reflections are more than a binding is refused before memory is allocated.
#[test]
fn a_matrix_that_is_too_large_is_refused() {
    let limits = Limits { binding: 1 << 20, alignment: 256, groups: 65_535, step: 1 << 20 };
    let spec = TensorSpec::new([20_000, 40], "orthogonal".parse().unwrap());
    let planned = planned(&spec.resolve(1, 2).unwrap(), 0, &limits);
    assert_eq!(planned.map(|plan| plan.scratch).unwrap_err().rows, Some(20_000));
}
