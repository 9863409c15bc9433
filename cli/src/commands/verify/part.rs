//! The slices of a model in one rank's file, as its metadata records them.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use gpu_init::{Initializer, Shard, TensorSpec};
use safetensors::Dtype;

use crate::checkpoint::read::list::{self, Entry};
use crate::checkpoint::read::shard::Stored;

#[derive(Debug)]
pub(super) struct Part {
    /// Below `world`.
    pub(super) rank: u64,
    pub(super) world: u64,
    /// Type and shape of each tensor of the whole model.
    whole: BTreeMap<String, (Dtype, Vec<usize>)>,
}

impl Part {
    /// None for a file of a whole model.
    pub(super) fn of(metadata: &BTreeMap<String, String>) -> anyhow::Result<Option<Self>> {
        // LoRA adapters of other programs record a rank, too.
        let (rank, world, whole) = match ["rank", "world_size", "whole"]
            .map(|key| metadata.get(key))
        {
            [_, None, None] => return Ok(None),
            [Some(rank), Some(world), Some(whole)] => (rank, world, whole),
            _ => bail!("it records only some of rank, world_size and whole; write the model again"),
        };
        let number = |key: &str, text: &str| {
            text.parse::<u64>().ok().with_context(|| {
                format!(
                    "the {key} that it records is {text:?}, not a number; write the model again"
                )
            })
        };
        let (rank, world) = (number("rank", rank)?, number("world_size", world)?);
        ensure!(
            rank < world,
            "it records rank {rank} of {world}, and ranks count from 0; write the model again"
        );
        let listed =
            list::read(whole.as_bytes()).context("the whole model that it records")?.tensors;
        let mut whole = BTreeMap::new();
        for Entry { name, dtype, shape } in listed {
            let dtype = dtype.with_context(|| {
                format!("tensor {name:?} of the whole model that it records has no dtype; write the model again")
            })?;
            whole.insert(name, (dtype, shape));
        }
        Ok(Some(Part { rank, world, whole }))
    }

    /// Name, type and shape of each tensor of the whole model.
    pub(super) fn described(&self) -> impl ExactSizeIterator<Item = (&str, Dtype, &[usize])> {
        self.whole.iter().map(|(name, (dtype, shape))| (name.as_str(), *dtype, &shape[..]))
    }

    /// Locates the elements of a file's tensor in the whole tensor.
    pub(super) fn locate(&self, stored: &Stored) -> anyhow::Result<TensorSpec> {
        let Stored { name, shape, .. } = stored;
        let (rank, world) = (self.rank, self.world);
        let (recorded, whole) = self.whole.get(name).with_context(|| {
            format!("tensor {name:?} is not in the whole model that it records")
        })?;
        let is = stored.dtype;
        ensure!(
            is == *recorded,
            "tensor {name:?}: it is {is}, and {recorded} in the whole model that it records; write the model again"
        );
        let parameter = TensorSpec::new(&whole[..], Initializer::zeros());
        if shape.len() == whole.len() {
            let differ = |&dim: &usize| whole[dim] != shape[dim];
            match (0..shape.len()).filter(differ).collect::<Vec<_>>()[..] {
                [] => return Ok(parameter),
                [dim] => {
                    let range = Shard { dim, rank, world }.range(whole[dim] as u64);
                    if range.end - range.start == shape[dim] as u64 {
                        return Ok(parameter.slice(dim, range));
                    }
                }
                _ => {}
            }
        }
        bail!(
            "tensor {name:?}: {shape:?} is not what rank {rank} of {world} has of {whole:?}; write the model again"
        )
    }
}
