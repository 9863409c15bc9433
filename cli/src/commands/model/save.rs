//! `--out`: the files of the model, and their metadata.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::bail;
use gpu_init::{Fingerprint, STREAM_VERSION};
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::backend::launcher::World;
use crate::checkpoint::format::dtypes::stored;
use crate::checkpoint::format::file_names::{INDEX, SLICES, rank_file};
use crate::checkpoint::format::metadata::{RESERVED, SHAPES, SOURCE_TIES};
use crate::checkpoint::format::shapes::shapes_fingerprint;
use crate::checkpoint::output::claim::Claim;
use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::output::path::{self, names_in};
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::write::commit::Finished;
use crate::checkpoint::write::files::{Files, Planned};
use crate::checkpoint::write::stream::Chunk;
use crate::commands::model::kept::Kept;
use crate::commands::model::slices::List;
use crate::commands::model::target::{
    Folder, check_beside_ranks, check_file, job_of, of_other_worlds,
};
use crate::commands::model::work::Work;
use crate::terminal::signals;

/// Files to be written, checked before anything is computed. Fields are dropped in their order.
pub(crate) struct Output {
    files: Files,
    /// What the weights are made of, as every file records it.
    origin: BTreeMap<String, String>,
    around: Around,
}

/// Files that are complete, but under temporary names.
pub(super) struct Written {
    finished: Finished,
    around: Around,
}

/// What belongs to the files of this process. The claim is dropped after all files, and the folder,
/// which has to be empty for that, after the claim.
struct Around {
    /// Rank 0's list of all processes' slices.
    slices: Option<Destination>,
    /// Files of a model that one process wrote, which rank 0 removes when this one is there.
    leftovers: Vec<PathBuf>,
    /// Keeps other processes from writing there; none in a dry run.
    _claim: Option<Claim>,
    /// The folder that they are in, unless it is one file.
    _folder: Option<Folder>,
}

impl Output {
    /// From here on no other process writes there, unless this is a dry run. None for a dry run
    /// whose folder is not there yet: nothing is in the way.
    pub(crate) fn plan(out: &Path, work: &Work) -> anyhow::Result<Option<Self>> {
        check_ties(out, work)?;
        let args = work.args;
        let world = work.shared();
        if let (Some(_), Some(World { size, launcher, .. })) = (args.max_shard_size, world) {
            bail!(
                "--max-shard-size is for one process, and {launcher} says {size}, which write a file each; leave it out"
            );
        }
        let folder = match world.is_some() || args.max_shard_size.is_some() {
            true => match Folder::find(out, !args.dry_run)? {
                None => return Ok(None),
                folder => folder,
            },
            false => check_file(out).map(|()| None)?,
        };
        let path = match world {
            Some(world) => out.join(rank_file(world.rank, world.size)),
            None => out.to_owned(),
        };
        let claimed = if args.max_shard_size.is_some() { &out.join(INDEX) } else { &path };
        let origin = origin(work);
        let job = world.and_then(|_| job_of(&origin));
        let claim = (!args.dry_run).then(|| Claim::take(claimed, job)).transpose()?;
        let leftovers = match world {
            Some(world) => check_beside_ranks(out, world, job, args.force)?,
            None => Vec::new(),
        };
        let files = plan_files(&path, work)?;
        let slices = match world {
            Some(World { rank: 0, .. }) => {
                Some(Destination::among_others(&out.join(SLICES), args.force)?)
            }
            _ => None,
        };
        let around = Around { slices, leftovers, _claim: claim, _folder: folder };
        Ok(Some(Output { files, origin, around }))
    }

