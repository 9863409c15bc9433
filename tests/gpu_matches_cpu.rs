//! The GPU gives the CPU's bits: around every boundary, in every tile, at every offset, with both
//! wide multiplications.
#![cfg(feature = "gpu")]

#[path = "common/gpu.rs"]
mod gpu;

use std::ops::Range;

use gpu_init::half::{bf16, f16};
use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{
    Cpu, DType, Device, DeviceOptions, FpGuard, Initializer, Layout, Stats, Tensor, TensorSpec,
    WideMul,
};

fn initializers() -> [Initializer; 7] {
    [
        Initializer::xavier_normal(),
        Initializer::xavier_uniform().gain(3.0).unwrap().mean(-0.25).unwrap(),
        Initializer::normal(0.5, 0.02),
        Initializer::constant(0.3),
        Initializer::truncated_normal(0.0, 1.0, -2.0, 2.0),
        Initializer::truncated_normal(0.1, 0.02, 0.2, 0.22),
        Initializer::truncated_normal(1.0, 0.5, f64::NEG_INFINITY, 1.1),
    ]
}

/// The default device, one with the guard of GPUs with Vulkan, and one for each wide multiplication
/// that the adapter has, with the guard for any driver.
fn devices() -> Vec<Device> {
    let Some(device) = gpu::device() else { return Vec::new() };
    let wide_muls = [
        Some(WideMul::Limbs),
        Some(device.wide_mul()).filter(|&wide_mul| wide_mul != WideMul::Limbs),
    ];
    let guarded = wide_muls.into_iter().flatten().map(|wide_mul| {
        let options = DeviceOptions::new().wide_mul(wide_mul).fp_guard(FpGuard::NoReassociation);
        Device::open(&options).unwrap()
    });
    let unfused = DeviceOptions::new().fp_guard(FpGuard::NoContraction);
    guarded.chain([Device::open(&unfused).unwrap(), device]).collect()
}

fn buffer(device: &Device, size: u64) -> wgpu::Buffer {
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
    device.wgpu_device().create_buffer(&descriptor)
}

/// Compares a tensor's bytes, fingerprint and statistics with the CPU's.
fn assert_same(device: &Device, spec: &TensorSpec) {
    let tensor = device.fill(spec).unwrap();
    let expected = Cpu::new().fill(spec).unwrap();
    assert_eq!(tensor.read().unwrap().as_bytes(), expected.as_bytes(), "{spec:?}");
    assert_eq!(tensor.fingerprint().unwrap(), expected.fingerprint(), "{spec:?}");
    assert_eq!(tensor.stats().unwrap(), expected.stats(), "{spec:?}");
}

#[test]
fn every_length_around_a_boundary() {
    for device in devices() {
        let boundaries = [64, 256, 1024, 4096, 16384, 32768];
        let lengths =
            (1..40).chain(boundaries.into_iter().flat_map(|n| [n - 3, n - 1, n, n + 1, n + 2]));
        for len in lengths {
            for (dtype, initializer) in
                DType::FLOATS.into_iter().zip(initializers().into_iter().cycle().skip(len % 4))
            {
                assert_same(
                    &device,
                    &TensorSpec::new([len, 1], initializer).dtype(dtype).name("boundary"),
                );
            }
        }
    }
}

#[test]
fn every_initializer_type_and_layout() {
    for device in devices() {
        for dtype in DType::FLOATS {
            for initializer in initializers() {
                for layout in [Layout::OutInKernel, Layout::KernelInOut] {
                    let spec = TensorSpec::new([13, 7, 3, 5], initializer)
                        .dtype(dtype)
                        .layout(layout)
                        .seed(u64::MAX);
                    assert_same(&device, &spec.name("every"));
                }
            }
        }
    }
}

/// Ranges at and beyond indices that outgrow a word; memory is allocated for the range only.
#[test]
fn ranges_past_2_to_the_32_34_and_40() {
    for device in devices() {
        for start in [1u64 << 32, 1 << 34, 1 << 40, (1 << 42) - 300] {
            for Range { start, end } in [
                start - 130..start + 131,
                start - 1028..start + 1031,
                start - 1..start,
                start..start + 1,
                start + 2..start + 259,
            ] {
                for dtype in DType::SAMPLED {
                    let shape = [1 << 21, (1 << 21) + 1];
                    let spec =
                        TensorSpec::new(shape, Initializer::xavier_uniform().gain(1000.0).unwrap())
                            .dtype(dtype)
                            .name("huge");
                    assert_same(&device, &spec.elements(start..end));
                    let normal =
                        TensorSpec::new(shape, Initializer::xavier_normal().gain(1000.0).unwrap())
                            .dtype(dtype)
                            .stream(u64::MAX);
                    assert_same(&device, &normal.elements(start..end));
                }
            }
        }
    }
}

