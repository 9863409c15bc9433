//! Rank 0's list: for each tensor its shape and the file of each of its slices.

use anyhow::ensure;
use gpu_init::{Plan, PlanEntry, Shard};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::checkpoint::format::file_names::rank_file;
use crate::checkpoint::read::shard::Stored;
use crate::commands::model::kept::Kept;

/// The most slices of a list, which keeps it below the 1 GiB that `verify` reads.
const MOST: u64 = 6_000_000;

/// The list, written tensor by tensor.
#[derive(Serialize)]
pub(super) struct List<'a> {
    world_size: u64,
    total_size: u64,
    tensors: Tensors<'a>,
}

impl<'a> List<'a> {
    /// `kept` are whole tensors of rank 0.
    pub(super) fn new(whole: &'a Plan, kept: &'a [Kept], world: u64) -> anyhow::Result<Self> {
        let entries = whole.entries();
        let slices = entries.iter().map(|entry| ranks(entry, world));
        let slices = slices.fold(kept.len() as u64, u64::saturating_add);
        ensure!(
            slices <= MOST,
            "{world} processes would have {slices} slices of tensors, and a model's list holds {MOST}; use fewer"
        );
        let kept_size: u64 = kept.iter().map(|kept| kept.stored.size()).sum();
        let tensors = Tensors { entries, kept, world };
        Ok(List { world_size: world, total_size: whole.bytes() + kept_size, tensors })
    }
}

struct Tensors<'a> {
    entries: &'a [PlanEntry],
    kept: &'a [Kept],
    world: u64,
}

impl Serialize for Tensors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.entries.iter().map(|entry| (&entry.name, tensor(entry, self.world)));
        let kept = self.kept.iter().map(|Kept { stored, .. }| stored);
        let kept = kept.map(|stored| (&stored.name, whole(stored, self.world)));
        serializer.collect_map(entries.chain(kept))
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

/// A tensor that rank 0 has as a whole.
fn whole(Stored { dtype, shape, .. }: &Stored, world: u64) -> Value {
    let end = shape.first().copied().unwrap_or(1);
    let slice = json!({ "file": rank_file(0, world), "start": 0, "end": end });
    json!({ "shape": shape, "dtype": dtype.to_string(), "dim": 0, "slices": [slice] })
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
