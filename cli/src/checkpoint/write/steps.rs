//! How files that are written get their names: steps in an order of which a kill after any leaves
//! either the model that was there or the new one, for whoever reads a model's index and the shards
//! that it names.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempPath;

use crate::checkpoint::output::claim;
use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::output::path::remove;

#[derive(Debug)]
pub(crate) enum Step {
    /// Gives a written file its name, in place of the one that has it.
    Move(Destination, TempPath),
    /// Gives a file a second name, in place of the file that has it.
    Link {
        file: PathBuf,
        name: PathBuf,
    },
    Remove(PathBuf),
}

/// The steps for one model.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Every file to its place, the index last: until then the old model is there, from then on the
    /// new one.
    pub(crate) publish: Vec<Step>,
    /// If the shards are beside those of the old model: to the usual names, which no index needs
    /// any more, and an index that names those.
    pub(crate) rename: Vec<Step>,
    /// The shards' other names, which go once that is done.
    pub(crate) renamed: Vec<PathBuf>,
    /// The usual names, whose files go if it cannot be done.
    pub(crate) usual: Vec<PathBuf>,
    /// Other files of the old model.
    pub(crate) leftovers: Vec<PathBuf>,
}

impl Step {
    /// Where a file is moved to.
    pub(crate) fn place(&self) -> Option<&Destination> {
        if let Step::Move(place, _) = self { Some(place) } else { None }
    }

    pub(crate) fn apply(self) -> anyhow::Result<()> {
        match self {
            Step::Move(place, temporary) => place.take(temporary),
            Step::Link { file, name } => {
                let link = claim::link(&file, &name)
                    .with_context(|| format!("cannot link {}", file.display()))?;
                link.persist(&name).with_context(|| format!("cannot write {}", name.display()))
            }
            Step::Remove(path) => remove(&path),
        }
    }
}

impl Steps {
    /// Fails without a trace if a file cannot be moved. Where `sync` fails, which makes moves
    /// survive a power cut, nothing is taken back, for all files are there, and nothing of the old
    /// model goes.
    pub(crate) fn apply(
        self,
        sync: impl Fn(&Destination) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Steps { publish, rename, renamed, usual, leftovers } = self;
        let sync = |place: &Destination| {
            sync(place).with_context(|| {
                format!(
                    "{} is written, but may not survive a power cut, and no old file was removed",
                    place.path().display()
                )
            })
        };
        let (mut moved, mut synced) = (Vec::new(), Ok(()));
        for step in publish {
            let place = step.place().cloned();
            if let Err(error) = step.apply() {
                // Shards without an index are of no use. None of them had a file of that name.
                moved.iter().for_each(|place: &Destination| _ = fs::remove_file(place.path()));
                return Err(error);
            }
            synced = synced.and(place.as_ref().map_or(Ok(()), sync));
            moved.extend(place);
        }
        synced?;
        // Where files can have one name only, the shards keep the names that they have.
        let done = rename.into_iter().try_for_each(Step::apply).is_ok();
        // The index, one or the other, is in this place.
        moved.last().map_or(Ok(()), sync)?;
        tidied(done, renamed, usual, leftovers).into_iter().try_for_each(Step::apply)
    }
}

/// What goes at the end.
fn tidied(
    done: bool,
    renamed: Vec<PathBuf>,
    usual: Vec<PathBuf>,
    leftovers: Vec<PathBuf>,
) -> Vec<Step> {
    let gone = if done { renamed } else { usual };
    gone.into_iter().chain(leftovers).map(Step::Remove).collect()
}

#[cfg(test)]
impl Steps {
    /// All steps in their order, if files can have two names or if they cannot.
    pub(crate) fn in_order(self, links: bool) -> Vec<Step> {
        let Steps { mut publish, rename, renamed, usual, leftovers } = self;
        if links {
            publish.extend(rename);
        }
        publish.extend(tidied(links, renamed, usual, leftovers));
        publish
    }
}