/// A range has the elements of the whole tensor, wherever in a block it starts.
#[test]
fn ranges_agree_with_the_whole() {
    for device in devices() {
        for dtype in DType::SAMPLED {
            let whole =
                TensorSpec::new([40, 50], Initializer::xavier_normal()).dtype(dtype).name("parts");
            let all = device.fill(&whole).unwrap().read().unwrap();
            for start in 0..9 {
                for len in [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 1000] {
                    let range = device
                        .fill(&whole.clone().elements(start..start + len))
                        .unwrap()
                        .read()
                        .unwrap();
                    assert_eq!(
                        range,
                        all.slice(start..start + len).unwrap(),
                        "{dtype} from {start}, {len}"
                    );
                }
            }
        }
    }
}

/// A fill into the caller's buffer writes the tensor's bytes, at any offset, and no others.
#[test]
fn only_the_tensors_bytes_are_written() {
    for device in devices() {
        let size = 4096;
        let background: Vec<u8> = (0..size).map(|i| (i * 7 + 13) as u8).collect();
        for offset in [0, 4, 8, 12, 16, 252, 256, 260, 1024] {
            for len in [1, 2, 3, 8, 9, 97, 100] {
                for dtype in DType::FLOATS {
                    let memory = buffer(&device, size as u64);
                    device.wgpu_queue().write_buffer(&memory, 0, &background);
                    let spec = TensorSpec::new([len], Initializer::uniform(1.0, 2.0))
                        .dtype(dtype)
                        .name("own");
                    let tensor = device.fill_into(&spec, &memory, offset).unwrap();
                    let cpu = Cpu::new().fill(&spec).unwrap();
                    assert_eq!(tensor.read().unwrap(), cpu);
                    assert_eq!(tensor.fingerprint().unwrap(), cpu.fingerprint());
                    assert_eq!(tensor.stats().unwrap(), cpu.stats());
                    let mut expected = background.clone();
                    expected[offset as usize..][..cpu.as_bytes().len()]
                        .copy_from_slice(cpu.as_bytes());
                    let all = TensorSpec::new([size / 4], Initializer::zeros());
                    let view = whole_buffer(&device, &memory, &all);
                    assert_eq!(view, expected, "{dtype} x {len} at {offset}");
                }
            }
        }
    }
}

/// Many fills at once into several of the caller's buffers, in any order, one after the other
/// without a gap: each has its bytes, and nothing beside them is written.
#[test]
fn many_tensors_in_the_callers_memory() {
    let Some(device) = gpu::device() else { return };
    let matrix = |i: u64| TensorSpec::new([3 + i as usize, 5], Initializer::xavier_normal());
    let mut specs: Vec<_> = (0..20).map(|i| matrix(i).name(&format!("layers.{i}"))).collect();
    specs.push(TensorSpec::new([9], Initializer::ones()).dtype(DType::BF16).name("odd"));
    specs.push(TensorSpec::new([40, 40], Initializer::orthogonal()).name("recurrent"));
    specs.push(TensorSpec::new([30_000], Initializer::normal(0.0, 0.02)).seed(7).name("large"));
    let size = 1 << 18;
    let mut expected = [vec![0xa5; size], vec![0x5a; size]];
    let memory = [buffer(&device, size as u64), buffer(&device, size as u64)];
    for (memory, background) in memory.iter().zip(&expected) {
        device.wgpu_queue().write_buffer(memory, 0, background);
    }
    let (mut targets, mut ends) = (Vec::new(), [4, 1000]);
    for (i, spec) in specs.iter().enumerate().rev() {
        let tensor = Cpu::new().fill(spec).unwrap();
        let (bytes, at) = (tensor.as_bytes(), ends[i % 2]);
        targets.push((spec, &memory[i % 2], at as u64));
        expected[i % 2][at..][..bytes.len()].copy_from_slice(bytes);
        ends[i % 2] = at + bytes.len().next_multiple_of(4);
    }
    let tensors = device.fill_all_into(&targets).unwrap();
    assert!(tensors.iter().map(Tensor::offset).eq(targets.iter().map(|target| target.2)));
    let all = TensorSpec::new([size / 4], Initializer::zeros());
    for (memory, expected) in memory.iter().zip(&expected) {
        assert!(whole_buffer(&device, memory, &all) == *expected);
    }
}

