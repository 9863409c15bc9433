//! The JSON that lists tensors: a safetensors header, or a list in the same form.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::checkpoint::format::names;

/// A parsed header. Only names are checked.
#[derive(Debug)]
pub(crate) struct Header {
    /// In the order of the text.
    pub(crate) tensors: Vec<(String, Info)>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The header's entry of a tensor.
#[derive(Debug, Deserialize)]
pub(crate) struct Info {
    /// Optional in a list.
    pub(crate) dtype: Option<String>,
    pub(crate) shape: Vec<usize>,
    /// First byte and end, counted from the header's end. Optional in a list.
    pub(crate) data_offsets: Option<(u64, u64)>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header { tensors: Vec::new(), metadata: BTreeMap::new() };
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            unique(&mut seen, &name)?;
            if name == "__metadata__" {
                let metadata: Option<Unique> = map
                    .next_value()
                    .map_err(|error| A::Error::custom(format_args!("__metadata__: {error}")))?;
                header.metadata = metadata.map(|map| map.0).unwrap_or_default();
                continue;
            }
            names::check_tensor(&name).map_err(A::Error::custom)?;
            let info = map
                .next_value()
                .map_err(|error| A::Error::custom(format_args!("tensor {name:?}: {error}")))?;
            header.tensors.push((name, info));
        }
        Ok(header)
    }
}

/// JSON allows a name twice, and a map would silently keep one of the two.
fn unique<E: Error>(seen: &mut HashSet<String>, name: &str) -> Result<(), E> {
    if seen.insert(name.to_owned()) {
        return Ok(());
    }
    Err(E::custom(format_args!("the name {name:?} comes twice; rename or remove one")))
}

/// A map in which no name occurs twice.
#[derive(Debug)]
pub(crate) struct Unique<T = String>(pub(crate) BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor(PhantomData))
    }
}

struct UniqueVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for UniqueVisitor<T> {
    type Value = Unique<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<T>, A::Error> {
        let (mut values, mut seen) = (BTreeMap::new(), HashSet::new());
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            unique(&mut seen, &name)?;
            values.insert(name, value);
        }
        Ok(Unique(values))
    }
}
