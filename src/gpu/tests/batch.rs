//! Small tensors in shared buffers: the bits of the CPU at places that can be bound, and zeros
//! between them.

use std::ops::ControlFlow;

use crate::gpu::device::Device;
use crate::gpu::options::FillOptions;
use crate::gpu::tests::{bytes, device, device_with, devices, followed};
use crate::{Cpu, DType, ErrorKind, Initializer, TensorSpec};

/// Has the device's memory hold something before it is given out again.
fn soil(device: &Device) {
    let ones = TensorSpec::new([4 << 20], Initializer::constant(-1.5));
    let tensors: Vec<_> = (0..3).map(|_| device.fill(&ones).unwrap()).collect();
    drop(tensors);
    device.wait().unwrap();
}

/// Tensors of every dtype and distribution, of sizes around those of entries and parts, whole and
/// in part, with large ones, slices, matrices and buffers of other usages among them.
fn mixture() -> Vec<TensorSpec> {
    let initializers = [
        Initializer::normal(0.5, 0.02),
        Initializer::normal(0.0, 0.02),
        Initializer::uniform(-1.0, 3.0),
        Initializer::constant(0.3),
        Initializer::truncated_normal(0.0, 1.0, -2.0, 2.0),
        Initializer::truncated_normal(0.1, 0.02, 0.2, 0.22),
    ];
    let sizes =
        [1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 127, 128, 129, 511, 1023, 1024, 1025, 2047, 2049, 5000];
    let mut all: Vec<_> = sizes
        .iter()
        .flat_map(|&size| initializers.map(|initializer| (size, initializer)))
        .flat_map(|(size, initializer)| {
            DType::SAMPLED.map(|dtype| TensorSpec::new([size], initializer).dtype(dtype))
        })
        .collect();
    all.extend([5, 3000].map(|size| TensorSpec::new([size], initializers[1]).seed(7)));
    let long = TensorSpec::new([1 << 20, 1 << 20], initializers[0]);
    all.push(long.clone().elements((1 << 34) - 8..(1 << 34) + 9).dtype(DType::BF16));
    all.push(long.clone().elements((1 << 34) - 7..(1 << 34) + 9));
    all.push(long.clone().elements((1 << 34) - 20..1 << 34).dtype(DType::F16));
    all.push(long.clone().elements(1 << 34..(1 << 34) + 20));
    all.push(long.clone().slice(1, 3..5).slice(0, 2..9));
    all.push(long.elements(0..300_000).zero_rows(0..1));
    all.push(TensorSpec::new([20, 30], Initializer::orthogonal()));
    let sparse = Initializer::Sparse { sparsity: 0.5, std: 1.0 };
    all.push(TensorSpec::new([20, 30], sparse).dtype(DType::F16));
    all.push(TensorSpec::new([600, 601], initializers[2]).dtype(DType::BF16));
    all.push(TensorSpec::new([777, 999], initializers[4]));
    all
}

/// Fills the mixture and compares every byte of its buffers with what the CPU makes.
pub(super) fn check(device: &Device) {
    let (parameters, cpu) = (mixture(), Cpu::with_seed(42));
    soil(device);
    let device = device.clone().with_seed(42);
    let tensors = device.fill_all(&parameters).unwrap();
    let references: Vec<_> = tensors.iter().collect();
    let (fingerprints, summaries) =
        (device.fingerprints(&references).unwrap(), device.summaries(&references).unwrap());
    let alignment = u64::from(device.wgpu_device().limits().min_storage_buffer_offset_alignment);
    let mut expected: Vec<(&wgpu::Buffer, Vec<u8>)> = Vec::new();
    for (i, (tensor, parameter)) in tensors.iter().zip(&parameters).enumerate() {
        let on_host = cpu.fill(parameter).unwrap();
        assert_eq!(tensor.read().unwrap(), on_host, "{parameter:?}");
        assert_eq!(fingerprints[i], on_host.fingerprint(), "{parameter:?}");
        assert_eq!(summaries[i], on_host.summary(), "{parameter:?}");
        assert!(tensor.offset() % 256 == 0 && tensor.offset() % alignment == 0);
        assert_eq!(tensor.binding().offset, tensor.offset());
        let buffer = tensor.buffer();
        let number = expected.iter().position(|(other, _)| *other == buffer).unwrap_or_else(|| {
            expected.push((buffer, vec![0; buffer.size() as usize]));
            expected.len() - 1
        });
        let place = &mut expected[number].1[tensor.offset() as usize..][..on_host.as_bytes().len()];
        assert!(place.iter().all(|&byte| byte == 0), "{parameter:?} overlaps another");
        place.copy_from_slice(on_host.as_bytes());
    }
    let (many, few) = (tensors.len(), expected.len());
    assert!(few < 12 && many > 300, "{many} tensors in {few} buffers");
    for (buffer, expected) in expected {
        assert!(bytes(&device, buffer) == expected, "bytes between tensors are zero");
    }
}

