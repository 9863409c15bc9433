//! What only the inside of the crate can show: raw words from a device, broken shaders, shared
//! constants.

use std::collections::HashMap;

use crate::gpu::context::Context;
use crate::gpu::device::fastest;
use crate::gpu::kernels::Sources;
use crate::gpu::window::{FillEntry, FillParams, Window, WindowLimits, windows};
use crate::gpu::*;
use crate::spec::streams::Streams;
use crate::stream::philox::round_keys;
use crate::stream::philox::tests::known_answers;
use crate::stream::{philox, sample, truncated};
use crate::{Cpu, DType, Distribution, ErrorKind, Fill, Initializer, Result, TensorSpec, reduce};
use wgpu::naga;

#[path = "../../tests/common/skip.rs"]
mod skip;

/// A wgpu device, or `None` if there is no adapter and the skip was asked for.
pub(super) fn raw_device() -> Option<(wgpu::Device, wgpu::Queue)> {
    skip::or_skip(pollster::block_on(adapter::request("test", &DeviceOptions::default())))
}

/// A device with limits of its own, changed from those of the adapter.
pub(super) fn raw_device_with(
    change: impl FnOnce(&mut wgpu::Limits),
) -> Option<(wgpu::Device, wgpu::Queue)> {
    let (device, _) = raw_device()?;
    let mut limits = device.limits();
    change(&mut limits);
    let adapters = pollster::block_on(adapters());
    let adapter = &adapters[best_adapter(&adapters).unwrap()];
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    Some(pollster::block_on(adapter.request_device(&descriptor)).unwrap())
}

/// Every way to multiply, guarded; the way that GPUs have with Vulkan; and the one that the device
/// takes by itself.
pub(super) fn options(device: &wgpu::Device) -> Vec<DeviceOptions> {
    let guarded = |multiply| DeviceOptions {
        multiply: Some(multiply),
        mul_add: Some(FpGuard::NoReassociation),
        ..Default::default()
    };
    let unfused = DeviceOptions { mul_add: Some(FpGuard::NoContraction), ..Default::default() };
    multiplies(device).into_iter().map(guarded).chain([unfused, DeviceOptions::default()]).collect()
}

fn multiplies(device: &wgpu::Device) -> Vec<WideMul> {
    let int64 = device.features().contains(wgpu::Features::SHADER_INT64);
    [WideMul::Limbs].into_iter().chain(int64.then_some(WideMul::Int64)).collect()
}

fn target(device: &Device, bytes: u64) -> wgpu::Buffer {
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    device.inner.context.buffer_with("test", &vec![0xa5; bytes as usize], usage).unwrap()
}

/// The elements in the middle of memory that must stay as it is.
fn on_gpu(device: &Device, parameter: &TensorSpec, offset: u64) -> Vec<u8> {
    let bytes = parameter.resolve(0, 0).unwrap().bytes();
    let mut all = vec![0; (offset + bytes.next_multiple_of(4) + 8) as usize];
    let buffer = target(device, all.len() as u64);
    device.fill_into(parameter, &buffer, offset).unwrap();
    pollster::block_on(readback::read(&device.inner.context, "test", &buffer, 0, &mut all))
        .unwrap();
    let end = (offset + bytes) as usize;
    assert!(
        all[..offset as usize].iter().chain(&all[end..]).all(|&byte| byte == 0xa5),
        "bytes beside the tensor"
    );
    all[offset as usize..end].to_vec()
}

pub(super) fn compare(device: &Device, parameter: &TensorSpec, dtype: DType, offset: u64) {
    let (seed, stream) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
    let parameter = parameter.clone().seed(seed).stream(stream).dtype(dtype);
    let (expected, actual) =
        (Cpu::new().fill(&parameter).unwrap(), on_gpu(device, &parameter, offset));
    let (expected, size) = (expected.as_bytes(), dtype.size() as usize);
    let differing: Vec<_> = expected
        .chunks(size)
        .zip(actual.chunks(size))
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .collect();
    assert!(
        differing.is_empty(),
        "{parameter:?}: {} differ, first {:?}",
        differing.len(),
        differing[0]
    );
}

