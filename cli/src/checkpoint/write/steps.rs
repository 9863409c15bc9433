//! How written files get their names: steps in such an order that a kill after any of them leaves
//! either the old model or the new one, for readers of a model's index and the shards that it
//! names.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempPath;

use crate::checkpoint::output::claim;
use crate::checkpoint::output::destination::Destination;
use crate::checkpoint::output::path::remove;

#[derive(Debug)]
pub(crate) enum Step {
    /// Gives a written file its name, replacing the file that has it.
    Move(Destination, TempPath),
    /// Gives a file a second name, replacing the file that has it.
    Link {
        file: PathBuf,
        name: PathBuf,
    },
    Remove(PathBuf),
}

/// The steps for one model.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Moves every file to its destination, the index last: until then readers find the old model,
    /// from then on the new one.
    pub(crate) publish: Vec<Step>,
    /// If the shards are beside those of the old model: links the usual names, which no index needs
    /// any more, and replaces the index by one with those names.
    pub(crate) rename: Vec<Step>,
    /// The shards' other names, removed once that is done.
    pub(crate) renamed: Vec<PathBuf>,
    /// The usual names, whose files are removed if it cannot be done.
    pub(crate) usual: Vec<PathBuf>,
    /// Other files of the old model.
    pub(crate) leftovers: Vec<PathBuf>,
}

impl Step {
    /// The destination of a moved file.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        if let Step::Move(destination, _) = self { Some(destination) } else { None }
    }

    pub(crate) fn apply(self) -> anyhow::Result<()> {
        match self {
            Step::Move(destination, temporary) => destination.take(temporary),
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
    /// Fails without leaving a file if one cannot be moved. If `sync` fails, which makes moves
    /// survive a power cut, all files stay, those of the old model too.
    pub(crate) fn apply(
        self,
        sync: impl Fn(&Destination) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Steps { publish, rename, renamed, usual, leftovers } = self;
        let sync = |destination: &Destination| {
            sync(destination).with_context(|| {
                format!(
                    "{} is written, but may not survive a power cut, and no old file was removed",
                    destination.path().display()
                )
            })
        };
        let (mut moved, mut synced) = (Vec::new(), Ok(()));
        for step in publish {
            let destination = step.destination().cloned();
            if let Err(error) = step.apply() {
                // Shards without an index are of no use, and none of them replaced a file.
                moved
                    .iter()
                    .for_each(|destination: &Destination| _ = fs::remove_file(destination.path()));
                return Err(error);
            }
            synced = synced.and(destination.as_ref().map_or(Ok(()), sync));
            moved.extend(destination);
        }
        synced?;
        // Where files cannot have two names, the shards keep the names that they have.
        let done = rename.into_iter().try_for_each(Step::apply).is_ok();
        // Either index is at this destination.
        moved.last().map_or(Ok(()), sync)?;
        tidied(done, renamed, usual, leftovers).into_iter().try_for_each(Step::apply)
    }
}

/// The files to remove at the end.
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
    /// All steps in order; `links` says whether files can have two names.
    pub(crate) fn in_order(self, links: bool) -> Vec<Step> {
        let Steps { mut publish, rename, renamed, usual, leftovers } = self;
        if links {
            publish.extend(rename);
        }
        publish.extend(tidied(links, renamed, usual, leftovers));
        publish
    }
}
