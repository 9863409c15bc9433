//! The device's matrices are the host's, bit by bit, and can be canceled.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cpu::orthogonal::tests::parameter;
use crate::gpu::options::FillOptions;
use crate::gpu::tests::{
    assert_wrong, bytes, compare, device, devices, dispatch, followed, narrow_device, open_broken,
};
use crate::{Cpu, DType, Device, ErrorKind, Initializer, Layout, TensorSpec, wgpu};

#[test]
fn matrices_have_the_bits_of_the_cpu() {
    for device in devices() {
        for (rows, cols, batch) in [
            (1, 1, 1),
            (1, 1, 5),
            (1, 9, 1),
            (9, 1, 3),
            (2, 3, 1),
            (3, 2, 1),
            (4, 4, 100),
            (16, 16, 1),
            (17, 5, 1),
            (17, 17, 3),
            (64, 64, 1),
            (100, 37, 2),
            (37, 100, 2),
            (128, 256, 1),
            (5, 1000, 1),
            (1030, 40, 1),
            (7, 3, 1001),
        ] {
            for gain in [1.0, 0.7] {
                let parameter = parameter(rows, cols, batch, gain);
                compare(&device, &parameter, DType::F32, 0);
                compare(&device, &parameter, DType::F16, 4);
                compare(&device, &parameter, DType::BF16, 260);
            }
        }
    }
}

/// Rows of several tiles, where sums go on from one dispatch to the next. llvmpipe of Mesa 22.3
/// ends the loops of an invocation after 65,535 iterations in all, so a kernel whose loops grew
/// with the rows gave other weights from 58,220 on.
#[test]
fn tall_matrices_have_the_bits_of_the_cpu() {
    for device in devices() {
        for (rows, cols, batch) in [
            (58_220, 1, 1),
            (8192, 1, 1),
            (8193, 1, 1),
            (8208, 17, 1),
            (3, 70_000, 1),
            (9000, 2, 3),
        ] {
            compare(&device, &parameter(rows, cols, batch, 1.0), DType::F32, 0);
        }
    }
    let Some(device) = devices().pop() else { return };
    compare(&device, &parameter(300_000, 2, 1, 1.0), DType::BF16, 4);
    let delta = TensorSpec::new([70_000, 3, 3], Initializer::delta_orthogonal());
    compare(&device, &delta, DType::F32, 0);
}

/// A part of the last one of many matrices, and a few rows of a wide one: nothing else is made.
#[test]
fn parts_far_inside_have_the_bits_of_the_cpu() {
    let Some(device) = devices().pop() else { return };
    let (many, all) = (parameter(100, 100, 1 << 19, 1.0), (1 << 19) * 100 * 100);
    compare(&device, &many.elements(all - 5_000..all), DType::F32, 0);
    let (wide, all) = (parameter(300, 100_000, 1, 1.0), 100_000 * 300);
    compare(&device, &wide.elements(all - 70..all - 3), DType::F32, 0);
}

/// Checks that each matrix is refused with this text by shaders that are broken in each of these
/// ways, where a small one stays right.
fn check_broken(patches: &[(&str, &str)], matrices: &[TensorSpec], text: &str) {
    for (from, to) in patches {
        let Some(opened) = open_broken(from, to) else { return };
        let device = opened.unwrap();
        for matrix in matrices {
            assert_wrong(device.fill(matrix), text);
        }
        compare(&device, &parameter(300, 20, 1, 1.0), DType::F32, 0);
    }
}

/// What only a large matrix shows, beyond the tiles of the self-test, is found when it is made: a
/// driver that ends its loops early, or loses a tile.
#[test]
fn large_matrices_that_are_not_orthogonal_are_refused() {
    let patches = [
        (
            "begin, min(begin + TILE, params.rows),\n    );",
            "begin, min(begin + TILE, min(params.rows, 17000u)),\n    );",
        ),
        (
            "        if tile_of(p, group) > 0u {\n            sum = carry[at_carry];",
            "        if tile_of(p, group) > 0u && p.tile != 3u {\n            sum = carry[at_carry];",
        ),
    ];
    let tall = parameter(30_000, 10, 1, 1.0);
    let matrices = [tall.clone(), parameter(10, 30_000, 1, 0.5), tall.slice(1, 5..9)];
    check_broken(&patches, &matrices, "column");
}