/// Both generators, by both multiplications, on the device, from the table that the CPU's test
/// reads.
#[test]
fn known_answers_on_the_device() {
    let Some((device, queue)) = raw_device() else { return };
    let context = Context::new(device, queue);
    const MAIN: &str = "
        struct Row { counter: vec4<u32>, keys: array<vec4<u32>, 5>, four: vec4<u32>, two: vec2<u32> }
        @group(0) @binding(0) var<storage, read_write> rows: array<Row>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3<u32>) {
            let r = rows[id.x];
            rows[id.x].four = philox4x32(r.counter, r.keys);
            rows[id.x].two = philox2x32(r.counter.xy, r.counter.z);
        }";
    /// `Row`: the last two words are padding.
    #[repr(C)]
    #[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
    struct Row {
        counter: [u32; 4],
        keys: [[u32; 4]; 5],
        four: [u32; 4],
        two: [u32; 4],
    }
    for multiply in multiplies(&context.device) {
        let source = shader::fill(multiply).split("const F32").next().unwrap().to_owned();
        let source = source + MAIN;
        let (four, two) = (known_answers("philox4x32"), known_answers("philox2x32"));
        let with_key = |row: &Vec<u32>| Row {
            counter: row[..4].try_into().unwrap(),
            keys: round_keys(u64::from(row[5]) << 32 | u64::from(row[4])),
            ..Row::default()
        };
        let mut rows: Vec<Row> = four.iter().map(with_key).collect();
        rows.extend(
            two.iter().map(|row| Row { counter: [row[0], row[1], row[2], 0], ..Row::default() }),
        );
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = context.buffer_with("test", bytemuck::cast_slice(&rows), usage).unwrap();
        let pipeline = context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &context.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.into()),
            }),
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let group = context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        let mut encoder = context.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(rows.len() as u32, 1, 1);
        }
        context.queue.submit([encoder.finish()]);
        pollster::block_on(readback::read(
            &context,
            "test",
            &buffer,
            0,
            bytemuck::cast_slice_mut(&mut rows),
        ))
        .unwrap();
        let (fours, twos) = rows.split_at(four.len());
        for (row, actual) in four.iter().zip(fours) {
            assert_eq!(row[6..], actual.four, "philox4x32 by {multiply:?}");
        }
        for (row, actual) in two.iter().zip(twos) {
            assert_eq!(row[3..], actual.two[..2], "philox2x32 by {multiply:?}");
        }
    }
}

/// Opens a device whose shaders have `from` replaced by `to`.
pub(super) fn open_broken(from: &str, to: &str) -> Option<Result<Device>> {
    let (device, queue) = raw_device()?;
    let sources = Sources::new(WideMul::Limbs, FpGuard::NoReassociation);
    let replace = |source: &String| source.replace(from, to);
    let broken = Sources {
        fill: replace(&sources.fill),
        fingerprint: replace(&sources.fingerprint),
        stats: replace(&sources.stats),
        gather: replace(&sources.gather),
        clear: replace(&sources.clear),
        diagonal: replace(&sources.diagonal),
        sparse: replace(&sources.sparse),
        orthogonal: replace(&sources.orthogonal),
    };
    assert_ne!(broken, sources, "{from} is no longer in the shaders");
    Some(pollster::block_on(Device::with_sources(
        device,
        queue,
        WideMul::Limbs,
        FpGuard::NoReassociation,
        broken,
        false,
    )))
}

