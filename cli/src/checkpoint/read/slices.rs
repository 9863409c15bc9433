//! A folder with the files of several processes, and rank 0's list: which slice of which tensor is
//! in which file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use safetensors::Dtype;
use serde::Deserialize;

use crate::checkpoint::format::file_names::{INDEX, Role, SINGLE, SLICES, rank_file, role};
use crate::checkpoint::output::path::names_in;
use crate::checkpoint::read::header::Unique;
use crate::checkpoint::read::input;
use crate::checkpoint::read::shard::Shard;

/// Largest list that is read, in bytes: enough for thousands of processes and tensors.
const LARGEST: u64 = 1 << 30;

#[derive(Deserialize)]
struct Text {
    world_size: u64,
    tensors: Unique<Tensor>,
}

/// A tensor of the whole model.
#[derive(Debug, Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    dtype: String,
    /// The dimension along which it is divided.
    dim: usize,
    slices: Vec<Slice>,
}

/// The range of the divided dimension that a file has; 0..1 for a scalar.
#[derive(Debug, Deserialize)]
struct Slice {
    file: String,
    start: u64,
    end: u64,
}

#[derive(Debug)]
pub(crate) struct Slices {
    folder: PathBuf,
    pub(crate) world: u64,
    tensors: BTreeMap<String, Tensor>,
    /// For each file its tensors, with their dtypes and shapes.
    parts: BTreeMap<String, BTreeMap<String, (String, Vec<usize>)>>,
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

    fn parse(text: &str, folder: PathBuf) -> anyhow::Result<Self> {
        let Text { world_size: world, tensors: Unique(tensors) } = serde_json::from_str(text)
            .context("it is not a list {\"world_size\", \"tensors\"} of slices")?;
        let mut parts: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (name, tensor) in &tensors {
            tensor.covered().with_context(|| format!("tensor {name:?}"))?;
            for Slice { file, start, end } in &tensor.slices {
                let mut shape = tensor.shape.clone();
                shape
                    .iter_mut()
                    .skip(tensor.dim)
                    .take(1)
                    .for_each(|len| *len = (end - start) as usize);
                let part = parts.entry(file.clone()).or_default();
                if part.insert(name.clone(), (tensor.dtype.clone(), shape)).is_some() {
                    bail!("tensor {name:?} is in {file:?} twice; write the model again");
                }
            }
        }
        Ok(Slices { folder, world, tensors, parts })
    }

    /// The files of all ranks and their bytes in total; an error if one is missing or belongs to no
    /// rank.
    pub(crate) fn files(&self) -> anyhow::Result<(Vec<PathBuf>, u64)> {
        let (mut files, mut bytes, mut names) = (Vec::new(), 0u64, HashSet::new());
        let (list, world) = (self.folder.join(SLICES), self.world);
        let list = list.display();
        for rank in 0..world {
            let name = rank_file(rank, world);
            let path = self.folder.join(&name);
            let Ok(metadata) = fs::metadata(&path) else {
                let path = path.display();
                bail!("{path} is missing, and {list} is of {world} ranks; run rank {rank} again");
            };
            bytes = bytes.saturating_add(metadata.len());
            files.push(path);
            names.insert(name);
        }
        if let Some(file) = self.parts.keys().find(|file| !names.contains(*file)) {
            bail!("{list}: {file:?} is the file of none of {world} ranks; write the model again");
        }
        Ok((files, bytes))
    }

    /// The problems of a rank's file: it must have the listed slices and no others.
    pub(crate) fn problems(&self, shard: &Shard) -> Vec<String> {
        let file = shard.path.file_name().unwrap_or_default().to_string_lossy();
        let none = BTreeMap::new();
        let listed = self.parts.get(&*file).unwrap_or(&none);
        let mut problems = Vec::new();
        let tensors = shard.tensors.iter();
        let mut found: BTreeMap<_, _> = tensors
            .map(|stored| (stored.name.as_str(), (stored.dtype.to_string(), &stored.shape)))
            .collect();
        for (name, (dtype, shape)) in listed {
            match found.remove(name.as_str()) {
                None => problems.push(format!("{file}: tensor {name:?} is missing")),
                Some((is_dtype, is)) if (&is_dtype, is) == (dtype, shape) => {}
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

impl Tensor {
    /// Checks that the slices cover the tensor once, in order.
    fn covered(&self) -> anyhow::Result<()> {
        let Tensor { shape, dim, slices, .. } = self;
        let len = match shape.get(*dim) {
            Some(&len) => len as u64,
            None if shape.is_empty() => 1,
            None => bail!("shape {shape:?} has no dimension {dim}; write the model again"),
        };
        let mut next = 0;
        for Slice { file, start, end } in slices {
            ensure!(
                *start == next && (end > start || len == 0),
                "its slice {start}..{end} in {file:?} does not start at {next}; write the model again"
            );
            next = *end;
        }
        ensure!(
            next == len,
            "its slices end at {next}, and dimension {dim} has {len}; write the model again"
        );
        Ok(())
    }
}
