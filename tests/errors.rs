//! Every error names its operation, the values and the remedy; the device works afterwards.

#[cfg(feature = "gpu")]
#[path = "common/gpu.rs"]
mod gpu;

use gpu_init::half::f16;
use gpu_init::{Cpu, DType, Distribution, Error, ErrorKind, Initializer, Layout, TensorSpec};

/// The error of a spec; its text must be one line.
fn refusal(spec: &TensorSpec) -> Error {
    let error = Cpu::new().fill(spec).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

macro_rules! assert_error {
    ($error:expr, $pattern:pat, $($text:expr),+) => {
        let error = $error;
        assert!(matches!(error.kind(), $pattern), "{error:?}");
        $(assert!(error.to_string().contains($text), "{error} does not say {}", $text);)+
    };
}

#[test]
fn shapes() {
    assert_error!(
        refusal(&TensorSpec::new([7], Initializer::xavier_normal())),
        ErrorKind::TooFewDims { .. },
        "xavier_normal",
        "[7]",
        "at least two"
    );
    assert_error!(
        refusal(&TensorSpec::new([], Initializer::xavier_uniform())),
        ErrorKind::TooFewDims { .. },
        "xavier_uniform",
        "0 dimensions"
    );
    assert_error!(
        refusal(&TensorSpec::new([3, 0, 5], Initializer::xavier_normal())),
        ErrorKind::ZeroSized { .. },
        "[3, 0, 5]",
        "at least 1"
    );
    for shape in [
        vec![usize::MAX, 2],
        vec![usize::MAX, usize::MAX, usize::MAX],
        vec![1 << 31, 1 << 31],
        vec![1 << 62, 1],
    ] {
        assert_error!(
            refusal(&TensorSpec::new(shape, Initializer::xavier_normal())),
            ErrorKind::SizeOverflow { .. },
            "overflows 64 bits"
        );
    }
    // A zero among huge dimensions is an empty tensor, not an overflow; the largest size that fits
    // in 64 bits only needs too much memory.
    assert_error!(
        refusal(&TensorSpec::new([usize::MAX, 0, 9], Initializer::xavier_normal())),
        ErrorKind::ZeroSized { .. },
        "size 0"
    );
    assert_error!(
        refusal(&TensorSpec::new([(1 << 61) - 1], Initializer::zeros())),
        ErrorKind::HostOutOfMemory { .. },
        "9223372036854775804 bytes"
    );
}

#[test]
fn options() {
    for gain in [f64::NAN, f64::INFINITY, -1.0, -f64::MIN_POSITIVE] {
        assert_error!(
            Initializer::xavier_normal().gain(gain).unwrap_err(),
            ErrorKind::InvalidOption { option: "gain", .. },
            "gain"
        );
    }
    assert_error!(
        Initializer::xavier_normal().mean(f64::NAN).unwrap_err(),
        ErrorKind::InvalidOption { option: "mean", .. },
        "NaN"
    );
    let backwards = Initializer::uniform(1.0, 0.5);
    assert_error!(
        refusal(&TensorSpec::new([3], backwards)),
        ErrorKind::InvalidOption { option: "b", .. },
        "0.5",
        "not below a"
    );
    let normal = |std| TensorSpec::new([3], Initializer::normal(0.0, std));
    assert_error!(refusal(&normal(-0.5)), ErrorKind::InvalidOption { option: "std", .. }, "-0.5");
    assert_error!(
        Initializer::zeros().gain(2.0).unwrap_err(),
        ErrorKind::UnknownOption { option: "gain", .. },
        "constant",
        "it has val"
    );
    let infinite = Initializer::constant(f64::INFINITY);
    assert_error!(
        refusal(&TensorSpec::new([3], infinite)),
        ErrorKind::InvalidOption { option: "val", .. },
        "inf"
    );
}

#[test]
fn schemes_for_other_shapes() {
    let refused =
        |text: &str, shape: &[usize]| refusal(&TensorSpec::new(shape, text.parse().unwrap()));
    let cases: [(_, &[&[usize]], _); 5] = [
        ("eye(gain=2)", &[&[], &[5], &[5, 5, 5]], "two dimensions"),
        ("sparse(sparsity=0.1)", &[&[], &[5], &[5, 5, 5]], "two dimensions"),
        ("dirac", &[&[], &[5], &[5, 5], &[5, 5, 1, 1, 1, 1]], "three to five dimensions"),
        (
            "delta_orthogonal",
            &[&[], &[5], &[5, 5], &[5, 5, 1, 1, 1, 1]],
            "three to five dimensions",
        ),
        ("orthogonal", &[&[], &[5]], "two or more dimensions"),
    ];
    for (text, shapes, expected) in cases {
        for shape in shapes {
            let name = text.split('(').next().unwrap();
            let error = refused(text, shape);
            assert_error!(
                &error,
                ErrorKind::Dimensions { .. },
                name,
                &format!("{shape:?}"),
                expected,
                "use another shape"
            );
        }
        assert_error!(refused(text, &[5, 0, 5]), ErrorKind::ZeroSized { .. }, "[5, 0, 5]");
    }
    assert_error!(
        refused("dirac(groups=4)", &[6, 3, 3]),
        ErrorKind::InvalidOption { option: "groups", .. },
        "dirac: groups = 4",
        "a divisor of the outputs"
    );
    // More inputs than outputs, in each order of axes.
    let delta = |shape: &[usize], layout| {
        refusal(&TensorSpec::new(shape, Initializer::delta_orthogonal()).layout(layout))
    };
    for error in [
        delta(&[5, 6, 3], Layout::OutInKernel),
        delta(&[6, 5, 3], Layout::InOutKernel),
        delta(&[3, 6, 5], Layout::KernelInOut),
        delta(&[3, 6, 5], Layout::Keras),
    ] {
        assert_error!(
            error,
            ErrorKind::Dimensions { .. },
            "delta_orthogonal",
            "no more inputs than outputs"
        );
    }
}

#[test]
fn schemes_for_other_layouts() {
    let refused = |text: &str, input: &[isize], output: &[isize], batch: &[isize]| {
        let layout =
            Layout::Axes { input: input.into(), output: output.into(), batch: batch.into() };
        refusal(&TensorSpec::new([4, 4, 4, 4], text.parse().unwrap()).layout(layout))
    };
    for name in ["dirac", "delta_orthogonal"] {
        for (input, output, batch) in [
            (&[0, 1][..], &[2][..], &[][..]),
            (&[0], &[1, 2], &[]),
            (&[1], &[2], &[0]),
            (&[4], &[1], &[]),
            (&[], &[1], &[]),
        ] {
            let error = refused(name, input, output, batch);
            assert_error!(
                error,
                ErrorKind::Layout { .. },
                name,
                "[4, 4, 4, 4]",
                "one input and one output axis",
                "no batch"
            );
        }
    }
    for (input, output, batch) in [
        (&[0][..], &[1][..], &[][..]),
        (&[0], &[1, 2], &[]),
        (&[1], &[2], &[3]),
        (&[2], &[3], &[1]),
        (&[1], &[2], &[0, 0]),
        (&[1], &[4], &[0]),
    ] {
        let error = refused("orthogonal", input, output, batch);
        assert_error!(
            error,
            ErrorKind::Layout { .. },
            "orthogonal",
            "[4, 4, 4, 4]",
            "leading ones as batch",
            "or the last"
        );
    }
    // If all axes but one are batch axes there is no matrix.
    assert_error!(
        refused("orthogonal", &[0], &[3], &[1, 2]),
        ErrorKind::Layout { .. },
        "orthogonal"
    );
    assert_error!(
        refused("orthogonal", &[], &[3], &[0, 1, 2]),
        ErrorKind::Dimensions { .. },
        "two or more dimensions"
    );
}

#[test]
fn options_of_matrices() {
    let matrix = |initializer| refusal(&TensorSpec::new([6, 6], initializer));
    for sparsity in [-0.1, 1.1, f64::NAN, f64::INFINITY, -f64::MIN_POSITIVE] {
        let value = format!("sparse: sparsity = {sparsity:?}");
        assert_error!(
            matrix(Initializer::sparse(sparsity)),
            ErrorKind::InvalidOption { option: "sparsity", .. },
            &value,
            "a part from 0 to 1"
        );
    }
    for std in [-0.5, f64::NAN, f64::INFINITY] {
        let value = format!("sparse: std = {std:?}");
        assert_error!(
            Initializer::sparse(0.1).std(std).unwrap_err(),
            ErrorKind::InvalidOption { option: "std", .. },
            &value,
            "not below 0"
        );
    }
    for gain in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let error = Initializer::eye().gain(gain).unwrap_err();
        assert_error!(
            error,
            ErrorKind::InvalidOption { option: "gain", .. },
            &format!("eye: gain = {gain:?}"),
            "a finite"
        );
    }
    for gain in [f64::INFINITY, f64::NAN, 1e31, -1e31, 1e-21] {
        for error in [
            Initializer::orthogonal().gain(gain).unwrap_err(),
            Initializer::delta_orthogonal().gain(gain).unwrap_err(),
        ] {
            let value = format!("orthogonal: gain = {gain:?}");
            assert_error!(
                error,
                ErrorKind::InvalidOption { option: "gain", .. },
                &value,
                "0 or of a magnitude from 1e-20"
            );
        }
    }
    let error = Initializer::dirac().groups(0).unwrap_err();
    assert_error!(
        error,
        ErrorKind::InvalidOption { option: "groups", .. },
        "dirac: groups = 0",
        "at least 1"
    );
    // A std of 0 gives zeros, not an error.
    for initializer in [
        Initializer::eye().gain(0.0).unwrap(),
        Initializer::orthogonal().gain(0.0).unwrap(),
        Initializer::sparse(1.0),
        Initializer::sparse(0.5).std(0.0).unwrap(),
    ] {
        let values = Cpu::new().fill(&TensorSpec::new([6, 6], initializer)).unwrap().to_f32();
        assert!(values.iter().all(|value| value.to_bits() == 0), "{initializer}");
    }
}