/// Kernels of several tiles are others, and have to prove right by themselves: what breaks one of
/// them leaves matrices of one tile as they are.
#[test]
fn kernels_of_tall_matrices_are_verified() {
    let patches = [
        (
            "sum = products_of_tile(p, sum);",
            "sum = products_of_tile(p, sum); sum.a[1].y *= 1.0000001f;",
        ),
        ("let scale = scratch_floats[", "let scale = 1.0000001f * scratch_floats["),
        ("solve_panel(p, carried_products(index, lane));", "solve_panel(p, Products());"),
    ];
    check_broken(&patches, &[parameter(8193, 1, 1, 1.0)], "orthogonal F32, element");
}

/// Several dispatches for a block, and several groups of blocks.
#[test]
fn a_matrix_of_several_dispatches_has_the_bits_of_the_cpu() {
    if let Some(device) = devices().last() {
        compare(device, &parameter(40_000, 40, 1, 1.0), DType::F32, 0);
        compare(device, &parameter(512, 300, 5, 1.0), DType::F32, 0);
    }
}

/// More than a binding may have: 1 MiB, as some devices have it.
#[test]
fn slabs_make_no_difference() {
    let Some(device) = narrow_device() else { return };
    for (rows, cols, batch) in
        [(700, 600, 1), (600, 700, 1), (300, 200, 6), (3000, 90, 2), (90, 3000, 2)]
    {
        let whole = parameter(rows, cols, batch, 1.0);
        let elements = (rows * cols * batch) as u64;
        for dtype in [DType::F32, DType::F16] {
            compare(&device, &whole, dtype, 12);
            for part in [1..2, elements / 3..elements / 2, elements - 5..elements] {
                compare(&device, &whole.clone().elements(part), dtype, 8);
            }
        }
    }
    let error = device.fill(&parameter(20_000, 40, 1, 1.0)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::MatrixTooLarge { rows: 20_000, .. }),
        "a block of reflections is more than a binding: {error}"
    );
}

/// `cargo test --release -- --ignored --nocapture large_matrices_have`
#[test]
#[ignore = "minutes on llvmpipe"]
fn large_matrices_have_the_bits_of_the_cpu() {
    if let Some(device) = devices().last() {
        for (rows, cols) in [(2048, 2048), (4096, 1024), (1024, 4096)] {
            compare(device, &parameter(rows, cols, 1, 1.0), DType::F32, 0);
        }
    }
}

/// With submissions as small as those of the least device, since work of a single submission is done
/// when its progress is heard.
#[test]
fn work_can_be_canceled() {
    for mut device in devices() {
        let inner = Arc::get_mut(&mut device.inner).expect("the only clone");
        inner.engine.limits.step = 1 << 20;
        let (filled, heard) =
            followed(&device, &[parameter(512, 512, 4, 1.0)], ControlFlow::Break(()));
        let error = filled.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Interrupted { done, total, .. } if 0 < *done && done < total),
            "{error}"
        );
        assert_eq!(heard.len(), 1, "{heard:?}");
        compare(&device, &parameter(33, 20, 1, 1.0), DType::F32, 0);
    }
}

#[test]
fn progress_ends_at_the_total() {
    for device in devices() {
        let all = [
            parameter(300, 200, 3, 1.0),
            TensorSpec::new([1000, 1001], Initializer::xavier_normal()),
            parameter(2, 200, 1, 1.0),
        ];
        let (tensors, heard) = followed(&device, &all, ControlFlow::Continue(()));
        assert!(heard.is_sorted() && heard.last() == Some(&(1_181_400, 1_181_400)), "{heard:?}");
        for (tensor, expected) in tensors.unwrap().iter().zip(Cpu::new().fill_all(&all).unwrap()) {
            assert_eq!(tensor.fingerprint().unwrap(), expected.fingerprint());
        }
    }
}

