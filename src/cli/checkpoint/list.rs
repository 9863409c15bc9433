//! A tensor list: a JSON file in the form of a safetensors header,
//! {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.

use std::io::{BufReader, Read};

use anyhow::{Context, bail};
use gpu_init::DType;

use super::header::Header;
use super::source::{Entry, Source};
use super::{LARGEST, dtypes};

/// The list, in the file's order.
pub(crate) fn read(from: impl Read, asked: Option<DType>) -> anyhow::Result<Source> {
    let mut text = String::new();
    BufReader::new(from.take(LARGEST + 1)).read_to_string(&mut text).context("it cannot be read as JSON text")?;
    if text.len() as u64 > LARGEST {
        bail!("it has over {LARGEST} bytes; a tensor list is {{\"name\": {{\"dtype\", \"shape\"}}}}");
    }
    let header: Header =
        serde_json::from_str(&text).context("it is no tensor list {\"name\": {\"dtype\", \"shape\"}}")?;
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for (name, info) in header.tensors {
        let dtype = dtype(&info.dtype, asked).with_context(|| format!("tensor {name:?}"))?;
        tensors.push(Entry { name, dtype, shape: info.shape });
    }
    let architecture = header.metadata.get("architecture").cloned();
    Ok(Source { tensors, architecture })
}

/// People write lists, so `f32` and `float32` will do.
fn dtype(text: &str, asked: Option<DType>) -> anyhow::Result<DType> {
    match text.parse() {
        Ok(dtype) => Ok(asked.unwrap_or(dtype)),
        Err(_) => dtypes::to_fill(dtypes::known(text)?, asked),
    }
}
