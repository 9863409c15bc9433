//! Drivers that break the arithmetic, by shaders that are broken on purpose.

use crate::error::During;
use crate::gpu::device::{Device, fastest};
use crate::gpu::engine::adapter::{adapters, best_adapter};
use crate::gpu::engine::kernel::Transform;
use crate::gpu::self_test::group::Group;
use crate::gpu::tests::{
    assert_wrong, batch, device, open_broken, open_patched, open_with, options, raw_device,
};
use crate::gpu::wgsl::{AddressSpace, Arithmetic, FpGuard, HalfRounding, Variant, WideMul};
use crate::{Cpu, DType, ErrorKind, Initializer, TensorSpec};
use DType::{BF16, F16, F32};

/// What drivers have been seen to do, or might: each is found before the first use of a kernel that
/// it breaks.
#[test]
fn a_driver_that_breaks_the_arithmetic_is_refused() {
    use Group::{Fill, Reduce};
    use Transform::{Constant, Normal, ShiftedNormal, Truncated};
    for (from, to, group, what) in [
        // A fused multiply-add: the product's own error (Dekker 1971) is not lost.
        (
            "return add_product(a * b, c);",
            "let p = a * b;
            let x = opaque(a * 4097.0); let ah = opaque(x - opaque(x - a)); let al = a - ah;
            let y = opaque(b * 4097.0); let bh = opaque(y - opaque(y - b)); let bl = b - bh;
            let e = opaque(opaque(opaque(opaque(ah * bh) - p) + opaque(ah * bl)) + opaque(al * bh)) + opaque(al * bl);
            let s = opaque(p + c); let z = opaque(s - p);
            return s + opaque(opaque(opaque(p - opaque(s - z)) + opaque(c - z)) + e);",
            Fill(F32, Normal), "normal F32",
        ),
        // An integer that becomes a float towards zero.
        (
            "f32(bitcast<i32>((word << 2u) + 2u))",
            "f32(bitcast<i32>((word << 2u) + 2u) / 128 * 128)",
            Fill(F32, Normal), "normal F32",
        ),
        // The built-in square root instead of our own.
        ("return mul_add(w, opaque(q * h), w);", "return sqrt(s);", Fill(F32, Normal), "normal F32"),
        // A factor that is taken out of two sums of products, as Mesa does.
        ("exact_mul_add(low, inverse, opaque(high * inverse - 1.0f))", "(low + high) * inverse - 1.0f", Fill(F32, Normal), "normal F32"),
        // A mean that is lost.
        ("add_product(values.x, scaling.shift)", "values.x", Fill(F32, ShiftedNormal), "normal F32"),
        // A zero without its sign.
        (
            "vec2<f32>(r * point.x, r * point.y)",
            "vec2<f32>(select(r * point.x, 0.0f, r == 0.0f), r * point.y)",
            Fill(F32, Normal), "normal F32",
        ),
        // A multiplication that loses a carry.
        ("(middle >> 16u) + (carry >> 16u)", "(middle >> 16u)", Fill(F32, Normal), "normal F32"),
        // Rounding halves up instead of to even.
        ("0x7fffu + ((bits >> 16u) & 1u)", "0x8000u", Fill(BF16, Normal), "normal BF16"),
        // Flushing the subnormal numbers of f16.
        ("let subnormal = bitcast<u32>", "let subnormal = 0u & bitcast<u32>", Fill(F16, Normal), "normal F16"),
        // A comparison with a bound that is left out.
        ("value < low", "false", Fill(F32, Truncated), "truncated F32"),
        ("value > high", "false", Fill(F32, Truncated), "truncated F32"),
        // A place in a cubic that loses its last bit, and a cubic that is not the word's.
        ("bits & 0xfffffu", "bits & 0xffffeu", Fill(F32, Truncated), "truncated F32"),
        ("- SEGMENT_ONE + upper", "- SEGMENT_ONE + upper + u32(bits < 0x4d000000u)", Fill(F32, Truncated), "truncated F32"),
        // A wrong sign only where a slice starts inside a block.
        ("let next = values(", "let next = -values(", Fill(F16, Normal), "normal F16"),
        // A constant that is rounded by itself.
        ("return vec4<f32>(part.shift);", "return vec4<f32>(part.shift * 1.001);", Fill(F32, Constant), "constant F32"),
        // A sum that loses a carry, and reductions that lose a lane.
        ("a.y + b.y + u32(low < a.x)", "a.y + b.y", Fill(F32, Normal), "normal F32"),
        ("for (var half = LANES / 2u; half > 0u;", "for (var half = LANES / 2u; half > 1u;", Reduce(F32), "fingerprint F32"),
        ("low = min(low, ordered_key(bits));", "low = min(low, bits);", Reduce(F32), "summary F32"),
    ] {
        let Some(opened) = open_broken(from, to) else { return };
        let verify =
            |device: Device| pollster::block_on(device.verify([group].into_iter())).during("test");
        assert_wrong(opened.and_then(verify), what);
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
        assert_eq!(opened.fp_guard(), options.fp_guard.unwrap_or(fastest(&device.adapter_info())));
    }
    use wgpu::{Backend, DeviceType};
    let guard = |name: &str, backend, device_type| {
        let info = wgpu::AdapterInfo::new(device_type, backend);
        fastest(&wgpu::AdapterInfo { name: name.to_owned(), ..info })
    };
    let llvmpipe = "llvmpipe (LLVM 15.0.6, 256 bits)";
    assert_eq!(guard(llvmpipe, Backend::Vulkan, DeviceType::Cpu), FpGuard::None);
    for (name, device_type) in
        [("some other", DeviceType::Cpu), ("llvmpipe, a GPU", DeviceType::DiscreteGpu)]
    {
        assert_eq!(guard(name, Backend::Vulkan, device_type), FpGuard::NoContraction);
    }
    for backend in [Backend::Metal, Backend::Dx12, Backend::Gl, Backend::BrowserWebGpu] {
        assert_eq!(guard("any", backend, DeviceType::DiscreteGpu), FpGuard::NoReassociation);
    }
}

