//! The element types that shaders do not sample: the bits of the CPU in whole tensors, ranges,
//! slices and zeroed rows, at any offset, and no other bytes.

use crate::gpu::tests::{compare, device, device_with};
use crate::{Cpu, DType, Initializer, Tensor, TensorSpec};

/// Initializers that fill every type.
fn of_any_type() -> [Initializer; 4] {
    [
        Initializer::zeros(),
        Initializer::ones(),
        Initializer::arange(0, 1),
        Initializer::arange(1, 0),
    ]
}

fn of_real_numbers() -> Vec<Initializer> {
    vec![
        Initializer::xavier_normal(),
        Initializer::normal(0.5, 0.02),
        Initializer::xavier_uniform(),
        Initializer::truncated_normal(0.1, 0.02, 0.2, 0.22),
        Initializer::constant(0.3),
        Initializer::orthogonal(),
        Initializer::eye().gain(-0.3).unwrap(),
        Initializer::sparse(0.4).std(0.1).unwrap(),
        Initializer::arange(-2.5, 0.37),
        Initializer::log_arange(1.0, 1.0),
        Initializer::inverse_softplus_log_uniform(0.001, 0.1, 0.0001),
    ]
}

/// The whole, ranges of it, slices with ranges of them, and zeroed rows.
fn parts(whole: TensorSpec, rows: u64, columns: u64) -> Vec<TensorSpec> {
    let slice = whole.clone().slice(1, columns / 3..columns / 2 + 1).slice(0, 1..rows);
    let len = slice.resolve(0, 0).unwrap().len;
    vec![
        whole.clone(),
        whole.clone().elements(0..1),
        whole.clone().elements(3..rows * columns - 2),
        whole.clone().slice(0, rows / 2..rows).zero_rows(rows / 2..rows / 2 + 1),
        slice.clone(),
        slice.clone().elements(1..len - 1),
        slice.zero_rows(0..2),
        whole.zero_rows(rows - 1..rows),
    ]
}

#[test]
fn every_type_has_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    for (dtype, offset) in DType::ALL.into_iter().zip([0, 4, 8, 12, 260].into_iter().cycle()) {
        let own = if dtype.is_integer() { Vec::new() } else { of_real_numbers() };
        for (initializer, columns) in of_any_type()
            .map(|initializer| (initializer, if dtype == DType::Bool { 2 } else { 19 }))
            .into_iter()
            .chain(own.into_iter().map(|initializer| (initializer, 19)))
        {
            let whole = TensorSpec::new([23, columns], initializer).dtype(dtype);
            for part in parts(whole, 23, columns as u64) {
                compare(&device, &part, dtype, offset);
                let (on_gpu, on_cpu) = (filled(&device, &part), Cpu::new().fill(&part).unwrap());
                assert_eq!(on_gpu.fingerprint().unwrap(), on_cpu.fingerprint(), "{part:?}");
                let stats = on_gpu.stats().unwrap();
                assert_eq!(format!("{stats:?}"), format!("{:?}", on_cpu.stats()), "{part:?}");
                assert_eq!(stats.disagreement(on_gpu.spec()), None, "{part:?}");
            }
        }
    }
}

fn filled(device: &crate::Device, part: &TensorSpec) -> Tensor {
    device.fill(&part.clone().stream(0)).unwrap()
}

/// Several bindings, parts of F32 values, and pieces of uploads.
#[test]
fn large_tensors_have_the_bits_of_the_cpu() {
    let narrow = device_with(|limits| limits.max_storage_buffer_binding_size = 1 << 20);
    let Some(device) = narrow else { return };
    for (dtype, offset) in [(DType::F64, 4), (DType::F8E4M3, 8), (DType::F8E5M2, 0)] {
        let normal = TensorSpec::new([1301, 1203], Initializer::normal(0.0, 0.02));
        compare(&device, &normal, dtype, offset);
        compare(&device, &normal.clone().slice(1, 7..1200), dtype, offset);
        let sparse = TensorSpec::new([1301, 1203], Initializer::sparse(0.3).std(0.1).unwrap());
        compare(&device, &sparse.slice(1, 7..1200), dtype, offset);
    }
    for dtype in [DType::I64, DType::U8, DType::I16, DType::F64, DType::F8E5M2, DType::F32] {
        let range = TensorSpec::new([9001, 127], Initializer::arange(0, 1));
        compare(&device, &range, dtype, 4);
        compare(&device, &range.slice(1, 1..126).zero_rows(3..77), dtype, 0);
    }
}

/// More than one part of F32 values.
#[test]
fn parts_continue_each_other() {
    let Some(device) = device() else { return };
    let long = TensorSpec::new([(1 << 24) + 5], Initializer::normal(0.0, 1.0)).name("long");
    compare(&device, &long, DType::F8E4M3, 0);
}

/// The largest integers, which no float holds.
#[test]
fn integers_are_exact() {
    let Some(device) = device() else { return };
    let fill = |initializer, dtype| {
        let spec = TensorSpec::new([3], initializer).dtype(dtype);
        let tensor = device.fill(&spec).unwrap().read().unwrap();
        assert_eq!(tensor.as_bytes(), Cpu::new().fill(&spec).unwrap().as_bytes());
        tensor
    };
    let least = fill(Initializer::arange(i64::MIN, 1), DType::I64);
    assert_eq!(least.as_slice::<i64>().unwrap(), [i64::MIN, i64::MIN + 1, i64::MIN + 2]);
    let most = fill(Initializer::constant_of(u64::MAX - 1), DType::U64);
    assert_eq!(most.as_slice::<u64>().unwrap(), [u64::MAX - 1; 3]);
}
