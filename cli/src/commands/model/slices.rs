//! Rank 0's list: for each tensor its shape and the file of each of its slices.

use anyhow::bail;
use gpu_init::{PlanEntry, Shard};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::checkpoint::format::file_names::rank_file;
use crate::commands::model::work::Work;

/// The most slices of a list, which keeps it below the 1 GiB that `verify` reads.
const MOST: u64 = 6_000_000;

/// The list, written tensor by tensor.
pub(super) struct List<'a> {
    work: &'a Work<'a>,
    world: u64,
}

impl<'a> List<'a> {
    pub(super) fn new(work: &'a Work<'a>, world: u64) -> anyhow::Result<Self> {
        let slices: u64 = work
            .whole
            .entries()
            .iter()
            .map(|entry| ranks(entry, world))
            .fold(0, u64::saturating_add);
        if slices > MOST {
            bail!(
                "{world} processes would have {slices} slices of tensors, and a model's list holds {MOST}; use fewer"
            );
        }
        Ok(List { work, world })
    }
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("world_size", &self.world)?;
        map.serialize_entry("total_size", &self.work.whole.bytes())?;
        map.serialize_entry("tensors", &Tensors(self))?;
        map.end()
    }
}

struct Tensors<'a>(&'a List<'a>);

impl Serialize for Tensors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let List { work, world } = *self.0;
        serializer.collect_map(
            work.whole.entries().iter().map(|entry| (&entry.name, tensor(entry, world))),
        )
    }
}

fn tensor(entry: &PlanEntry, world: u64) -> Value {
    let (dim, len) = divided(entry);
    let slice = |rank| {
        let range = Shard { dim, rank, world }.range(len);
        json!({ "file": rank_file(rank, world), "start": range.start, "end": range.end })
    };
    let slices: Vec<Value> = (0..ranks(entry, world)).map(slice).collect();
    json!({ "shape": entry.spec.shape().dims(), "dtype": entry.fill.dtype.to_string(), "dim": dim, "slices": slices })
}

/// The divided dimension and its length; a scalar counts as one row, which is rank 0's.
fn divided(entry: &PlanEntry) -> (usize, u64) {
    let dim = entry.shard_dim.unwrap_or(0);
    (dim, entry.spec.shape().dims().get(dim).map_or(1, |&len| len as u64))
}

/// The number of ranks that have a slice of a tensor: the first ones.
fn ranks(entry: &PlanEntry, world: u64) -> u64 {
    let (dim, len) = divided(entry);
    let each = Shard { dim, rank: 0, world }.range(len).end;
    len.div_ceil(each.max(1))
}
