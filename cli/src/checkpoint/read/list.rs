//! A tensor list: a JSON file in the form of a safetensors header,
//! {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.

use std::io::Read;

use anyhow::Context;
use gpu_init::DType;
use safetensors::Dtype;

use crate::checkpoint::format::dtypes;
use crate::checkpoint::format::metadata::LARGEST;
use crate::checkpoint::read::header::Header;
use crate::checkpoint::read::input;
use crate::checkpoint::read::shards::Checkpoint;

/// A model's tensors, in the source's order.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tensors: Vec<Entry>,
    /// Pairs of owner and alias that share data; both are among `tensors`.
    pub(crate) ties: Vec<(String, String)>,
    /// `architecture` in the source's `__metadata__`.
    pub(crate) architecture: Option<String>,
    /// The files with the tensors' bytes; none of a list.
    pub(crate) checkpoint: Option<Checkpoint>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// None if a list does not name it.
    pub(crate) dtype: Option<Dtype>,
    pub(crate) shape: Vec<usize>,
}

impl Entry {
    /// The type, if it can be filled.
    pub(crate) fn fillable(&self) -> Option<DType> {
        self.dtype.and_then(dtypes::fillable)
    }
}

pub(crate) fn read(from: impl Read) -> anyhow::Result<Source> {
    let hint = "a tensor list is {\"name\": {\"dtype\", \"shape\"}}";
    let text = input::text(from, LARGEST, hint).context("it cannot be read as JSON text")?;
    let header: Header = serde_json::from_str(&text)
        .context("it is not a tensor list {\"name\": {\"dtype\", \"shape\"}}")?;
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for (name, info) in header.tensors {
        let dtype = info.dtype.map(|text| dtype(&text)).transpose();
        let dtype = dtype.with_context(|| format!("tensor {name:?}"))?;
        tensors.push(Entry { name, dtype, shape: info.shape });
    }
    let architecture = header.metadata.get("architecture").cloned();
    Ok(Source { tensors, ties: Vec::new(), architecture, checkpoint: None })
}

/// People write lists, so `f32` and `float32` will do.
fn dtype(text: &str) -> anyhow::Result<Dtype> {
    text.parse().map(dtypes::stored).or_else(|_| dtypes::known(text))
}
