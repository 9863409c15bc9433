//! Scattered values: the bits of the CPU, in every tile and range.

use crate::gpu::device::Device;
use crate::gpu::tests::{compare, device, narrow_device};
use crate::{DType, Initializer, Layout, TensorSpec};

const DIRAC: fn(u32) -> Initializer = |groups| Initializer::Dirac { groups };
const DELTA: Initializer = Initializer::DeltaOrthogonal { gain: 0.7 };
const SPARSE: fn(f64) -> Initializer = |sparsity| Initializer::Sparse { sparsity, std: 0.02 };

/// The whole, at several offsets, and parts of it.
fn compare_all(device: &Device, cases: &[(Initializer, &[usize], Layout)]) {
    for (initializer, shape, layout) in cases {
        let parameter = TensorSpec::new(*shape, *initializer).layout(layout.clone());
        let len = parameter.resolve(0, 0).unwrap().len;
        for (dtype, offset) in DType::SAMPLED.into_iter().zip([0, 4, 260]) {
            compare(device, &parameter, dtype, offset);
            for (start, end) in [(0, 1), (len - 1, len), (len / 3, len / 2 + 1), (1, len)] {
                if start < end {
                    compare(device, &parameter.clone().elements(start..end), dtype, offset);
                }
            }
        }
    }
}

#[test]
fn scattered_values_have_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    use Layout::{InOutKernel, KernelInOut, OutInKernel};
    let eye = Initializer::Eye { gain: -0.3 };
    compare_all(
        &device,
        &[
            (eye, &[1, 1], OutInKernel),
            (eye, &[7, 5], OutInKernel),
            (eye, &[5, 700], OutInKernel),
            (eye, &[300, 300], OutInKernel),
            (DIRAC(1), &[8, 4, 3], OutInKernel),
            (DIRAC(2), &[8, 4, 3, 5], OutInKernel),
            (DIRAC(8), &[8, 1, 1], OutInKernel),
            (DIRAC(4), &[3, 3, 1, 4], KernelInOut),
            (DIRAC(3), &[2, 3, 4, 5, 9], KernelInOut),
            (DIRAC(2), &[6, 4, 2], InOutKernel),
            (SPARSE(0.1), &[1, 1], OutInKernel),
            (SPARSE(0.0), &[9, 5], OutInKernel),
            (SPARSE(0.5), &[9, 5], OutInKernel),
            (SPARSE(0.9), &[101, 33], OutInKernel),
            (SPARSE(0.25), &[4, 1000], OutInKernel),
            (SPARSE(0.3), &[40_000, 3], OutInKernel),
            (DELTA, &[9, 5, 3], OutInKernel),
            (DELTA, &[4, 4, 2, 3, 1], OutInKernel),
            (DELTA, &[3, 4, 5, 9], KernelInOut),
            (DELTA, &[3, 16, 33], KernelInOut),
            (DELTA, &[5, 9, 4], InOutKernel),
        ],
    );
}

/// Bindings of 1 MiB, as some devices have them, cut tensors anywhere.
#[test]
fn tiles_make_no_difference() {
    let Some(device) = narrow_device() else { return };
    compare_all(
        &device,
        &[
            (Initializer::eye(), &[1500, 701], Layout::OutInKernel),
            (DIRAC(2), &[512, 128, 3, 3], Layout::OutInKernel),
            (DIRAC(2), &[3, 3, 128, 514], Layout::KernelInOut),
            (SPARSE(0.2), &[3001, 201], Layout::OutInKernel),
            (SPARSE(0.2), &[3, 200_001], Layout::OutInKernel),
            (SPARSE(0.2), &[200_001, 3], Layout::OutInKernel),
            (DELTA, &[90, 80, 10, 11], Layout::OutInKernel),
            (DELTA, &[10, 11, 80, 90], Layout::KernelInOut),
        ],
    );
}

/// What a part costs does not grow with the tensor, and neither do loops: parts of the largest
/// tensors, at their ends. (A sparse part costs the rows before it, too, so its tensor is smaller.)
#[test]
fn parts_far_inside_have_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    let side = (1usize << 31) - 1;
    let normal = Initializer::normal(0.0, 1.0);
    let cases: [(Initializer, &[usize]); 6] = [
        (normal, &[side, side]),
        (Initializer::truncated_normal(0.0, 1.0, -1.0, 2.0), &[side, side]),
        (Initializer::constant(0.3), &[side, side]),
        (Initializer::eye(), &[side, side]),
        (DIRAC(1), &[1 << 28, 1 << 28, 3, 3]),
        (SPARSE(0.5), &[200_000, 40]),
    ];
    for (initializer, shape) in cases {
        let whole = TensorSpec::new(shape, initializer);
        let (len, rows) = (whole.resolve(0, 0).unwrap().len, shape[0] as u64);
        let columns = len / rows;
        for dtype in DType::SAMPLED {
            compare(&device, &whole.clone().elements(len - 5001..len), dtype, 4);
            let (last, end) = (rows - 1..rows, shape[1] as u64);
            let slice = whole.clone().slice(0, last.clone()).slice(1, end - 3..end);
            compare(&device, &slice, dtype, 0);
            let zeroed = whole.clone().zero_rows(last).elements(len - columns.min(100) - 50..len);
            compare(&device, &zeroed, dtype, 0);
        }
    }
}

/// More tensors than a dimension has workgroups.
#[test]
fn very_many_small_tensors_have_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    let all = vec![TensorSpec::new([4], Initializer::normal(0.0, 1.0)); 66_000];
    let (tensors, expected) =
        (device.fill_all(&all).unwrap(), crate::Cpu::new().fill_all(&all).unwrap());
    for i in [0, 1, 65_534, 65_535, 65_999] {
        assert_eq!(tensors[i].read().unwrap().as_bytes(), expected[i].as_bytes(), "{i}");
    }
}
