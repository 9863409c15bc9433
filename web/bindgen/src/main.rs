//! Writes the JavaScript and the types that go with a WebAssembly module.
//!
//! usage: bindgen MODULE.wasm FOLDER

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let [module, folder] = [1, 2].map(|n| std::env::args().nth(n));
    let (module, folder) = module.zip(folder).ok_or("usage: bindgen MODULE.wasm FOLDER")?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .web(true)?
        .typescript(true)
        .out_name("gpu_init")
        .generate(folder)?;
    Ok(())
}
