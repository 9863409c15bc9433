//! The tensors of a model: a JSON file in the form of a safetensors header,
//! {"name": {"dtype": "F32", "shape": [768, 768]}, ...}.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use gpu_init::DType;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

/// Largest file that is read: safetensors' own limit for a header.
const LARGEST: u64 = 100_000_000;

/// The list, in the file's order.
#[derive(Debug)]
pub(crate) struct TensorList {
    pub(crate) tensors: Vec<Entry>,
    /// `architecture` in the file's `__metadata__`.
    pub(crate) architecture: Option<String>,
}

/// One tensor.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
}

/// What the file says of a tensor. A header's `data_offsets` are not needed.
#[derive(Deserialize)]
struct Header {
    dtype: String,
    shape: Vec<usize>,
}

impl TensorList {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut text = String::new();
        let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
        let mut limited = BufReader::new(file).take(LARGEST + 1);
        limited.read_to_string(&mut text).with_context(|| format!("cannot read {shown} as JSON text"))?;
        if text.len() as u64 > LARGEST {
            bail!("{shown} has over {LARGEST} bytes; a tensor list is {{\"name\": {{\"dtype\", \"shape\"}}}}");
        }
        let list: TensorList = serde_json::from_str(&text)
            .with_context(|| format!("{shown} is no tensor list {{\"name\": {{\"dtype\", \"shape\"}}}}"))?;
        if list.tensors.is_empty() {
            bail!("{shown} lists no tensors");
        }
        Ok(list)
    }
}

impl<'de> Deserialize<'de> for TensorList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = TensorList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TensorList, A::Error> {
        let mut list = TensorList { tensors: Vec::new(), architecture: None };
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            // JSON lets a name come twice, and a map would keep one of them in silence.
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("the name {name:?} comes twice")));
            }
            if name == "__metadata__" {
                let metadata: serde_json::Value = map.next_value()?;
                list.architecture = metadata.get("architecture").and_then(|value| value.as_str()).map(str::to_owned);
                continue;
            }
            let header: serde_json::Value = map.next_value()?;
            let Header { dtype, shape } = Header::deserialize(&header)
                .map_err(|error| A::Error::custom(format_args!("tensor {name:?}: {error}")))?;
            let dtype = dtype.parse().map_err(|error| A::Error::custom(format_args!("tensor {name:?}: {error}")))?;
            list.tensors.push(Entry { name, dtype, shape });
        }
        Ok(list)
    }
}