#[test]
fn shared_buffers_have_the_bits_of_the_cpu_and_zeros_between() {
    devices().iter().for_each(check);
}

/// Other usages do not change that, though wgpu makes their buffers.
#[test]
fn other_usages_make_no_difference() {
    let Some(device) = device() else { return };
    soil(&device);
    let specs =
        [[3], [300]].map(|shape| TensorSpec::new(shape, Initializer::normal(0.0, 1.0)).stream(5));
    let options = FillOptions::new().usages(wgpu::BufferUsages::VERTEX);
    for (tensor, spec) in device.fill_all_with(&specs, options).unwrap().iter().zip(&specs) {
        assert!(tensor.buffer().usage().contains(wgpu::BufferUsages::VERTEX));
        assert_eq!(tensor.read().unwrap(), Cpu::new().fill(spec).unwrap());
    }
}

/// Small bindings, so that shared buffers and tables of distributions are cut, and workgroups in
/// two dimensions.
#[test]
fn narrow_limits_make_no_difference() {
    let narrow = device_with(|limits| {
        limits.max_storage_buffer_binding_size = 1 << 20;
        limits.max_compute_workgroups_per_dimension = 64;
    });
    let Some(device) = narrow.map(|device| device.with_seed(42)) else { return };
    check(&device);
    let distribution = |i: usize| Initializer::TruncatedNormal {
        mean: 0.0,
        std: 1.0,
        a: -1.0,
        b: 1.0 + i as f64 / 64.0,
    };
    let mut distributions: Vec<_> =
        (0..300).map(|i| TensorSpec::new([5], distribution(i)).stream(i as u64)).collect();
    for (shape, stream) in [([3, 3], 0), ([600, 601], 0), ([3, 3], 1)] {
        distributions.push(TensorSpec::new(shape, Initializer::xavier_normal()).stream(stream));
    }
    for (tensor, parameter) in device.fill_all(&distributions).unwrap().iter().zip(&distributions) {
        let expected = Cpu::with_seed(42).fill(parameter).unwrap();
        assert_eq!(tensor.read().unwrap(), expected, "{parameter:?}");
    }
}

/// A new buffer is not zeroed first, so what is not an element must be written: also where a word
/// is half an element's.
#[test]
fn a_new_buffer_has_its_tensor_and_zeros() {
    let Some(device) = device() else { return };
    soil(&device);
    for len in [1, 2, 3, 5, 7, 9, 1001] {
        for dtype in DType::SAMPLED {
            let whole =
                TensorSpec::new([1001, 3], Initializer::xavier_normal()).dtype(dtype).name("w");
            for parameter in [
                whole.clone().elements(0..len),
                whole.clone().elements(1..1 + len),
                whole.slice(1, 1..2),
            ] {
                let tensor = device.fill(&parameter).unwrap();
                let mut expected = Cpu::new().fill(&parameter).unwrap().as_bytes().to_vec();
                expected.resize(expected.len().next_multiple_of(16), 0);
                let actual = bytes(&device, tensor.buffer());
                assert_eq!((tensor.offset(), actual), (0, expected), "{parameter:?}");
            }
        }
    }
}

/// Progress reaches all elements, and work can be canceled.
#[test]
fn many_can_be_followed_and_canceled() {
    let Some(device) = device() else { return };
    let parameters: Vec<_> = (0..500)
        .map(|i| TensorSpec::new([64, 64], Initializer::xavier_normal()).stream(i))
        .collect();
    let (filled, heard) = followed(&device, &parameters, ControlFlow::Continue(()));
    assert!(filled.is_ok() && heard.last() == Some(&(500 * 4096, 500 * 4096)), "{heard:?}");
    let (filled, _) = followed(&device, &parameters, ControlFlow::Break(()));
    assert!(matches!(filled.unwrap_err().kind(), ErrorKind::Interrupted { .. }));
}