/// Parts without a one or an entry are done, too.
#[test]
fn progress_ends_at_the_total_of_zeros() {
    let Some(device) = device() else { return };
    let eye = TensorSpec::new([2, 1000], Initializer::eye()).elements(5..10);
    let delta = TensorSpec::new([3, 4, 4], Initializer::delta_orthogonal())
        .layout(Layout::KernelInOut)
        .elements(0..5);
    for parameter in [eye, delta, parameter(1, 9, 1, 1.0).slice(2, 2..3)] {
        let total = parameter.resolve(0, 0).unwrap().len;
        let (filled, heard) =
            followed(&device, std::slice::from_ref(&parameter), ControlFlow::Continue(()));
        assert!(filled.is_ok() && heard.last() == Some(&(total, total)), "{parameter:?}");
    }
}

/// The largest entry of |Q'Q - 1|, or of |QQ' - 1|, computed on the device in f32 sums of sums of
/// 32.
fn defect(device: &Device, parameter: &TensorSpec) -> f32 {
    const MAIN: &str = "
        @group(0) @binding(0) var<storage, read_write> q: array<f32>;
        @group(0) @binding(1) var<storage, read_write> largest: atomic<u32>;
        override M: u32;
        override N: u32;
        override ROW: u32;
        override COLUMN: u32;
        @compute @workgroup_size(16, 16)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x > id.y || id.y >= N { return; }
            var sum = 0.0;
            for (var run = 0u; run < M; run += 32u) {
                var s = 0.0;
                for (var i = run; i < min(run + 32u, M); i++) {
                    s += q[i * ROW + id.x * COLUMN] * q[i * ROW + id.y * COLUMN];
                }
                sum += s;
            }
            atomicMax(&largest, bitcast<u32>(abs(sum - select(0.0, 1.0, id.x == id.y))));
        }";
    let context = &device.inner.engine.context;
    let &[1, rows, cols] = parameter.shape().dims() else { panic!("one matrix") };
    let (m, n) = (rows.max(cols) as u32, rows.min(cols) as u32);
    let (row, column) = if rows < cols { (1, m) } else { (n, 1) };
    let buffer = device.fill(&parameter.clone().seed(42).stream(7)).unwrap().buffer().clone();
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let largest = pollster::block_on(context.buffer_with(&[0; 4], usage)).unwrap();
    let constants =
        [("M", m.into()), ("N", n.into()), ("ROW", row.into()), ("COLUMN", column.into())];
    dispatch(context, MAIN.to_owned(), &constants, &[&buffer, &largest], [n.div_ceil(16); 2]);
    f32::from_bits(bytemuck::pod_read_unaligned(&bytes(device, &largest)))
}

fn check_defect(shapes: &[(usize, usize)]) {
    let Some(device) = devices().pop() else { return };
    for &(rows, cols) in shapes {
        let defect = defect(&device, &parameter(rows, cols, 1, 1.0));
        println!("{rows} x {cols}: {defect:e}");
        // The device's own sums round too, so zero would be no measurement.
        assert!(defect > 1e-8 && defect <= 1e-5, "{rows} x {cols}: {defect:e}");
        let doubled = self::defect(&device, &parameter(rows, cols, 1, 1.00001));
        assert!(doubled > 1.9e-5, "a gain of 1.00001 must show: {doubled:e}");
    }
}

#[test]
fn the_device_finds_its_matrices_orthogonal() {
    check_defect(&[(64, 64), (300, 200), (128, 512)]);
}

/// `cargo test --release -- --ignored --nocapture the_device_finds_large`
#[test]
#[ignore = "minutes on llvmpipe"]
fn the_device_finds_large_matrices_orthogonal() {
    check_defect(&[(2048, 2048), (4096, 1024)]);
}

/// `cargo test --release -- --ignored --nocapture gpu_times`
#[test]
#[ignore = "a measurement"]
fn gpu_times() {
    let Some(device) = devices().pop() else { return };
    println!("{}", device.name());
    for n in [64, 128, 256, 512, 1024, 2048] {
        let mut longest = Duration::ZERO;
        let times = (0..if n < 1024 { 5 } else { 2 }).map(|i| {
            let start = Instant::now();
            let mut last = start;
            let progress = &mut |_, _| {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                ControlFlow::Continue(())
            };
            device
                .fill_with(&parameter(n, n, 1, 1.0).seed(i), FillOptions::new().progress(progress))
                .unwrap();
            start.elapsed()
        });
        let least = times.min().unwrap_or_default().as_secs_f64();
        println!("GPU {n}: {:.3} ms, at most {longest:.1?} between reports", least * 1e3);
    }
}
