//! Writes the fill kernels as SPIR-V, as a Vulkan driver gets them, for tools that compile it: one file for each law
//! and element type into the folder named first, of the WGSL in the file named second, or else of this crate's.
//! `benches/machine_code.py` compiles them for an AMD GPU that need not be there.

#[path = "../tests/common/spirv.rs"]
mod spirv;

use std::path::Path;

use gpu_init::DType;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, sources) = match &arguments[..] {
        [folder] => (folder, spirv::sources().to_vec()),
        [folder, file] => (folder, vec![("file", std::fs::read_to_string(file)?)]),
        _ => return Err("usage: spirv FOLDER [FILE.wgsl]".into()),
    };
    for (multiply, wgsl) in &sources {
        for (law, distribution) in spirv::LAWS {
            for dtype in DType::ALL {
                let words = spirv::fill(wgsl, distribution, dtype);
                let path = Path::new(folder).join(format!("{law} {dtype} {multiply}.spv"));
                std::fs::write(path, bytemuck::cast_slice::<u32, u8>(&words))?;
            }
        }
    }
    Ok(())
}