/// The bytes of a buffer.
fn whole_buffer(device: &Device, memory: &wgpu::Buffer, all: &TensorSpec) -> Vec<u8> {
    let copy = device.fill(all).unwrap();
    let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(memory, 0, copy.buffer(), 0, memory.size());
    device.wgpu_queue().submit([encoder.finish()]);
    copy.read().unwrap().as_bytes().to_vec()
}

/// A device with limits so low that a small tensor needs many tiles or two dimensions of
/// workgroups.
fn narrow_device(limits: impl FnOnce(&mut wgpu::Limits)) -> Option<Device> {
    gpu::device()?;
    let adapters = pollster::block_on(gpu_init::adapters());
    let adapter = &adapters[gpu_init::best_adapter(&adapters)?];
    let mut required_limits = adapter.limits();
    limits(&mut required_limits);
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    Some(Device::from_wgpu(device, queue).unwrap())
}

#[test]
fn tiles_of_a_small_binding_limit() {
    let Some(device) = narrow_device(|limits| limits.max_storage_buffer_binding_size = 1 << 20)
    else {
        return;
    };
    assert_eq!(device.wgpu_device().limits().max_storage_buffer_binding_size, 1 << 20);
    for dtype in DType::SAMPLED {
        let spec = TensorSpec::new([1111, 1237], Initializer::xavier_normal())
            .dtype(dtype)
            .name("windows");
        assert_same(&device, &spec);
        assert_same(&device, &spec.elements(3..1_000_003));
    }
    let memory = buffer(&device, 6 << 20);
    let spec =
        TensorSpec::new([1111, 1237], Initializer::xavier_uniform()).name("windows at an offset");
    let tensor = device.fill_into(&spec, &memory, 4 * 123).unwrap();
    let expected = Cpu::new().fill(&spec).unwrap();
    assert_eq!(tensor.fingerprint().unwrap(), expected.fingerprint());
    assert_eq!(tensor.stats().unwrap(), expected.stats());
    assert_eq!(tensor.read().unwrap(), expected);
}

#[test]
fn workgroups_in_two_dimensions() {
    let Some(device) = narrow_device(|limits| limits.max_compute_workgroups_per_dimension = 7)
    else {
        return;
    };
    for dtype in DType::SAMPLED {
        // The size is no multiple of the 28,672 bytes of 7 workgroups with 256 entries.
        let spec = TensorSpec::new([200, 250], Initializer::xavier_normal())
            .dtype(dtype)
            .name("dimensions");
        assert_same(&device, &spec);
        assert_same(&device, &spec.elements(1..49_000));
    }
}

/// The default limits of WebGPU without features, as in a browser.
#[test]
fn default_limits_suffice() {
    let Some(device) = narrow_device(|limits| *limits = wgpu::Limits::default()) else { return };
    assert_eq!(device.wide_mul(), WideMul::Limbs);
    assert_same(
        &device,
        &TensorSpec::new([333, 777], Initializer::xavier_normal()).name("default limits"),
    );
}

/// Larger than a binding with the device's own limits: 128 MiB on llvmpipe, 2 GiB on a GPU. Other
/// software drivers allow larger bindings than they can fill in a test's time.
#[test]
fn tensor_larger_than_a_binding() {
    let Some(device) = gpu::device() else { return };
    let limits = device.wgpu_device().limits();
    let software = device.wgpu_device().adapter_info().device_type == wgpu::DeviceType::Cpu;
    let most = if software { 130 << 20 } else { limits.max_buffer_size };
    let bytes = (limits.max_storage_buffer_binding_size + (1 << 20)).min(most);
    let spec = TensorSpec::new([bytes as usize / 2 / 1024 - 1, 1024], Initializer::xavier_normal())
        .dtype(DType::BF16)
        .name("large");
    let tensor = device.fill(&spec).unwrap();
    let expected = Cpu::new().fill(&spec).unwrap();
    assert_eq!(tensor.fingerprint().unwrap(), expected.fingerprint());
    assert_eq!(tensor.stats().unwrap(), expected.stats());
    let edge = (limits.max_storage_buffer_binding_size / 2).min(tensor.len() / 2);
    for at in [0, edge - 1000, tensor.len() - 2000] {
        assert_eq!(
            tensor.read_range(at..at + 2000).unwrap(),
            expected.slice(at..at + 2000).unwrap()
        );
    }
}