/// What drivers have been seen to do, or might: each is found before a kernel's first use.
#[test]
fn a_driver_that_breaks_the_arithmetic_is_refused() {
    for (from, to, what) in [
        // A fused multiply-add: the product's own error (Dekker 1971) is not lost.
        (
            "return add_product(a * b, c);",
            "let p = a * b;
            let x = opaque(a * 4097.0); let ah = opaque(x - opaque(x - a)); let al = a - ah;
            let y = opaque(b * 4097.0); let bh = opaque(y - opaque(y - b)); let bl = b - bh;
            let e = opaque(opaque(opaque(opaque(ah * bh) - p) + opaque(ah * bl)) + opaque(al * bh)) + opaque(al * bl);
            let s = opaque(p + c); let z = opaque(s - p);
            return s + opaque(opaque(opaque(p - opaque(s - z)) + opaque(c - z)) + e);",
            "normal F32",
        ),
        // The built-in square root instead of our own.
        ("return mul_add(w, opaque(q * h), w);", "return sqrt(s);", "normal F32"),
        // A factor that is taken out of two sums of products, as Mesa does.
        ("exact_mul_add(low, inverse, opaque(high * inverse - 1.0f))", "(low + high) * inverse - 1.0f", "normal F32"),
        // A mean that is lost.
        ("add_product(values.x, scaling.shift)", "values.x", "normal F32"),
        // A zero without its sign.
        (
            "vec2<f32>(r * point.x, r * point.y)",
            "vec2<f32>(select(r * point.x, 0.0f, r == 0.0f), r * point.y)",
            "normal F32",
        ),
        // A multiplication that loses a carry.
        ("(middle >> 16u) + (carry >> 16u)", "(middle >> 16u)", "normal F32"),
        // Rounding halves up instead of to even.
        ("0x7fffu + ((bits >> 16u) & 1u)", "0x8000u", "normal BF16"),
        // Flushing the subnormal numbers of f16.
        ("let subnormal = bitcast<u32>", "let subnormal = 0u & bitcast<u32>", "normal F16"),
        // A comparison with a bound that is left out.
        ("value < low", "false", "truncated F32"),
        ("value > high", "false", "truncated F32"),
        // A place in a cubic that loses its last bit, and a cubic that is not the word's.
        ("bits & 0xfffffu", "bits & 0xffffeu", "truncated F32"),
        ("- SEGMENT_ONE + upper", "- SEGMENT_ONE + upper + u32(bits < 0x4d000000u)", "truncated F32"),
        // A wrong sign only where a slice starts inside a block.
        ("let next = values(", "let next = -values(", "normal F16"),
        // A constant that is rounded by itself.
        ("return vec4<f32>(part.shift);", "return vec4<f32>(part.shift * 1.001);", "constant F32"),
        // Reductions that lose a carry or a lane.
        ("a.y + b.y + u32(low < a.x)", "a.y + b.y", "fingerprint F32"),
        ("for (var half = LANES / 2u; half > 0u;", "for (var half = LANES / 2u; half > 1u;", "fingerprint F32"),
        ("low = min(low, ordered_key(bits));", "low = min(low, bits);", "stats F32"),
    ] {
        let Some(opened) = open_broken(from, to) else { return };
        match opened.and_then(|device| device.trust(probe::Group::all().into_iter())) {
            Err(error) if matches!(error.kind(), ErrorKind::WrongBits { .. }) => {
                let text = error.to_string();
                assert!(text.contains(what), "{text}");
                assert!(matches!(error.kind(), ErrorKind::WrongBits { expected, actual, .. } if expected != actual));
            }
            other => panic!("{from} -> {to}: {other:?}"),
        }
    }
}

/// Shaders that are guarded less are for drivers that a probe has shown right; one that is not gets
/// the guarded ones.
#[test]
fn multiply_adds_are_guarded_as_little_as_is_right() {
    let Some((device, queue)) = raw_device() else { return };
    for options in options(&device) {
        let opened =
            pollster::block_on(Device::from_wgpu_async(device.clone(), queue.clone(), &options))
                .unwrap();
        assert_eq!(opened.mul_add(), options.mul_add.unwrap_or(fastest(&device.adapter_info())));
    }
    let info = |name: &str, backend, device_type| {
        let name = name.to_owned();
        fastest(&wgpu::AdapterInfo {
            name,
            device_type,
            ..wgpu::AdapterInfo::new(device_type, backend)
        })
    };
    use wgpu::{Backend, DeviceType};
    assert_eq!(
        info("llvmpipe (LLVM 15.0.6, 256 bits)", Backend::Vulkan, DeviceType::Cpu),
        FpGuard::None
    );
    assert_eq!(info("some other", Backend::Vulkan, DeviceType::Cpu), FpGuard::NoContraction);
    assert_eq!(
        info("llvmpipe, a GPU", Backend::Vulkan, DeviceType::DiscreteGpu),
        FpGuard::NoContraction
    );
    for backend in [Backend::Metal, Backend::Dx12, Backend::Gl, Backend::BrowserWebGpu] {
        assert_eq!(info("any", backend, DeviceType::DiscreteGpu), FpGuard::NoReassociation);
    }
}

