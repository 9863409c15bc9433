//! Writes the fill kernels for tools that compile them: for each distribution and element type one
//! file of SPIR-V, as a Vulkan driver gets it, and one of Metal's C++.
//!
//! The first argument is the folder to write to, the second a file of WGSL to use instead of this
//! crate's. `benches/machine_code.py` compiles the files for AMD and NVIDIA GPUs that need not be
//! installed.

#[path = "../../cli/src/commands/bench/builtins.rs"]
mod builtins;
#[path = "../../tests/common/compiled.rs"]
mod compiled;
#[path = "../../tests/common/spirv_count.rs"]
mod spirv_count;

use std::path::Path;

use gpu_init::DType;
use naga::back::msl;

/// The kernel of normals with the GPU's built-in functions.
const BUILT_INS: &str = "int64, built-ins";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, sources) = match &arguments[..] {
        [folder] => (folder, sources()),
        [folder, file] => (folder, vec![("file", std::fs::read_to_string(file)?)]),
        _ => return Err("usage: kernels FOLDER [FILE.wgsl]".into()),
    };
    std::fs::create_dir_all(folder)?;
    for (name, wgsl) in &sources {
        for (label, distribution) in compiled::DISTRIBUTIONS {
            if *name == BUILT_INS && label != "normal" {
                continue;
            }
            for dtype in DType::SAMPLED {
                let words = compiled::spirv(wgsl, distribution, dtype);
                // Elements per invocation, which stores 16 bytes at a time.
                let elements = spirv_count::count(&words).stores * 16 / dtype.size();
                let path =
                    Path::new(folder).join(format!("{label} {dtype} {name}, {elements} elements"));
                std::fs::write(
                    path.with_extension("spv"),
                    bytemuck::cast_slice::<u32, u8>(&words),
                )?;
                std::fs::write(path.with_extension("metal"), metal(wgsl, distribution, dtype)?)?;
            }
        }
    }
    Ok(())
}

/// The entry point `fill` of `wgsl` in Metal's C++, the language of naga's that is nearest to CUDA's.
fn metal(wgsl: &str, distribution: u32, dtype: DType) -> Result<String, msl::Error> {
    let (module, info) = compiled::module(wgsl, distribution, dtype);
    let options = msl::Options {
        lang_version: (3, 0),
        fake_missing_bindings: true,
        bounds_check_policies: compiled::BOUNDS_CHECKS,
        ..Default::default()
    };
    let (stage, entry) = compiled::ENTRY;
    let pipeline =
        msl::PipelineOptions { entry_point: Some((stage, entry.to_owned())), ..Default::default() };
    Ok(msl::write_string(&module, &info, &options, &pipeline)?.0)
}

/// This crate's WGSL, and the kernel with built-in functions to compare it with.
fn sources() -> Vec<(&'static str, String)> {
    let [int64, limbs] = compiled::sources();
    let built_ins = builtins::shader(&int64.1).map(|wgsl| (BUILT_INS, wgsl));
    [int64, limbs].into_iter().chain(built_ins).collect()
}