/// Fills recorded into the caller's encoder run only when the caller submits it.
#[test]
fn fills_are_recorded_into_the_callers_encoder() {
    for device in devices() {
        let memory = buffer(&device, 4096);
        let mut encoder = device.wgpu_device().create_command_encoder(&Default::default());
        let a = TensorSpec::new([10, 10], Initializer::xavier_normal()).name("a");
        let b =
            TensorSpec::new([30, 10], Initializer::xavier_uniform()).name("b").dtype(DType::F16);
        let a_tensor = device.encode(&[(&a, &memory, 0)], &mut encoder).unwrap().remove(0);
        let b_tensor = device.encode(&[(&b, &memory, 400)], &mut encoder).unwrap().remove(0);
        assert!(
            a_tensor.read().unwrap().to_f32().iter().all(|&value| value == 0.0),
            "nothing was submitted yet"
        );
        device.wgpu_queue().submit([encoder.finish()]);
        assert_eq!(a_tensor.read().unwrap(), Cpu::new().fill(&a).unwrap());
        assert_eq!(b_tensor.read().unwrap(), Cpu::new().fill(&b).unwrap());
    }
}

/// Tables of different distributions, and fills without one, share a recording.
#[test]
fn truncated_normals_of_many_distributions_in_one_submission() {
    for device in devices() {
        let distributions =
            [(-2.0, 2.0), (5.0, 6.0), (-2.0, 2.0), (0.0, f64::INFINITY), (-31.0, -30.0)];
        let mut specs: Vec<TensorSpec> = distributions
            .into_iter()
            .zip(DType::SAMPLED.into_iter().cycle())
            .map(|((a, b), dtype)| {
                TensorSpec::new([77, 31], Initializer::truncated_normal(0.0, 1.0, a, b))
                    .dtype(dtype)
            })
            .collect();
        specs.insert(2, TensorSpec::new([50, 60], Initializer::xavier_normal()));
        let (device, cpu) = (device.with_seed(1), Cpu::with_seed(1));
        for (tensor, spec) in device.fill_all(&specs).unwrap().iter().zip(&specs) {
            let expected = cpu.fill(spec).unwrap();
            assert_eq!(tensor.read().unwrap(), expected, "{spec:?}");
            assert_eq!(tensor.stats().unwrap().disagreement(tensor.spec()), None);
        }
    }
}

/// Beyond indices that outgrow a word, and at offsets of a buffer where no entry starts.
#[test]
fn truncated_normals_at_any_range_and_offset() {
    for device in devices() {
        let memory = buffer(&device, 8192);
        let initializer = Initializer::truncated_normal(0.1, 0.2, -0.3, 0.25);
        for dtype in DType::SAMPLED {
            for start in [0u64, 1, 2, 3, (1 << 32) - 130, (1 << 34) - 3, (1 << 40) + 1] {
                for len in [1, 2, 261, 1024] {
                    let spec =
                        TensorSpec::new([1 << 21, 1 << 20], initializer).dtype(dtype).name("any");
                    let spec = spec.elements(start..start + len);
                    assert_same(&device, &spec);
                    let expected = Cpu::new().fill(&spec).unwrap();
                    for offset in [4, 12, 256, 1000] {
                        let tensor = device.fill_into(&spec, &memory, offset).unwrap();
                        assert_eq!(
                            tensor.read().unwrap(),
                            expected,
                            "{dtype} {start} {len} {offset}"
                        );
                    }
                }
            }
        }
    }
}

/// Unnamed calls take the same streams on GPU and CPU, and no two calls give the same weights.
#[test]
fn unnamed_calls_take_the_next_stream() {
    for device in devices() {
        let (device, cpu) = (device.with_seed(42), Cpu::with_seed(42));
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for shape in [[64, 64], [64, 64], [32, 64]] {
            let tensor = gpu_init::GpuInit::xavier_normal(&device, shape).unwrap();
            let mut host = vec![0f32; shape[0] * shape[1]];
            cpu.fill_into(&TensorSpec::new(shape, Initializer::xavier_normal()), &mut host)
                .unwrap();
            let values = tensor.to_vec::<f32>().unwrap();
            assert_eq!(values, host);
            assert!(seen.iter().all(|earlier| earlier[..16] != values[..16]));
            seen.push(values);
        }
        let many = vec![TensorSpec::new([5, 5], Initializer::xavier_uniform()); 3];
        for tensor in device.fill_all(&many).unwrap() {
            assert_eq!(tensor.read().unwrap(), cpu.fill(&many[0]).unwrap());
        }
    }
}

