//! A shard's header as bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::checkpoint::format::metadata::LARGEST;
use crate::checkpoint::write::shard::Shard;

/// The header with its length before it, and where the values of its metadata are in the file.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) bytes: Vec<u8>,
    values: BTreeMap<String, Range<usize>>,
}

impl Header {
    /// The offset of a metadata value and the bytes to write there, which must be as many as the
    /// old ones.
    pub(crate) fn patch(&self, key: &str, value: &str) -> anyhow::Result<(u64, Vec<u8>)> {
        let range = self.values.get(key);
        let range = range.with_context(|| format!("__metadata__ has no {key:?} to fill in"))?;
        let bytes = quoted(value).into_bytes();
        let (has, is) = (range.len(), bytes.len());
        ensure!(
            is == has,
            "__metadata__ has {has} bytes for {key:?}, and its value is {is}; reserve as many"
        );
        Ok((range.start as u64, bytes))
    }
}

/// The header of a shard whose tensors lie one after the other.
pub(crate) fn header(metadata: &BTreeMap<String, String>, shard: &Shard) -> anyhow::Result<Header> {
    // The length is written at the front once it is known.
    let (mut text, mut values) = ("\0".repeat(8) + "{\"__metadata__\":{", BTreeMap::new());
    for (i, (key, value)) in metadata.iter().enumerate() {
        text += if i == 0 { "" } else { "," };
        text += &(quoted(key) + ":");
        let start = text.len();
        text += &quoted(value);
        values.insert(key.clone(), start..text.len());
    }
    text.push('}');
    let mut start = 0;
    for member in &shard.tensors {
        let end = start + member.bytes;
        let info = json!({ "dtype": member.dtype.to_string(), "shape": member.shape, "data_offsets": [start, end] });
        text += &format!(",{}:{info}", quoted(&member.name));
        start = end;
    }
    text.push('}');
    // Data starts at a multiple of 8.
    let padded = text.len().next_multiple_of(8);
    text += &" ".repeat(padded - text.len());
    let (mut bytes, len) = (text.into_bytes(), padded as u64 - 8);
    ensure!(
        len <= LARGEST,
        "the header of {} would have {len} bytes, and safetensors allows {LARGEST}; write smaller shards",
        shard.destination.path().display()
    );
    bytes[..8].copy_from_slice(&len.to_le_bytes());
    Ok(Header { bytes, values })
}

/// Quotes text as a JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