/// A driver that needs guards for some kernel alone has them from then on; one that was told
/// otherwise is an error.
#[test]
fn a_kernel_that_is_wrong_is_guarded() {
    let Some((device, queue)) = raw_device() else { return };
    let slice = TensorSpec::new([64, 64], Initializer::xavier_normal()).name("w").slice(1, 3..60);
    for mul_add in [FpGuard::None, FpGuard::NoContraction] {
        // A wrong sign in slices alone.
        let sources = Sources::new(WideMul::Limbs, mul_add);
        let fill = sources.fill.replace(
            "return (*block).values[index.x & 3u];",
            "return -(*block).values[index.x & 3u];",
        );
        assert_ne!(fill, sources.fill);
        let open = |may_fall_back| {
            let broken = Sources { fill: fill.clone(), ..sources.clone() };
            let opened = Device::with_sources(
                device.clone(),
                queue.clone(),
                WideMul::Limbs,
                mul_add,
                broken,
                may_fall_back,
            );
            pollster::block_on(opened).unwrap()
        };
        let told = open(false);
        let error = told.fill(&slice).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WrongBits { .. }));
        assert_eq!(told.mul_add(), mul_add);
        let free = open(true);
        assert_eq!(free.mul_add(), mul_add);
        assert_eq!(free.fill(&slice).unwrap().read().unwrap(), Cpu::new().fill(&slice).unwrap());
        assert_eq!(free.mul_add(), FpGuard::NoReassociation);
        let whole = TensorSpec::new([64, 64], Initializer::xavier_normal()).name("w");
        assert_eq!(free.fill(&whole).unwrap().read().unwrap(), Cpu::new().fill(&whole).unwrap());
    }
}

/// What is wrong in a kernel that few need is found when it is needed, and others may go on.
#[test]
fn a_kernel_is_probed_before_its_first_use() {
    let Some((device, queue)) = raw_device() else { return };
    let sources = Sources::new(WideMul::Limbs, FpGuard::NoReassociation);
    let stats =
        sources.stats.replace("low = min(low, ordered_key(bits));", "low = min(low, bits);");
    let fill = sources.fill.replace("0x7fffu + ((bits >> 16u) & 1u)", "0x8000u");
    let broken = Sources { stats, fill, ..sources };
    let device = pollster::block_on(Device::with_sources(
        device,
        queue,
        WideMul::Limbs,
        FpGuard::NoReassociation,
        broken,
        false,
    ))
    .unwrap();
    let wrong = |result: Result<()>, part: &str| match result {
        Err(error) if matches!(error.kind(), ErrorKind::WrongBits { .. }) => {
            assert!(error.to_string().contains(part), "{error}")
        }
        other => panic!("{part}: {other:?}"),
    };
    let parameter = TensorSpec::new([9, 9], Initializer::xavier_normal());
    let tensor = device.fill(&parameter).unwrap();
    wrong(tensor.stats().map(|_| ()), "stats F32");
    wrong(tensor.fingerprint().map(|_| ()), "stats F32");
    wrong(device.fill(&parameter.clone().dtype(DType::BF16)).map(|_| ()), "normal BF16");
    assert_eq!(
        device.fill(&TensorSpec::new([9, 9], Initializer::xavier_uniform())).unwrap().len(),
        81
    );
    assert_eq!(tensor.read().unwrap(), crate::Cpu::new().fill(&parameter).unwrap());
}

/// The same of small tensors that share a buffer, when the first are made.
#[test]
fn a_driver_that_breaks_many_at_once_is_refused() {
    for (from, to, what) in [
        ("4u * i + vec4<u32>(0u, 1u", "4u * i + vec4<u32>(1u, 1u", "normal F32"),
        ("return low | select", "return select", "normal F16"),
        ("at + 1u <", "at <", "constant BF16"),
        ("part, lane, PART_LANES)", "part, lane, PART_LANES - 1u)", "uniform F32"),
        ("table + at.index", "table + at.index + u32(table > 0u)", "truncated F32"),
    ] {
        let Some(opened) = open_broken(from, to) else { return };
        let device = opened.unwrap();
        let (distribution, dtype) = what.split_once(' ').unwrap();
        let initializer = match distribution {
            "normal" => Initializer::xavier_normal(),
            "uniform" => Initializer::xavier_uniform(),
            "constant" => Initializer::ones(),
            _ => Initializer::truncated_normal(0.0, 1.0, -1.0, 1.0),
        };
        let two = vec![TensorSpec::new([3, 3], initializer).dtype(dtype.parse().unwrap()); 2];
        match device.fill_all(&two) {
            Err(error) if matches!(error.kind(), ErrorKind::WrongBits { .. }) => {
                assert!(error.to_string().contains(what), "{error}")
            }
            other => panic!("{from} -> {to}: {other:?}"),
        }
        // By itself none needs that kernel.
        device.fill(&two[0]).unwrap();
    }
}

