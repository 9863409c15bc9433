//! File formats by the extension of a file's name.

use std::path::Path;

use anyhow::ensure;

/// Extensions that stand for one format each. A file with another one may have any format.
const KNOWN: &str = "npy npz safetensors bin pt pth ckpt gguf ggml onnx h5 hdf5 msgpack pkl";

/// Fails if a file's extension stands for another format than `format`, the only one that `command`
/// writes.
pub(crate) fn check(path: &Path, command: &str, format: &str) -> anyhow::Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let other = match ending.as_str() {
        "npy" => ", or `gpu-init fill` for one tensor as .npy",
        "safetensors" => ", or `gpu-init model` for .safetensors",
        _ => "",
    };
    ensure!(
        ending == format || KNOWN.split(' ').all(|known| known != ending),
        "cannot write {}: `gpu-init {command}` writes .{format}; pass --out {}{other}",
        path.display(),
        path.with_extension(format).display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_other_formats_are_refused() {
        for (path, format, part) in [
            ("a/b.npy", "safetensors", "pass --out a/b.safetensors, or `gpu-init fill`"),
            ("b.SafeTensors", "npy", "pass --out b.npy, or `gpu-init model`"),
            ("b.bin", "safetensors", "pass --out b.safetensors"),
        ] {
            let error = check(Path::new(path), "model", format).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        for path in ["b", "b.safetensors", "B.SAFETENSORS", "llama-3.2", "npy", ".npy"] {
            check(Path::new(path), "model", "safetensors").unwrap();
        }
    }
}
