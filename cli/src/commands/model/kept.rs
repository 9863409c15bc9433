//! Tensors that are not filled: their bytes are those of the source.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, bail};
use gpu_init::{Fingerprint, Initializer, Plan, TensorSpec, stream_of};

use crate::checkpoint::format::dtypes::{element_bytes, fillable};
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::read::list::Entry;
use crate::checkpoint::read::measure::measure;
use crate::checkpoint::read::shard::Stored;
use crate::checkpoint::read::shards::Checkpoint;

/// Elements read at a time for a fingerprint.
const TOGETHER: u64 = 4 << 20;

/// A tensor of the source and the file that has it.
pub(super) struct Kept {
    pub(super) stored: Stored,
    path: PathBuf,
}

impl Kept {
    /// All tensors that the plan keeps; an error if the source has no bytes.
    pub(super) fn all(plan: &Plan, checkpoint: Option<&Checkpoint>) -> anyhow::Result<Vec<Self>> {
        let find = |kept: &gpu_init::KeptTensor| {
            let name = &kept.name;
            let Some(checkpoint) = checkpoint else {
                bail!(
                    "tensor {name:?} is to be kept, and a tensor list has no bytes; name a checkpoint as SOURCE, or \
                     give it a rule with another init, such as zeros"
                );
            };
            for shard in &checkpoint.shards {
                let names = [name].into_iter().chain(&kept.aliases);
                let mut stored =
                    names.filter_map(|name| shard.tensors.iter().find(|it| it.name == *name));
                if let Some(stored) = stored.next() {
                    let stored = Stored { name: name.clone(), ..stored.clone() };
                    return Ok(Kept { stored, path: shard.path.clone() });
                }
            }
            bail!(
                "tensor {name:?} is to be kept, and the source does not have it; please report this"
            )
        };
        plan.kept().iter().map(find).collect()
    }

    /// Reads a range of elements.
    pub(super) fn read(&self, elements: Range<u64>) -> anyhow::Result<Bytes> {
        let Stored { name, dtype, bytes, .. } = &self.stored;
        let size = element_bytes(*dtype);
        let range = bytes.start + elements.start * size..bytes.start + elements.end * size;
        Bytes::read(&self.path, range)
            .with_context(|| format!("cannot read tensor {name:?} of {}", self.path.display()))
    }

    /// The share of a range of elements in the model's fingerprint; zero of a type without one.
    pub(super) fn fingerprint(
        &self,
        elements: Range<u64>,
        bytes: &Bytes,
    ) -> anyhow::Result<Fingerprint> {
        let Stored { name, dtype, shape, .. } = &self.stored;
        let Some(dtype) = fillable(*dtype) else { return Ok(Fingerprint::default()) };
        let spec = TensorSpec::new(&shape[..], Initializer::zeros()).elements(elements);
        let (fingerprint, _) = measure(&spec.resolve(0, 0)?, dtype, bytes.as_slice());
        Ok(fingerprint.in_model(stream_of(name)))
    }

    /// The share of all elements.
    pub(super) fn whole_fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let elements = self.stored.size() / element_bytes(self.stored.dtype);
        let mut sum = Fingerprint::default();
        for start in (0..elements).step_by(TOGETHER as usize) {
            let range = start..elements.min(start + TOGETHER);
            sum += self.fingerprint(range.clone(), &self.read(range)?)?;
        }
        Ok(sum)
    }
}

/// Fails if a tensor that is to be filled has a type that cannot be.
pub(super) fn check_types(plan: &Plan, listed: &[Entry]) -> anyhow::Result<()> {
    let is_filled = |name: &String| {
        plan.entries().iter().any(|entry| entry.name == *name || entry.aliases.contains(name))
    };
    let unfit = listed.iter().find(|entry| entry.other.is_some() && is_filled(&entry.name));
    match unfit {
        Some(Entry { name, other: Some(other), .. }) => bail!(
            "tensor {name:?}: {other} cannot be filled; give it a rule with init = \"keep\", leave it out, or pass \
             --dtype f32, f16 or bf16 for all tensors"
        ),
        _ => Ok(()),
    }
}
