//! What wgpu gives a Vulkan driver of a shader, made without a device.

use gpu_init::wgpu::naga::back::{pipeline_constants::process_overrides, spv};
use gpu_init::wgpu::naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use gpu_init::wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use gpu_init::wgpu::naga::{ShaderStage, front::wgsl};
use gpu_init::{DType, Multiply, shader};

/// What `DISTRIBUTION` in `fill.wgsl` can be.
pub const LAWS: [(&str, u32); 3] = [("normal", 0), ("uniform", 1), ("truncated", 3)];

/// The entry point `fill` of `wgsl` as SPIR-V words.
pub fn fill(wgsl: &str, law: u32, dtype: DType) -> Vec<u32> {
    let module = wgsl::parse_str(wgsl).unwrap_or_else(|error| panic!("{}", error.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64).validate(&module).unwrap();
    let constants = [("DISTRIBUTION", law), ("DTYPE", dtype as u32), ("WORKGROUP_SIZE", 256)];
    let constants = constants.map(|(name, value)| (name.to_owned(), f64::from(value))).into_iter().collect();
    let entry = (ShaderStage::Compute, "fill");
    let (module, info) = process_overrides(&module, &info, Some(entry), &constants).unwrap();
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        // As on devices that keep accesses within a buffer themselves, which all of today's GPUs do.
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        ..spv::Options::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: entry.0, entry_point: entry.1.to_owned() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap()
}

/// The fill shader by how it multiplies.
pub fn sources() -> [(&'static str, String); 2] {
    [("int64", shader::fill(Multiply::Int64)), ("limbs", shader::fill(Multiply::Limbs))]
}
