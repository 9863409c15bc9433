//! A folder with the files of several processes, and rank 0's list of their slices.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use safetensors::Dtype;
use serde::Deserialize;

use crate::checkpoint::format::file_names::{INDEX, Role, SINGLE, SLICES, rank_file, role};
use crate::checkpoint::format::slices::Sliced;
use crate::checkpoint::output::path::names_in;
use crate::checkpoint::read::header::Unique;
use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::Shard;

/// Largest list that is read, in bytes: enough for millions of tensors.
const LARGEST: u64 = 1 << 30;

#[derive(Deserialize)]
struct Text {
    world_size: u64,
    tensors: Unique<Sliced>,
}

#[derive(Debug)]
pub(crate) struct Slices {
    folder: PathBuf,
    pub(crate) world: u64,
    tensors: BTreeMap<String, Sliced>,
}

impl Slices {
    /// Reads the list that a path names or a folder has; none if it is something else. A folder
    /// with two models is an error: either could be meant.
    pub(crate) fn find(path: &Path) -> anyhow::Result<Option<Self>> {
        if path.is_dir() {
            return Self::of_folder(path);
        }
        path.file_name().filter(|name| *name == SLICES).map(|_| Self::read(path)).transpose()
    }

    fn of_folder(folder: &Path) -> anyhow::Result<Option<Self>> {
        let shown = folder.display();
        let names = names_in(folder).unwrap_or_default();
        let rank = names.iter().find(|name| matches!(role(name), Some(Role::Rank { .. })));
        let there: Vec<&str> =
            [INDEX, SINGLE, SLICES].into_iter().filter(|name| folder.join(name).exists()).collect();
        let two = |a: &str, b: &str| {
            bail!(
                "the folder {shown} has {a} and {b}, which are two models; name one of the two files"
            )
        };
        match (&there[..], rank) {
            ([a, b, ..], _) => two(a, b),
            (&[SLICES], _) => Self::read(&folder.join(SLICES)).map(Some),
            (&[single], Some(rank)) => two(single, rank),
            ([], Some(_)) => bail!(
                "cannot read the folder {shown}: {SLICES} is missing, rank 0 writes it last; \
                 run that again"
            ),
            ([_] | [], None) => Ok(None),
        }
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let text = input::text(input::open(path)?, LARGEST, "is it a list of slices?")?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            Self::parse(&text, folder)
        };
        read().with_context(|| format!("cannot read {}", path.display()))
    }

    pub(crate) fn parse(text: &str, folder: PathBuf) -> anyhow::Result<Self> {
        let Text { world_size: world, tensors: Unique(tensors) } = serde_json::from_str(text)
            .context("it is not a list {\"world_size\", \"tensors\"} of slices")?;
        for (name, tensor) in &tensors {
            tensor.check(world).with_context(|| format!("tensor {name:?}"))?;
        }
        Ok(Slices { folder, world, tensors })
    }

    /// The files of all ranks and their bytes in total; an error if one is missing.
    pub(crate) fn files(&self) -> anyhow::Result<(Vec<PathBuf>, u64)> {
        let (mut files, mut bytes) = (Vec::new(), 0u64);
        let (list, world) = (self.folder.join(SLICES), self.world);
        for rank in 0..world {
            let path = self.folder.join(rank_file(rank, world));
            let Ok(metadata) = fs::metadata(&path) else {
                let (path, list) = (path.display(), list.display());
                bail!("{path} is missing, and {list} is of {world} ranks; run rank {rank} again");
            };
            bytes = bytes.saturating_add(metadata.len());
            files.push(path);
        }
        Ok((files, bytes))
    }

    /// The problems of a rank's file: it must have the listed slices and no others.
    pub(crate) fn problems(&self, rank: u64, shard: &Shard) -> Vec<String> {
        let file = shard.path.file_name().unwrap_or_default().to_string_lossy();
        let mut problems = Vec::new();
        let tensors = shard.tensors.iter();
        let mut found: BTreeMap<_, _> = tensors
            .map(|stored| (stored.name.as_str(), (stored.dtype.to_string(), &stored.shape)))
            .collect();
        for (name, tensor) in &self.tensors {
            let Some(shape) = tensor.slice(rank) else { continue };
            let dtype = &tensor.dtype;
            match found.remove(name.as_str()) {
                None => problems.push(format!("{file}: tensor {name:?} is missing")),
                Some((is_dtype, is)) if (&is_dtype, is) == (dtype, &shape) => {}
                Some((is_dtype, is)) => problems.push(format!(
                    "{file}: {name:?} is {is_dtype} {is:?}, and in {SLICES} {dtype} {shape:?}"
                )),
            }
        }
        problems
            .extend(found.into_keys().map(|name| format!("{file}: {name:?} is not in {SLICES}")));
        problems
    }

    /// Whether the list has exactly the tensors of `whole`.
    pub(crate) fn agrees_with<'a>(
        &self,
        mut whole: impl ExactSizeIterator<Item = (&'a str, Dtype, &'a [usize])>,
    ) -> bool {
        whole.len() == self.tensors.len()
            && whole.all(|(name, dtype, shape)| {
                let tensor = self.tensors.get(name);
                tensor.is_some_and(|it| it.dtype == dtype.to_string() && it.shape == shape)
            })
    }
}
