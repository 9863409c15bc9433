//! One .safetensors file: its header, read and checked against the file.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use safetensors::Dtype;

use crate::checkpoint::format::dtypes;
use crate::checkpoint::format::metadata::LARGEST;
use crate::checkpoint::read::header::{Header, Info};
use crate::checkpoint::read::input;

/// A file, its metadata and its tensors in the order of their data.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) path: PathBuf,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: Vec<Stored>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// The range of its bytes in the file.
    pub(crate) bytes: Range<u64>,
}

impl Stored {
    pub(crate) fn size(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

impl Shard {
    /// Reads the header only.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let file = input::open(path)?;
            let len = file.metadata()?.len();
            read_header(file, len)
        };
        let (metadata, tensors) =
            read().with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Shard { path: path.to_owned(), metadata, tensors })
    }
}

/// Metadata and tensors of a file of `len` bytes.
pub(crate) fn read_header(
    mut from: impl Read,
    len: u64,
) -> anyhow::Result<(BTreeMap<String, String>, Vec<Stored>)> {
    let mut prefix = [0; 8];
    from.read_exact(&mut prefix).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            anyhow::anyhow!("it has {len} bytes, and a .safetensors file at least 10; get it again")
        }
        _ => error.into(),
    })?;
    let header_len = u64::from_le_bytes(prefix);
    let after = len.saturating_sub(8);
    ensure!(
        header_len <= LARGEST,
        "its header would have {header_len} bytes, and safetensors allows {LARGEST}; is it a .safetensors file?"
    );
    ensure!(
        header_len <= after,
        "its header would have {header_len} bytes, and the file has {after} after the length; get it again"
    );
    let mut text = Vec::new();
    from.take(header_len).read_to_end(&mut text)?;
    let text = str::from_utf8(&text)
        .context("its header is not UTF-8 text; is it a .safetensors file?")?;
    let header: Header =
        serde_json::from_str(text).context("its header is not a safetensors header")?;
    let tensors = located(header.tensors, 8 + header_len, len)?;
    Ok((header.metadata, tensors))
}

/// The tensors in the order of their data, which fills the file from byte `start` to `end` without
/// gaps or overlaps.
fn located(tensors: Vec<(String, Info)>, start: u64, end: u64) -> anyhow::Result<Vec<Stored>> {
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, info) in tensors {
        let (dtype, bytes) =
            extent(&info, end - start).with_context(|| format!("tensor {name:?}"))?;
        let bytes = start + bytes.start..start + bytes.end;
        stored.push(Stored { name, dtype, shape: info.shape, bytes });
    }
    stored.sort_by_key(|tensor| (tensor.bytes.start, tensor.bytes.end));
    let mut next = start;
    for Stored { name, bytes, .. } in &stored {
        ensure!(
            bytes.start >= next,
            "tensor {name:?} overlaps the one before it; write the file again"
        );
        let gap = bytes.start - next;
        ensure!(
            gap == 0,
            "{gap} bytes before tensor {name:?} belong to no tensor; write the file again"
        );
        next = bytes.end;
    }
    let rest = end - next;
    ensure!(
        rest == 0,
        "{rest} bytes after the last tensor belong to no tensor; write the file again"
    );
    Ok(stored)
}

/// A tensor's type and the range of its data, if it is within the file and as long as the shape
/// needs.
fn extent(info: &Info, data: u64) -> anyhow::Result<(Dtype, Range<u64>)> {
    let Info { dtype, shape, data_offsets } = info;
    let dtype =
        dtypes::known(dtype.as_deref().context("missing field `dtype`; write the file again")?)?;
    let needed = dtypes::bytes(dtype, shape)?;
    let (start, end) =
        data_offsets.context("missing field `data_offsets`; write the file again")?;
    ensure!(
        start <= end && end <= data,
        "its data at {start}..{end} is not in the file, which has {data} bytes of data; get it again"
    );
    let has = end - start;
    ensure!(
        has == needed,
        "{dtype} of shape {shape:?} has {needed} bytes, and its data {has}; write the file again"
    );
    Ok((dtype, start..end))
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