#[test]
fn values_of_matrices_out_of_the_types_range() {
    let refused =
        |text: &str, dtype| refusal(&TensorSpec::new([6, 6], text.parse().unwrap()).dtype(dtype));
    assert_error!(
        refused("eye(gain=1e5)", DType::F16),
        ErrorKind::Overflow { .. },
        "eye",
        "do not fit in F16"
    );
    assert_error!(refused("eye(gain=1e39)", DType::F32), ErrorKind::Overflow { .. }, "eye", "F32");
    assert_error!(
        refused("eye(gain=1e-40)", DType::BF16),
        ErrorKind::Subnormal { .. },
        "eye",
        "BF16"
    );
    assert_error!(
        refused("orthogonal(gain=-7e4)", DType::F16),
        ErrorKind::Overflow { .. },
        "orthogonal",
        "F16"
    );
    let option = "gain / sqrt(the larger side)";
    assert_error!(
        refused("orthogonal(gain=1e-4)", DType::F16),
        ErrorKind::Subnormal { .. },
        "orthogonal",
        option
    );
    assert_error!(
        refused("sparse(sparsity=0.5, std=6e-5)", DType::F16),
        ErrorKind::Subnormal { .. },
        "sparse",
        "std"
    );
    assert_error!(
        refused("sparse(sparsity=0.5, std=1e4)", DType::F16),
        ErrorKind::Overflow { .. },
        "sparse",
        "F16"
    );
}