/// A kernel that only slices, or only slices of matrices, need.
#[test]
fn a_driver_that_breaks_slices_is_refused() {
    const FIRST: &str = "let a = slice_value(p.keys, part, slice_index(p.slice, n), &block)";
    let first: &str = &format!("{FIRST};");
    let slice = |initializer| TensorSpec::new([64, 64], initializer).slice(1, 2..7);
    let twice = |transform| format!("{FIRST} * select(1.0f, 2.0f, DISTRIBUTION == {transform});");
    let truncated = Initializer::truncated_normal(0.0, 1.0, -1.0, 1.0);
    for (from, to, parameter) in [
        (first, twice("NORMAL"), slice(Initializer::xavier_normal())),
        (first, twice("UNIFORM"), slice(Initializer::xavier_uniform())),
        (first, twice("TRUNCATED"), slice(truncated)),
        (first, twice("CONSTANT"), slice(Initializer::ones())),
        (
            "out[part.begin + i] = value;",
            "out[part.begin + i] = value + select(0u, 1u, DISTRIBUTION == CONSTANT);".to_owned(),
            slice(Initializer::sparse(0.5).std(1.0).unwrap()),
        ),
    ] {
        let Some(opened) = open_broken(from, &to) else { return };
        let device = opened.unwrap_or_else(|error| panic!("{to}: {error}"));
        match device.fill(&parameter) {
            Err(error) if matches!(error.kind(), ErrorKind::WrongBits { .. }) => {}
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error() {
    let Some(opened) = open_broken("fn root(", "fn root(;") else { return };
    let error = opened.unwrap_err();
    assert_eq!(error.operation(), "compile a shader");
    assert!(matches!(error.kind(), ErrorKind::Gpu { .. }), "{error:?}");
}

fn parse(source: &str) -> naga::Module {
    naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)))
}

fn portable_shaders() -> [String; 8] {
    let Sources { fill, fingerprint, stats, gather, clear, diagonal, sparse, orthogonal } =
        Sources::new(WideMul::Limbs, FpGuard::NoReassociation);
    [fill, fingerprint, stats, gather, clear, diagonal, sparse, orthogonal]
}

/// What `gpu-init shader` prints needs nothing that WebGPU does not have.
#[test]
fn portable_shaders_are_valid_webgpu() {
    for source in portable_shaders() {
        let capabilities = naga::valid::Capabilities::empty();
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        validator.validate(&parse(&source)).unwrap();
    }
}

/// Whether a function loops, or one that it calls.
fn loops(module: &naga::Module, function: &naga::Function) -> bool {
    fn block(module: &naga::Module, statements: &naga::Block) -> bool {
        use naga::Statement::{Block, Call, If, Loop, Switch};
        statements.iter().any(|statement| match statement {
            Loop { .. } => true,
            Call { function, .. } => loops(module, &module.functions[*function]),
            Block(inner) => block(module, inner),
            If { accept, reject, .. } => block(module, accept) || block(module, reject),
            Switch { cases, .. } => cases.iter().any(|case| block(module, &case.body)),
            _ => false,
        })
    }
    block(module, &function.body)
}

/// What a dispatch says of its loops (`Dispatch::iterations`) is 0 for all but these, which count
/// them.
#[test]
fn few_kernels_loop() {
    let mut looping = Vec::new();
    for module in portable_shaders().iter().map(|source| parse(source)) {
        let entries = module.entry_points.iter().filter(|entry| loops(&module, &entry.function));
        looping.extend(entries.map(|entry| entry.name.clone()));
    }
    let expected = [
        "fingerprint",
        "stats",
        "sparse",
        "reflect",
        "scale",
        "gram",
        "apply",
        "examine",
        "project",
        "update",
    ];
    looping.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(looping, expected);
}

/// Constants of a module by name, as bits.
fn constants(module: &naga::Module) -> HashMap<String, u32> {
    let constants = module.constants.iter().filter_map(|(_, constant)| {
        let bits = match module.global_expressions[constant.init] {
            naga::Expression::Literal(naga::Literal::U32(value)) => value,
            naga::Expression::Literal(naga::Literal::F32(value)) => value.to_bits(),
            _ => return None,
        };
        Some((constant.name.clone()?, bits))
    });
    constants.collect()
}

