//! The fill shader as drivers' compilers get it, translated without a device.

use gpu_init::wgpu::naga::Module;
use gpu_init::wgpu::naga::back::{pipeline_constants::process_overrides, spv};
use gpu_init::wgpu::naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use gpu_init::wgpu::naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use gpu_init::wgpu::naga::{ShaderStage, front::wgsl};
use gpu_init::{DType, FpGuard, WideMul, shader};

/// The values of `DISTRIBUTION` in `fill.wgsl`.
pub const DISTRIBUTIONS: [(&str, u32); 4] =
    [("normal", 0), ("uniform", 1), ("truncated", 3), ("shifted normal", 4)];

/// The entry point `fill`.
pub const ENTRY: (ShaderStage, &str) = (ShaderStage::Compute, "fill");

/// The checks on devices that bound accesses to buffers themselves, as all of today's GPUs do.
pub const BOUNDS_CHECKS: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Restrict,
    buffer: BoundsCheckPolicy::Unchecked,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// `wgsl` with a kernel's overrides, and naga's information on it.
pub fn module(wgsl: &str, distribution: u32, dtype: DType) -> (Module, ModuleInfo) {
    let module =
        wgsl::parse_str(wgsl).unwrap_or_else(|error| panic!("{}", error.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64)
        .validate(&module)
        .unwrap();
    let constants =
        [("DISTRIBUTION", distribution), ("DTYPE", dtype as u32), ("WORKGROUP_SIZE", 256)];
    let constants =
        constants.map(|(name, value)| (name.to_owned(), f64::from(value))).into_iter().collect();
    let (module, info) = process_overrides(&module, &info, Some(ENTRY), &constants).unwrap();
    (module.into_owned(), info.into_owned())
}

/// The entry point `fill` of `wgsl` as SPIR-V words, as wgpu gives them to a Vulkan driver.
pub fn spirv(wgsl: &str, distribution: u32, dtype: DType) -> Vec<u32> {
    let (module, info) = module(wgsl, distribution, dtype);
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BOUNDS_CHECKS,
        ..spv::Options::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ENTRY.0, entry_point: ENTRY.1.to_owned() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap()
}

/// The fill shader by its wide multiplication: for GPUs with Vulkan, and for any device.
pub fn sources() -> [(&'static str, String); 2] {
    [
        ("int64", shader::fill(WideMul::Int64, FpGuard::NoContraction)),
        ("limbs", shader::fill(WideMul::Limbs, FpGuard::NoReassociation)),
    ]
}