#[test]
fn values_out_of_the_types_range() {
    let normal = |std, dtype| TensorSpec::new([3], Initializer::normal(0.0, std)).dtype(dtype);
    for (std, dtype) in
        [(3e-24, DType::F32), (1e-320, DType::F32), (3e-24, DType::BF16), (6e-5, DType::F16)]
    {
        assert_error!(
            refusal(&normal(std, dtype)),
            ErrorKind::Subnormal { option: "std", .. },
            "subnormal",
            "at least",
            &dtype.to_string()
        );
    }
    for (std, dtype) in
        [(6e37, DType::F32), (1e300, DType::F32), (6e37, DType::BF16), (1e4, DType::F16)]
    {
        assert_error!(
            refusal(&normal(std, dtype)),
            ErrorKind::Overflow { .. },
            "do not fit",
            &dtype.to_string()
        );
    }
    assert_error!(
        refusal(&TensorSpec::new([3, 5], Initializer::xavier_uniform().gain(1e-40).unwrap())),
        ErrorKind::Subnormal { option: "bound", .. },
        "use a larger one"
    );
    assert_error!(
        refusal(&TensorSpec::new([3, 5], Initializer::xavier_normal().mean(1e-35).unwrap())),
        ErrorKind::Subnormal { option: "mean", .. },
        "1e-35"
    );
    assert_error!(
        refusal(&TensorSpec::new([3], Initializer::constant(1e5)).dtype(DType::F16)),
        ErrorKind::Overflow { .. },
        "F16"
    );
    assert_error!(
        refusal(&TensorSpec::new([3], Initializer::constant(1e-40))),
        ErrorKind::Subnormal { .. },
        "value"
    );
}