/// Statistics and fingerprints of values that no initializer gives: NaN, infinities, signed zeros,
/// extremes.
#[test]
fn reductions_agree_on_any_values() {
    for device in devices() {
        let special = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            -0.0,
            0.0,
            1e30,
            -1e30,
            1e-30,
            65504.0,
            -1.5,
            2f32.powi(-24),
            3.0,
        ];
        for (len, pick) in [(1, 1), (12, 1), (12, 7), (5000, 5), (40_000, 11)] {
            let values: Vec<f32> = (0..len).map(|i| special[i * pick % special.len()]).collect();
            check_reductions(&device, &values);
            check_reductions(
                &device,
                &values.iter().map(|&value| f16::from_f32(value)).collect::<Vec<_>>(),
            );
            check_reductions(
                &device,
                &values.iter().map(|&value| bf16::from_f32(value)).collect::<Vec<_>>(),
            );
        }
        check_reductions(&device, &[f32::NAN; 3]);
        check_reductions(&device, &(0..70_000).map(|i| 1e6 + i as f32).collect::<Vec<_>>());
        // Every f16.
        check_reductions(&device, &(0..=u16::MAX).map(f16::from_bits).collect::<Vec<_>>());
    }
}

fn check_reductions<T: gpu_init::Element>(device: &Device, values: &[T]) {
    let spec = TensorSpec::new([values.len()], Initializer::ones()).dtype(T::DTYPE);
    let tensor: Tensor = device.fill(&spec).unwrap();
    let mut bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.bits().to_le_bytes()[..size_of::<T>()].to_vec())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    device.wgpu_queue().write_buffer(tensor.buffer(), 0, &bytes);
    // NaN is not equal to itself, but its text is.
    assert_eq!(
        format!("{:?}", tensor.stats().unwrap()),
        format!("{:?}", Stats::of(values)),
        "{values:?}"
    );
    assert_eq!(tensor.fingerprint().unwrap(), gpu_init::Fingerprint::of(0, values));
}

/// Executors with several threads can run the futures.
#[test]
fn futures_can_move_between_threads() {
    fn check(_: impl Send) {}
    let Some(device) = gpu::device() else { return };
    let spec = TensorSpec::new([10, 10], Initializer::xavier_normal());
    let tensor = device.fill(&spec).unwrap();
    check(Device::open_async(&DeviceOptions::new()));
    check(device.fill_all_async(std::slice::from_ref(&spec)));
    check(device.fill_into_async(&spec, tensor.buffer(), 0));
    check((tensor.read_async(), tensor.stats_async(), tensor.fingerprint_async()));
    check(device.wait_async());
}

/// The futures complete on any executor, without another thread that polls the device.
#[test]
fn reading_back_is_async() {
    let Some(device) = gpu::device() else { return };
    let spec = TensorSpec::new([100, 100], Initializer::xavier_normal()).name("async");
    let expected = Cpu::new().fill(&spec).unwrap();
    let (values, stats, fingerprint) = pollster::block_on(async {
        let device = Device::open_async(&DeviceOptions::new()).await?;
        let tensor = device.fill_async(&spec).await?;
        Ok::<_, gpu_init::Error>((
            tensor.read_async().await?,
            tensor.stats_async().await?,
            tensor.fingerprint_async().await?,
        ))
    })
    .unwrap();
    assert_eq!(
        (values, stats, fingerprint),
        (expected.clone(), expected.stats(), expected.fingerprint())
    );
    drop(device);
}

/// Threads may share a device; every call takes a stream of its own.
#[test]
fn threads_share_a_device() {
    let Some(device) = gpu::device() else { return };
    let expected: Vec<_> = (0..8)
        .map(|i| {
            Cpu::new()
                .fill(&TensorSpec::new([64, 65], Initializer::xavier_normal()).stream(i))
                .unwrap()
        })
        .collect();
    let tensors = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    device
                        .fill(&TensorSpec::new([64, 65], Initializer::xavier_normal()))
                        .unwrap()
                        .read()
                        .unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(expected.iter().all(|values| tensors.contains(values)), "each stream was used once");
}
