//! `--out FILE.npy`: written beside its place and moved there whole.

use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, bail};
use gpu_init::half::{bf16, f16};
use gpu_init::{DType, HostTensor};
use npyz::WriterBuilder;

use super::backend::Filled;

/// Elements read back at a time.
const PIECE: u64 = 1 << 24;

/// Fails early, before anything is computed, if `path` cannot be written.
pub(crate) fn check(path: &Path, force: bool) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("cannot write {}: it is a folder; name a file in it", path.display());
    }
    // What is written beside its place and moved there would replace a link, pipe or device, not write to it.
    if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        bail!("cannot write {}: it is not a regular file; name one", path.display());
    }
    if path.exists() && !force {
        bail!("{} exists; name another file, or pass --force to replace it", path.display());
    }
    if !folder(path).is_dir() {
        bail!("cannot write {}: there is no folder {}", path.display(), folder(path).display());
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Saves a tensor. BF16 has no .npy type: it is saved as its 16-bit words.
pub(crate) fn save(path: &Path, force: bool, shape: &[usize], tensor: &Filled, dtype: DType) -> anyhow::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
    let place = folder(path);
    let mut builder = tempfile::Builder::new();
    // A temporary file is private unless told; the umask still counts.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(place).with_context(|| format!("cannot write in {}", place.display()))?;
    let write = || -> anyhow::Result<()> {
        let file = BufWriter::with_capacity(1 << 20, temporary.as_file());
        match dtype {
            DType::F32 => pieces(file, &shape, tensor, |part| part.as_slice::<f32>().unwrap_or_default().to_vec()),
            DType::F16 => pieces(file, &shape, tensor, |part| part.as_slice::<f16>().unwrap_or_default().to_vec()),
            DType::BF16 => pieces(file, &shape, tensor, |part| {
                part.as_slice::<bf16>().unwrap_or_default().iter().map(|value| value.to_bits()).collect::<Vec<u16>>()
            }),
        }?;
        Ok(temporary.as_file().sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    let persisted = if force { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    persisted.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn pieces<T: npyz::AutoSerialize>(
    file: impl std::io::Write,
    shape: &[u64],
    tensor: &Filled,
    values: impl Fn(&HostTensor) -> Vec<T>,
) -> anyhow::Result<()> {
    let len: u64 = shape.iter().product();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
    for start in (0..len).step_by(PIECE as usize) {
        let part = tensor.read(start..len.min(start + PIECE))?;
        writer.extend(values(&part))?;
    }
    Ok(writer.finish()?)
}