/// Only errors that another type avoids recommend one.
#[test]
fn widest_type_is_not_recommended_for_itself() {
    for dtype in DType::SAMPLED {
        for (std, remedy) in
            [(1e-26, ", or F32 instead of F16"), (6e37, ", or F32 or BF16 instead of F16")]
        {
            let spec = TensorSpec::new([3], Initializer::normal(0.0, std)).dtype(dtype);
            let message = refusal(&spec).to_string();
            assert_eq!(message.ends_with(remedy), dtype == DType::F16, "{message}");
            assert!(
                dtype == DType::F16
                    || message.ends_with("use a larger one")
                    || message.ends_with("use smaller ones")
            );
        }
    }
}

/// Options just within the limits give no subnormal and no infinite values.
#[test]
fn accepted_options_give_normal_and_finite_values() {
    for (std, dtype) in [
        (3.4e-24, DType::F32),
        (3.4e-24, DType::BF16),
        (5.1e37, DType::F32),
        (5e37, DType::BF16),
        (9800.0, DType::F16),
    ] {
        for mean in [0.0, 1e-30] {
            let spec = TensorSpec::new([1 << 20], Initializer::normal(mean, std)).dtype(dtype);
            let values = Cpu::new().fill(&spec).unwrap().to_f32();
            assert!(
                values.iter().all(|value| value.is_normal() || *value == 0.0 && mean != 0.0),
                "{std} {mean} {dtype}"
            );
        }
    }
    // A gain of 0 gives a constant, not an error.
    let zero = Initializer::xavier_normal().gain(0.0).unwrap().mean(0.5).unwrap();
    let zero = TensorSpec::new([3, 5], zero).resolve(0, 0).unwrap();
    assert!(matches!(zero.distribution, Distribution::Constant { value: 0.5, .. }));
}

#[test]
fn ranges_lengths_and_types() {
    let whole = TensorSpec::new([4, 4], Initializer::xavier_normal());
    for (start, end) in [(3, 3), (5, 4), (0, 17), (16, 17), (u64::MAX - 1, u64::MAX)] {
        assert_error!(
            refusal(&whole.clone().elements(start..end)),
            ErrorKind::Range { .. },
            "[4, 4]",
            "16"
        );
    }
    let cpu = Cpu::new();
    let mut short = [0f32; 15];
    assert_error!(
        cpu.fill_into(&whole, &mut short).unwrap_err(),
        ErrorKind::Length { .. },
        "15",
        "16"
    );
    assert_eq!(short, [0.0; 15]);
    let mut halves = [f16::ZERO; 16];
    let error = cpu.fill_into(&whole.clone().dtype(DType::BF16), &mut halves).unwrap_err();
    assert_error!(error, ErrorKind::DTypeMismatch { .. }, "BF16", "F16");
    assert_error!(
        cpu.fill(&whole).unwrap().slice(0..17).unwrap_err(),
        ErrorKind::Range { .. },
        "0..17"
    );
    // None of these calls took a stream.
    assert_eq!(cpu.fill(&whole).unwrap(), cpu.fill(&whole.clone().stream(1)).unwrap());
}

#[test]
fn fans_of_absurd_shapes_do_not_overflow() {
    let shape = vec![usize::MAX; 5].into();
    assert_eq!(Layout::OutInKernel.fans(&shape), Some((u64::MAX, u64::MAX)));
}

#[cfg(feature = "gpu")]
mod on_a_device {
    use gpu_init::wgpu::{self, BufferUsages};
    use gpu_init::{AdapterChoice, Device, DeviceOptions, GpuInit};