/// Every constant of the shaders is the one of the same name in Rust, and none is without a twin.
#[test]
fn shaders_and_rust_share_their_constants() {
    macro_rules! twins {
        ($module:ident: $($name:ident)*) => { [$((stringify!($name), f32_bits($module::$name))),*] };
    }
    trait Bits {
        fn bits(self) -> u32;
    }
    impl Bits for u32 {
        fn bits(self) -> u32 {
            self
        }
    }
    impl Bits for f32 {
        fn bits(self) -> u32 {
            self.to_bits()
        }
    }
    fn f32_bits(value: impl Bits) -> u32 {
        value.bits()
    }
    let philox = twins!(philox: PHILOX_M0 PHILOX_M1 PHILOX_W0 PHILOX2_M);
    let sample = twins!(sample: HIGH_BITS LOW_BITS BOTH_ONES RADIUS_SPLIT
        RADIUS_P0 RADIUS_P1 RADIUS_P2 RADIUS_P3 RADIUS_P4 RADIUS_P5 RADIUS_P6 RADIUS_P7
        SQRT_GUESS SQRT_Q1 SQRT_Q2 SQRT_Q3 SQRT_Q4
        SIN_S0 SIN_S1 SIN_S2 SIN_S3 COS_C1 COS_C2 COS_C3);
    let dtype =
        [("F32", DType::F32 as u32), ("F16", DType::F16 as u32), ("BF16", DType::BF16 as u32)];
    let transform = [
        ("NORMAL", window::Transform::Normal as u32),
        ("UNIFORM", window::Transform::Uniform as u32),
        ("CONSTANT", window::Transform::Constant as u32),
        ("TRUNCATED", window::Transform::Truncated as u32),
        ("SHIFTED_NORMAL", window::Transform::ShiftedNormal as u32),
    ];
    let truncated = [("SIDE", truncated::SIDE as u32), ("SEGMENT_ONE", truncated::SEGMENT_ONE)];
    let reduce = [("LANES", reduce::lanes::LANES as u32), ("CHUNK", reduce::lanes::CHUNK as u32)];
    let orthogonal = {
        use crate::distribution::orthogonal::{
            BLOCK, COLUMNS, HEADS, PARTS, RUN, SCALES, SIGNS, TILE, VECTORS,
        };
        let twins = [("BLOCK", BLOCK), ("COLUMNS", COLUMNS), ("PARTS", PARTS)];
        twins
            .into_iter()
            .chain([
                ("RUN", RUN),
                ("SIGNS", SIGNS),
                ("SCALES", SCALES),
                ("HEADS", HEADS),
                ("VECTORS", VECTORS),
                ("TILE", TILE),
            ])
            .map(|(name, n)| (name, n as u32))
    };
    let twins: HashMap<String, u32> = philox
        .into_iter()
        .chain(sample)
        .chain(dtype)
        .chain(transform)
        .chain(truncated)
        .chain(reduce)
        .chain(orthogonal)
        .chain([
            ("SELECTION", crate::distribution::sparse::SELECTION),
            ("PART_LANES", batch::PART_LANES),
        ])
        .map(|(name, bits)| (name.to_owned(), bits))
        .collect();
    let mut seen = HashMap::new();
    for source in portable_shaders() {
        seen.extend(constants(&parse(&source)));
    }
    assert_eq!(seen, twins);
}

/// Offsets of a struct's members, by name, and its size.
fn layout(module: &naga::Module, name: &str) -> (Vec<(String, u32)>, u32) {
    let (_, ty) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).unwrap();
    let naga::TypeInner::Struct { members, span } = &ty.inner else {
        panic!("{name} is no struct")
    };
    (members.iter().map(|member| (member.name.clone().unwrap(), member.offset)).collect(), *span)
}

