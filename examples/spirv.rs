//! Writes the fill kernels as SPIR-V, as a Vulkan driver gets them, for tools that compile it: one file for each law
//! and element type into the folder named first, of the WGSL in the file named second, or else of this crate's.
//! `benches/machine_code.py` compiles them for an AMD GPU that need not be there.

#[path = "../src/cli/bench/builtins.rs"]
mod builtins;
#[path = "../tests/common/spirv.rs"]
mod spirv;
#[path = "../tests/common/spirv_count.rs"]
mod spirv_count;

use std::path::Path;

use gpu_init::DType;

/// The kernel of normals with the transform that GPUs have built in.
const BUILT_INS: &str = "int64, built-ins";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, sources) = match &arguments[..] {
        [folder] => (folder, sources()),
        [folder, file] => (folder, vec![("file", std::fs::read_to_string(file)?)]),
        _ => return Err("usage: spirv FOLDER [FILE.wgsl]".into()),
    };
    for (name, wgsl) in &sources {
        for (law, distribution) in spirv::LAWS {
            if *name == BUILT_INS && law != "normal" {
                continue;
            }
            for dtype in DType::ALL {
                let words = spirv::fill(wgsl, distribution, dtype);
                // What an invocation fills, in stores of 16 bytes.
                let elements = spirv_count::count(&words).stores * 16 / dtype.size();
                let path = Path::new(folder).join(format!("{law} {dtype} {name}, {elements} elements.spv"));
                std::fs::write(path, bytemuck::cast_slice::<u32, u8>(&words))?;
            }
        }
    }
    Ok(())
}

/// This crate's, and what portable bits are measured beside.
fn sources() -> Vec<(&'static str, String)> {
    let [int64, limbs] = spirv::sources();
    let built_ins = builtins::shader(&int64.1).map(|wgsl| (BUILT_INS, wgsl));
    [int64, limbs].into_iter().chain(built_ins).collect()
}