    pub(super) fn write(
        self,
        work: &Work,
        produce: impl FnMut(usize, Range<u64>, Bytes) -> anyhow::Result<Chunk>,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Written> {
        let finished = self.files.write(&metadata(work, self.origin)?, produce, progress)?;
        Ok(Written { finished, around: self.around })
    }
}

impl Written {
    pub(super) fn commit(self, work: &Work, fingerprint: Fingerprint) -> anyhow::Result<()> {
        let finished = self.finished.patch("fingerprint", &fingerprint.to_string())?;
        let Around { slices, leftovers, .. } = &self.around;
        // A signal ends the process before this or after it.
        let _held = signals::hold();
        finished.commit()?;
        let (Some(list), Some(world)) = (slices, &work.world) else { return Ok(()) };
        let slices = List::new(&work.whole, &work.whole_kept, world.size);
        list.write_with(|file| Ok(serde_json::to_writer_pretty(file, &slices)?))?;
        let folder = path::folder(list.path());
        let names = names_in(folder).unwrap_or_default();
        let others = of_other_worlds(&names, world.size).map(|name| folder.join(name));
        leftovers.iter().cloned().chain(others).try_for_each(|path| path::remove(&path))
    }
}

/// The file of each tensor that this process has: those to be filled, then those to be kept.
fn plan_files(path: &Path, work: &Work) -> anyhow::Result<Files> {
    let entries = work.plan().entries();
    let shapes = entries.iter().map(|entry| entry.spec.local_shape());
    let shapes = shapes.collect::<gpu_init::Result<Vec<_>>>()?;
    let tensors = entries.iter().zip(&shapes).map(|(entry, shape)| Planned {
        name: &entry.name,
        dtype: stored(entry.fill.dtype),
        shape: shape.dims(),
    });
    let kept = work.kept().iter().map(|Kept { stored, .. }| Planned {
        name: &stored.name,
        dtype: stored.dtype,
        shape: &stored.shape,
    });
    let tensors: Vec<_> = tensors.chain(kept).collect();
    Files::plan(path, work.args.max_shard_size, &tensors, work.args.force)
}

/// Tied names are written as keys of the metadata, beside this program's own.
fn check_ties(out: &Path, work: &Work) -> anyhow::Result<()> {
    match work.ties().find(|(alias, _)| RESERVED.contains(alias)) {
        Some((alias, owner)) => bail!(
            "cannot write {}: {alias:?} is tied to {owner:?}, and the file's metadata has a key {alias:?} of its own; name \
             {alias:?} first in `tied`, or rename it",
            out.display()
        ),
        None => Ok(()),
    }
}

/// What makes the weights again: all that the processes of one model have in common.
fn origin(work: &Work) -> BTreeMap<String, String> {
    let values = [
        ("seed", work.rules.seed().to_string()),
        ("stream_version", STREAM_VERSION.to_string()),
        ("rules", work.text.clone()),
        (SHAPES, shapes(work).to_string()),
    ];
    values.map(|(key, value)| (key.to_owned(), value)).into()
}

/// The origin; a fingerprint that is not known yet; names that share a tensor with another one; for
/// one process of several, which slices it has.
fn metadata(
    work: &Work,
    mut metadata: BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut insert = |key: &str, value: String| _ = metadata.insert(key.to_owned(), value);
    insert("format", "pt".to_owned());
    insert("generator", concat!("gpu-init ", env!("CARGO_PKG_VERSION")).to_owned());
    insert("architecture", work.architecture.clone());
    insert("fingerprint", "-".repeat(16));
    if !work.source_ties.is_empty() {
        insert(SOURCE_TIES, serde_json::to_string(&work.source_ties)?);
    }
    // A layer's number or a bias' fan_in may depend on an alias of a tensor of which this process
    // has nothing.
    work.ties().for_each(|(alias, owner)| insert(alias, owner.to_owned()));
    if let Some(World { rank, size, .. }) = work.shared() {
        insert("rank", rank.to_string());
        insert("world_size", size.to_string());
        // Shapes of the whole tensors, of which the file has slices.
        let whole = |(name, dtype, shape): (&str, Dtype, &[usize])| {
            (name.to_owned(), json!({ "dtype": dtype.to_string(), "shape": shape }))
        };
        let whole: Value = described(work).map(whole).collect();
        insert("whole", whole.to_string());
    }
    Ok(metadata)
}

/// The fingerprint of all names, types and shapes, which is the same in every file of the model.
fn shapes(work: &Work) -> Fingerprint {
    shapes_fingerprint(described(work), work.ties())
}

/// Name, type and shape of each tensor of the whole model, filled or kept.
fn described<'a>(work: &'a Work) -> impl Iterator<Item = (&'a str, Dtype, &'a [usize])> {
    let filled = work.whole.entries().iter();
    let filled =
        filled.map(|entry| (&entry.name[..], stored(entry.fill.dtype), entry.spec.shape().dims()));
    let kept = work.whole_kept.iter().map(|Kept { stored, .. }| stored);
    filled.chain(kept.map(|stored| (&stored.name[..], stored.dtype, &stored.shape[..])))
}
