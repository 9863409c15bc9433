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
    /// None if a list does not name it, or it is no type to fill with.
    pub(crate) dtype: Option<DType>,
    /// The type that cannot be filled, as the source names it.
    pub(crate) other: Option<Dtype>,
    pub(crate) shape: Vec<usize>,
}

pub(crate) fn read(from: impl Read, asked: Option<DType>) -> anyhow::Result<Source> {
    let hint = "a tensor list is {\"name\": {\"dtype\", \"shape\"}}";
    let text = input::text(from, LARGEST, hint).context("it cannot be read as JSON text")?;
    let header: Header = serde_json::from_str(&text)
        .context("it is not a tensor list {\"name\": {\"dtype\", \"shape\"}}")?;
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for (name, info) in header.tensors {
        let listed = info.dtype.map(|text| listed(&text)).transpose();
        let (dtype, other) = match listed.with_context(|| format!("tensor {name:?}"))? {
            Some(Listed::Fillable(dtype)) => (Some(dtype), None),
            Some(Listed::Other(other)) => (asked, Some(other)),
            None => (asked, None),
        };
        tensors.push(Entry { name, dtype, other, shape: info.shape });
    }
    let architecture = header.metadata.get("architecture").cloned();
    Ok(Source { tensors, ties: Vec::new(), architecture, checkpoint: None })
}

enum Listed {
    Fillable(DType),
    Other(Dtype),
}

/// People write lists, so `f32` and `float32` will do.
fn listed(text: &str) -> anyhow::Result<Listed> {
    text.parse().map(Listed::Fillable).or_else(|_| dtypes::known(text).map(Listed::Other))
}