/// A driver that needs guards for some kernel alone has them from then on; where the guard was
/// set, that is an error. From the least guard on with which the driver's other kernels are right:
/// with less it cannot be opened.
#[test]
fn a_kernel_that_is_wrong_is_guarded() {
    let Some(device) = device() else { return };
    let whole = TensorSpec::new([64, 64], Initializer::xavier_normal()).name("w");
    let slice = whole.clone().slice(1, 3..60);
    let guards = [FpGuard::None, FpGuard::NoContraction];
    for fp_guard in guards.into_iter().skip_while(|&guard| guard != device.fp_guard()) {
        // A wrong sign in slices alone.
        let (right, wrong) =
            ("return (*block).values[index.x & 3u];", "return -(*block).values[index.x & 3u];");
        let open = |may_fall_back| {
            open_patched(fp_guard, may_fall_back, &[(right, wrong)]).unwrap().unwrap()
        };
        let fixed = open(false);
        assert_wrong(fixed.fill(&slice), "normal F32");
        assert_eq!(fixed.fp_guard(), fp_guard);
        let free = open(true);
        assert_eq!(free.fp_guard(), fp_guard);
        assert_eq!(free.fill(&slice).unwrap().read().unwrap(), Cpu::new().fill(&slice).unwrap());
        assert_eq!(free.fp_guard(), FpGuard::NoReassociation);
        assert_eq!(free.fill(&whole).unwrap().read().unwrap(), Cpu::new().fill(&whole).unwrap());
    }
}

/// Drivers that run on the CPU read tables from uniform buffers, GPUs from storage. Either has the
/// same bits, and is found where it has not.
#[test]
fn tables_are_read_in_either_address_space() {
    let Some(device) = device() else { return };
    let truncated = TensorSpec::new([64, 64], Initializer::truncated_normal(0.0, 1.0, -2.0, 2.0));
    let variant = Variant::portable(WideMul::Limbs, FpGuard::NoReassociation);
    for tables in [AddressSpace::Storage, AddressSpace::Uniform] {
        let open =
            |patches: &[_]| open_with(Variant { tables, ..variant }, false, patches).unwrap();
        batch::check(&open(&[]).unwrap());
        let wrong = open(&[("tables[table + at.index]", "tables[table + at.index / 2u]")]).unwrap();
        assert_wrong(wrong.fill(&truncated), "truncated F32");
    }
    let is_software = device.wgpu_device().adapter_info().device_type == wgpu::DeviceType::Cpu;
    let expected = if is_software { AddressSpace::Uniform } else { AddressSpace::Storage };
    assert_eq!(device.inner.engine.pipelines.tables(), expected);
}