#[test]
fn shaders_and_rust_share_their_struct_layouts() {
    use std::mem::offset_of;
    macro_rules! members {
        ($ty:ty: $($member:ident)*) => { vec![$((stringify!($member).to_owned(), offset_of!($ty, $member) as u32)),*] };
    }
    use crate::gpu::window::SliceParams;
    let fill =
        members!(FillParams: keys stream first begin count scale shift one zero low high slice);
    let slice =
        members!(SliceParams: origin inner_stride outer_stride inner_count inner_first run skip);
    let source = parse(&shader::fill(WideMul::Limbs));
    assert_eq!(layout(&source, "Params"), (fill, size_of::<FillParams>() as u32));
    assert_eq!(layout(&source, "Slice"), (slice, size_of::<SliceParams>() as u32));
    let part = members!(batch::Part: stream first begin entries count scale shift low high table);
    assert_eq!(
        layout(&parse(&shader::fill(WideMul::Limbs)), "Part"),
        (part, size_of::<batch::Part>() as u32)
    );
    type ReduceParams = crate::gpu::reduce::ReduceParams;
    let reduce = members!(ReduceParams: slice first begin count one zero);
    let stats = parse(&shader::stats());
    assert_eq!(layout(&stats, "Params"), (reduce.clone(), size_of::<ReduceParams>() as u32));
    assert_eq!(
        layout(&parse(&shader::fingerprint(WideMul::Limbs)), "Params"),
        (reduce, size_of::<ReduceParams>() as u32)
    );
    type OrthogonalParams = crate::gpu::orthogonal::OrthogonalParams;
    let orthogonal = members!(OrthogonalParams: keys stream rows columns quads first_matrix first_panel end_panel matrix
        block blocks at first count transposed tile width origin stride step here begin scale shift one zero);
    let source = shader::orthogonal(WideMul::Limbs, FpGuard::NoReassociation);
    assert_eq!(
        layout(&parse(&source), "Params"),
        (orthogonal, size_of::<OrthogonalParams>() as u32)
    );
    use crate::gpu::gather::GatherParams;
    let gather = members!(GatherParams: slice first available source_begin count begin);
    assert_eq!(layout(&parse(&shader::gather(WideMul::Limbs)), "Params").0, gather);
    use crate::gpu::place::{ClearParams, DiagonalParams, SparseParams};
    let clear = members!(ClearParams: slice first low high count begin);
    assert_eq!(
        layout(&parse(&shader::clear(WideMul::Limbs)), "Params"),
        (clear, size_of::<ClearParams>() as u32)
    );
    let diagonal = members!(DiagonalParams: origin inner_first inner_count inner_stride outer_stride count bits);
    assert_eq!(
        layout(&parse(&shader::diagonal()), "Params"),
        (diagonal, size_of::<DiagonalParams>() as u32)
    );
    let sparse = members!(SparseParams: keys stream rows columns zeros quads first_row end_row start count begin last);
    let source = shader::sparse(WideMul::Limbs);
    assert_eq!(layout(&parse(&source), "Params"), (sparse, size_of::<SparseParams>() as u32));
    type Chunk = crate::reduce::stats::Chunk;
    let chunk = members!(Chunk: finite nan infinite min max sum square);
    assert_eq!(layout(&stats, "Chunk"), (chunk, size_of::<Chunk>() as u32));
}

proptest::proptest! {
    /// The dispatches of a fill write each of its bytes once, and no other, inside what the device
    /// allows.
    #[test]
    fn windows_cover_a_fill_once(
        first in 0..2000u64,
        len in 1..300_000u64,
        offset in 0..1000u64,
        dtype in proptest::sample::select(DType::ALL.to_vec()),
        binding in 2..40u64,
        alignment in proptest::sample::select(vec![16u64, 32, 64, 256]),
        groups in 1..70_000u32,
    ) {
        let first = first + (1 << 34) - 1000;
        let distribution = Distribution::normal(0.0, 1.0, dtype).unwrap();
        let fill = Fill { operation: "test", distribution, dtype, seed: 1, stream: 2, first, len, runs: None, zeros: None };
        let limits = WindowLimits { binding: binding * 4096, alignment, groups };
        let offset = offset * 4;
        let mut next = (offset, first);
        for Window { kernel, params, offset: base, size, grid } in windows(&fill, offset, limits) {
            let unit = if kernel.entry == FillEntry::Entries { 16 } else { 4 };
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

/// A call that fails takes no stream from the next one.
#[test]
fn a_failed_call_takes_no_stream() {
    let streams = Streams::default();
    let next = |parameter: &TensorSpec| {
        streams.resolve(parameter).map(|fill| streams.take(parameter, fill))
    };
    assert!(next(&TensorSpec::new([3], Initializer::xavier_normal())).is_err());
    assert_eq!(next(&TensorSpec::new([3, 3], Initializer::xavier_normal())).unwrap().stream, 0);
    assert_eq!(
        next(&TensorSpec::new([3], Initializer::zeros()).name("b")).unwrap().stream,
        crate::stream_of("b")
    );
    assert_eq!(next(&TensorSpec::new([3, 3], Initializer::xavier_normal())).unwrap().stream, 1);
}