    use super::*;
    use crate::gpu::device;

    fn buffer(device: &Device, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        device.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// The next fill gives the right values.
    fn assert_works(device: &Device) {
        let spec = TensorSpec::new([33, 65], Initializer::xavier_normal()).name("after an error");
        assert_eq!(device.fill(&spec).unwrap().read().unwrap(), Cpu::new().fill(&spec).unwrap());
    }

    #[test]
    fn no_such_adapter() {
        if device().is_none() {
            return;
        }
        let error =
            Device::open(&DeviceOptions::new().adapter(AdapterChoice::Number(999))).unwrap_err();
        assert_error!(
            error,
            ErrorKind::NoSuchAdapter { index: 999, .. },
            "999",
            "`adapters` lists them"
        );
    }

    #[test]
    fn unsuitable_buffers_of_the_caller() {
        let Some(device) = device() else { return };
        let memory = buffer(&device, 1024, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
        let spec = TensorSpec::new([8, 8], Initializer::xavier_normal());
        for offset in [1, 2, 3, 6, 1021] {
            let error = device.fill_into(&spec, &memory, offset).unwrap_err();
            assert_error!(
                error,
                ErrorKind::UnalignedOffset { alignment: 4, .. },
                "fill",
                "multiple of 4"
            );
        }
        for offset in [772, 1024, 1 << 40, u64::MAX - 3] {
            let error = device.fill_into(&spec, &memory, offset).unwrap_err();
            assert_error!(
                error,
                ErrorKind::BufferTooSmall { bytes: 256, size: 1024, .. },
                "1024 bytes"
            );
        }
        device.fill_into(&spec, &memory, 768).unwrap();
        let uniform = buffer(&device, 1024, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        let error = device.fill_into(&spec, &uniform, 0).unwrap_err();
        assert_error!(
            error,
            ErrorKind::BufferUsage { missing: BufferUsages::STORAGE, .. },
            "UNIFORM"
        );
        let unreadable = buffer(&device, 1024, BufferUsages::STORAGE);
        let error = device.fill_into(&spec, &unreadable, 0).unwrap().read().unwrap_err();
        assert_error!(
            error,
            ErrorKind::BufferUsage { missing: BufferUsages::COPY_SRC, .. },
            "COPY_SRC"
        );
        let error = device.fill(&spec).unwrap().read_range(0..65).unwrap_err();
        assert_error!(error, ErrorKind::Range { .. }, "0..65");
        let error = device.fill(&spec).unwrap().to_vec::<f16>().unwrap_err();
        assert_error!(error, ErrorKind::DTypeMismatch { .. }, "F16");
        assert_works(&device);
    }

    /// Where all adapters are software, asking for a GPU fails; asking by number does not.
    #[test]
    fn software_adapters_are_no_gpu() {
        let Some(best) = device() else { return };
        let is_software = best.wgpu_device().adapter_info().device_type == wgpu::DeviceType::Cpu;
        let options = gpu_init::DeviceOptions::new().adapter(AdapterChoice::BestGpu);
        match Device::open(&options) {
            Err(error) => {
                assert!(
                    is_software && matches!(error.kind(), ErrorKind::NoAdapter { .. }),
                    "{error}"
                )
            }
            Ok(device) => {
                assert_ne!(device.wgpu_device().adapter_info().device_type, wgpu::DeviceType::Cpu)
            }
        }
        assert_works(&Device::open(&options.adapter(AdapterChoice::Number(0))).unwrap());
    }

    /// Both devices have the same wgpu instance: wgpu does not notice buffers of other instances.
    #[test]
    fn buffer_of_another_device() {
        if device().is_none() {
            return;
        }
        let adapters = pollster::block_on(gpu_init::adapters());
        let adapter = &adapters[gpu_init::best_adapter(&adapters).unwrap()];
        let [device, other] = [(), ()].map(|()| {
            let (device, queue) =
                pollster::block_on(adapter.request_device(&Default::default())).unwrap();
            Device::from_wgpu(device, queue).unwrap()
        });
        let foreign = buffer(&other, 1024, BufferUsages::STORAGE);
        let error = device
            .fill_into(&TensorSpec::new([8, 8], Initializer::xavier_normal()), &foreign, 0)
            .unwrap_err();
        assert_error!(error, ErrorKind::Gpu { .. }, "fill", "doesn't match");
        assert_works(&device);
        assert_works(&other);
    }

    #[test]
    fn buffer_over_the_adapters_limit() {
        let Some(device) = device() else { return };
        let limit = device.wgpu_device().limits().max_buffer_size;
        let rows = usize::try_from(limit / 4 / 1024 + 1).unwrap();
        for shape in [[rows, 1024], [1 << 30, 1 << 30]] {
            let error = GpuInit::xavier_normal(&device, shape).unwrap_err();
            assert_error!(
                error,
                ErrorKind::BufferTooLarge { .. },
                &limit.to_string(),
                "smaller dtype"
            );
        }
        // Several at once: nothing is allocated if one fails.
        let specs = [
            TensorSpec::new([8, 8], Initializer::xavier_normal()),
            TensorSpec::new([rows, 1024], Initializer::xavier_normal()),
        ];
        assert_error!(
            device.fill_all(&specs).unwrap_err(),
            ErrorKind::BufferTooLarge { .. },
            "bytes"
        );
        assert_works(&device);
    }

    #[test]
    fn invalid_buffer_usages() {
        let Some(device) = device() else { return };
        let error = device
            .fill_with(
                &TensorSpec::new([8, 8], Initializer::xavier_normal()),
                gpu_init::FillOptions::new().usages(BufferUsages::MAP_WRITE),
            )
            .unwrap_err();
        assert_error!(error, ErrorKind::Gpu { .. }, "fill", "MAP_WRITE");
        assert_works(&device);
    }

    #[test]
    fn lost_device() {
        let Some(device) = device() else { return };
        let tensor = GpuInit::xavier_normal(&device, [8, 8]).unwrap();
        device.wgpu_device().destroy();
        assert_error!(
            GpuInit::xavier_normal(&device, [8, 8]).unwrap_err(),
            ErrorKind::DeviceLost { .. },
            "lost",
            "open a new Device"
        );
        assert_error!(tensor.read().unwrap_err(), ErrorKind::DeviceLost { .. }, "read");
        assert_error!(tensor.stats().unwrap_err(), ErrorKind::DeviceLost { .. }, "stats");
        assert_error!(
            tensor.fingerprint().unwrap_err(),
            ErrorKind::DeviceLost { .. },
            "fingerprint"
        );
        assert_error!(device.wait().unwrap_err(), ErrorKind::DeviceLost { .. }, "wait");
        assert_works(&crate::gpu::device().unwrap());
    }

    /// Runs this test again in a process with a limited address space.
    #[test]
    #[cfg(target_os = "linux")]
    fn out_of_memory() {
        // A GPU's memory is not limited by the process' address space.
        if device().is_none_or(|device| {
            device.wgpu_device().adapter_info().device_type != wgpu::DeviceType::Cpu
        }) {
            return;
        }
        let status = std::process::Command::new("sh")
            .args([
                "-c",
                "ulimit -v 3000000; exec \"$0\" --exact on_a_device::out_of_memory_in_a_limited_process --ignored --nocapture",
            ])
            .arg(std::env::current_exe().unwrap())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&status.stdout),
            String::from_utf8_lossy(&status.stderr)
        );
        assert!(status.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    #[ignore = "runs in a process of its own, started by out_of_memory"]
    fn out_of_memory_in_a_limited_process() {
        let Some(device) = device() else { return };
        let limit = device.wgpu_device().limits().max_buffer_size.min(1 << 29);
        let spec = TensorSpec::new([limit as usize / 1024 / 4, 1024], Initializer::xavier_normal());
        let mut tensors = Vec::new();
        let error = loop {
            assert!(tensors.len() < 100, "memory never ended");
            match device.fill(&spec) {
                Ok(tensor) => tensors.push(tensor),
                Err(error) => break error,
            }
        };
        println!("after {} tensors: {error}", tensors.len());
        assert_error!(error, ErrorKind::OutOfMemory { .. }, "fill", "free buffers");
        tensors.clear();
        device.wait().unwrap();
        assert_works(&device);
    }
}