/// Half-width types are rounded by float instructions where these prove right, and in integers
/// where they do not or values are too large for them. The guard stays.
#[test]
fn half_widths_are_rounded_by_floats_where_that_is_right() {
    let adapters = pollster::block_on(adapters());
    let Some(number) = best_adapter(&adapters) else { return };
    let flags = adapters[number].get_downlevel_capabilities().flags;
    let Some(device) = device() else { return };
    if device.fp_guard() == FpGuard::NoReassociation
        || !flags.contains(wgpu::DownlevelFlags::SHADER_F16_IN_F32)
    {
        return;
    }
    use HalfRounding::{Floats, Integers};
    let fp_guard = FpGuard::NoContraction;
    let open = |patches: &[_]| {
        let arithmetic = Arithmetic { fp_guard, half_rounding: Floats };
        let variant = Variant { arithmetic, ..Variant::portable(WideMul::Limbs, fp_guard) };
        open_with(variant, false, patches).unwrap().unwrap()
    };
    let rounding = |device: &Device| {
        let arithmetic = device.inner.engine.pipelines.arithmetic();
        assert_eq!(arithmetic.fp_guard, fp_guard);
        arithmetic.half_rounding
    };
    let is_right = |device: &Device, dtype, std| {
        let initializer = Initializer::normal(0.0, std);
        let spec = TensorSpec::new([77, 91], initializer).dtype(dtype).name("w");
        assert_eq!(device.fill(&spec).unwrap().read().unwrap(), Cpu::new().fill(&spec).unwrap());
        rounding(device)
    };
    let good = open(&[]);
    pollster::block_on(good.verify(Group::all().into_iter())).unwrap();
    // SwiftShader need not be right.
    if !good.name().contains("SwiftShader") {
        for (dtype, std) in [(F16, 0.02), (BF16, 0.02), (BF16, 1e-23), (BF16, 1e32)] {
            assert_eq!(is_right(&good, dtype, std), Floats, "{dtype}, {std}");
        }
    }
    assert_eq!(is_right(&good, BF16, 1e37), Integers);
    assert_eq!(is_right(&good, BF16, 0.02), Integers);
    // Towards zero, which is half of the time the next number; and a step that is lost.
    let pack = "return pack2x16float(vec2<f32>(a, b));";
    for (dtype, right, wrong) in [
        (F16, pack, "return pack2x16float(vec2<f32>(a, b)) & 0xfffefffeu;"),
        (BF16, "65536.0f, -value)", "65537.0f, -value)"),
    ] {
        assert_eq!(is_right(&open(&[(right, wrong)]), dtype, 0.02), Integers, "{dtype}");
    }
}

/// What is wrong in a kernel that few need is found when it is needed, and others go on working.
#[test]
fn a_kernel_is_verified_before_its_first_use() {
    let patches = [
        ("low = min(low, ordered_key(bits));", "low = min(low, bits);"),
        ("0x7fffu + ((bits >> 16u) & 1u)", "0x8000u"),
    ];
    let Some(opened) = open_patched(FpGuard::NoReassociation, false, &patches) else { return };
    let device = opened.unwrap();
    let [normal, uniform] = [Initializer::xavier_normal(), Initializer::xavier_uniform()]
        .map(|initializer| TensorSpec::new([9, 9], initializer));
    let tensor = device.fill(&normal).unwrap();
    assert_wrong(tensor.stats(), "summary F32");
    assert_wrong(tensor.fingerprint(), "summary F32");
    assert_wrong(device.fill(&normal.clone().dtype(DType::BF16)), "normal BF16");
    assert_eq!(device.fill(&uniform).unwrap().len(), 81);
    assert_eq!(tensor.read().unwrap(), Cpu::new().fill(&normal).unwrap());
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
        assert_wrong(device.fill_all(&two), what);
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
    for (from, to, parameter, what) in [
        (first, twice("NORMAL"), slice(Initializer::xavier_normal()), "normal F32"),
        (first, twice("UNIFORM"), slice(Initializer::xavier_uniform()), "uniform F32"),
        (first, twice("TRUNCATED"), slice(truncated), "truncated F32"),
        (first, twice("CONSTANT"), slice(Initializer::ones()), "constant F32"),
        (
            "out[part.begin + i] = value;",
            "out[part.begin + i] = value + select(0u, 1u, DISTRIBUTION == CONSTANT);".to_owned(),
            slice(Initializer::sparse(0.5).std(1.0).unwrap()),
            "constant F32",
        ),
    ] {
        let Some(opened) = open_broken(from, &to) else { return };
        assert_wrong(opened.unwrap().fill(&parameter), what);
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error() {
    let Some(opened) = open_broken("fn root(", "fn root(;") else { return };
    let error = opened.unwrap_err();
    assert_eq!(error.operation(), "open a device");
    assert!(matches!(error.kind(), ErrorKind::Gpu { .. }), "{error:?}");
}
