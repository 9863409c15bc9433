//! Rank 0's list: for each tensor its shape and how it is divided among the ranks' files.

use gpu_init::{Plan, PlanEntry};
use serde::{Serialize, Serializer};

use crate::checkpoint::format::slices::Sliced;
use crate::commands::model::kept::Kept;

/// The list, written tensor by tensor.
#[derive(Serialize)]
pub(super) struct List<'a> {
    world_size: u64,
    total_size: u64,
    tensors: Tensors<'a>,
}

impl<'a> List<'a> {
    /// `kept` are whole tensors of rank 0.
    pub(super) fn new(whole: &'a Plan, kept: &'a [Kept], world: u64) -> Self {
        let kept_size: u64 = kept.iter().map(|kept| kept.stored.size()).sum();
        let tensors = Tensors { entries: whole.entries(), kept, world };
        List { world_size: world, total_size: whole.bytes() + kept_size, tensors }
    }
}

struct Tensors<'a> {
    entries: &'a [PlanEntry],
    kept: &'a [Kept],
    world: u64,
}

impl Serialize for Tensors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let divided = |entry| Sliced::divided(entry, self.world);
        let entries = self.entries.iter().map(|entry| (&entry.name, divided(entry)));
        let kept = self.kept.iter().map(|Kept { stored, .. }| stored);
        let kept = kept.map(|stored| (&stored.name, Sliced::whole(stored.dtype, &stored.shape)));
        serializer.collect_map(entries.chain(kept))
    }
}
