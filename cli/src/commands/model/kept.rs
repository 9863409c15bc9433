//! Tensors that are not filled: their bytes are those of the source.

use std::collections::HashMap;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use gpu_init::{Fingerprint, Initializer, KeptTensor, Plan, TensorSpec, stream_of};

use crate::backend::units::{UNIT, measure};
use crate::checkpoint::format::dtypes::{element_bytes, fillable};
use crate::checkpoint::read::blocks::Block;
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::read::input;
use crate::checkpoint::read::list::Entry;
use crate::checkpoint::read::shard::Stored;
use crate::checkpoint::read::shards::Checkpoint;

/// A tensor of the source and the file that has it.
pub(super) struct Kept {
    pub(super) stored: Stored,
    path: PathBuf,
}

impl Kept {
    /// All tensors that the plan keeps; an error if the source has no bytes.
    pub(super) fn all(plan: &Plan, checkpoint: Option<&Checkpoint>) -> anyhow::Result<Vec<Self>> {
        let shards = checkpoint.iter().flat_map(|checkpoint| &checkpoint.shards);
        let stored = shards.flat_map(|shard| shard.tensors.iter().map(move |it| (&shard.path, it)));
        let by_name: HashMap<_, _> = stored.map(|(path, it)| (&*it.name, (path, it))).collect();
        let find = |kept: &KeptTensor| {
            let name = &kept.name;
            ensure!(
                checkpoint.is_some(),
                "tensor {name:?} is to be kept, and a tensor list has no bytes; name a checkpoint as SOURCE or by --kept, or \
                 give it a rule with another init, such as zeros"
            );
            let names = [name].into_iter().chain(&kept.aliases);
            let Some(&(path, stored)) = names.filter_map(|name| by_name.get(&**name)).next() else {
                bail!(
                    "tensor {name:?} is to be kept, and the checkpoint of --kept does not have it"
                );
            };
            let (shape, dtype) = (&stored.shape[..], fillable(stored.dtype));
            ensure!(
                shape == kept.shape.dims() && (kept.dtype.is_none() || kept.dtype == dtype),
                "tensor {name:?} is to be kept, and {} has another shape or type of it; name the checkpoint that was \
                 made with the list",
                path.display()
            );
            Ok(Kept { stored: Stored { name: name.clone(), ..stored.clone() }, path: path.clone() })
        };
        plan.kept().iter().map(find).collect()
    }

    /// Reads a range of elements, in place of the bytes that are there.
    pub(super) fn read(&self, elements: Range<u64>, mut read: Bytes) -> anyhow::Result<Bytes> {
        let Stored { name, dtype, bytes, .. } = &self.stored;
        let size = element_bytes(*dtype);
        let read = || {
            let mut file = input::open(&self.path)?;
            file.seek(SeekFrom::Start(bytes.start + elements.start * size))?;
            read.read(&mut file, (elements.end - elements.start) * size)?;
            anyhow::Ok(read)
        };
        read().with_context(|| format!("cannot read tensor {name:?} of {}", self.path.display()))
    }

    /// The share of a range of elements in the model's fingerprint; of a type that cannot be filled
    /// the elements are bytes.
    pub(super) fn fingerprint(
        &self,
        elements: Range<u64>,
        bytes: &[u8],
    ) -> anyhow::Result<Fingerprint> {
        let Stored { name, dtype, shape, .. } = &self.stored;
        let fingerprint = match fillable(*dtype) {
            None => Fingerprint::of(elements.start * element_bytes(*dtype), bytes),
            Some(dtype) => {
                let spec = TensorSpec::new(&shape[..], Initializer::zeros()).dtype(dtype);
                measure(&spec.elements(elements).resolve(0, 0)?, bytes, false).0
            }
        };
        Ok(fingerprint.in_model(stream_of(name)))
    }

    /// The share of all elements.
    pub(super) fn whole_fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let (size, mut sum) = (element_bytes(self.stored.dtype), Fingerprint::default());
        Block::for_each(&self.path, &[&self.stored], UNIT, |block| {
            for (_, start, bytes) in block.units() {
                let elements = start / size..(start + bytes.len() as u64) / size;
                sum += self.fingerprint(elements, bytes)?;
            }
            Ok(())
        })?;
        Ok(sum)
    }
}

/// Fails if the plan fills a tensor whose type cannot be filled.
pub(super) fn check_types(plan: &Plan, listed: &[Entry]) -> anyhow::Result<()> {
    let is_filled = |name: &String| {
        plan.entries().iter().any(|entry| entry.name == *name || entry.aliases.contains(name))
    };
    let unsupported = |entry: &&Entry| entry.dtype.is_some() && entry.fillable().is_none();
    match listed.iter().filter(unsupported).find(|entry| is_filled(&entry.name)) {
        Some(Entry { name, dtype: Some(dtype), .. }) => bail!(
            "tensor {name:?}: {dtype} cannot be filled; give it a rule with init = \"keep\", leave it out, or pass \
             --dtype f32, f16 or bf16 for all tensors"
        ),
        _ => Ok(()),
    }
}
