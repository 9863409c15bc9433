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
#[derive(Debug)]
pub(crate) struct Steps {
    /// Moves every file to its destination, the index last: until then readers find the old model,
    /// from then on the new one.
    pub(crate) publish: Vec<(Destination, TempPath)>,
    /// If the shards are beside those of the old model: links the usual names, which no index needs
    /// any more, and replaces the index by one with those names.
    pub(crate) rename: Vec<Step>,
    /// Files to remove once that is done: the shards' other names, and the rest of the old model.
    pub(crate) renamed: Vec<PathBuf>,
    /// Files to remove if it cannot be done: the usual names, and the rest of the old model.
    pub(crate) not_renamed: Vec<PathBuf>,
}

impl Step {
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
        let Steps { publish, rename, renamed, not_renamed } = self;
        let sync = |destination: &Destination| {
            sync(destination).with_context(|| {
                format!(
                    "{} is written, but may not survive a power cut, and no old file was removed",
                    destination.path().display()
                )
            })
        };
        let (mut moved, mut synced) = (Vec::new(), Ok(()));
        for (destination, temporary) in publish {
            if let Err(error) = destination.take(temporary) {
                // Shards without an index are of no use, and none of them replaced a file.
                let moved = moved.iter().map(Destination::path);
                moved.for_each(|path| _ = fs::remove_file(path));
                return Err(error);
            }
            synced = synced.and(sync(&destination));
            moved.push(destination);
        }
        synced?;
        // Where files cannot have two names, the shards keep the names that they have.
        let done = rename.into_iter().try_for_each(Step::apply).is_ok();
        // Either index is at this destination.
        moved.last().map_or(Ok(()), sync)?;
        let obsolete = if done { renamed } else { not_renamed };
        obsolete.into_iter().map(Step::Remove).try_for_each(Step::apply)
    }
}

#[cfg(test)]
impl Steps {
    /// All steps in order; `links` says whether files can have two names.
    pub(crate) fn in_order(self, links: bool) -> Vec<Step> {
        let moves = self.publish.into_iter().map(|(file, temporary)| Step::Move(file, temporary));
        let (rename, obsolete) =
            if links { (self.rename, self.renamed) } else { (vec![], self.not_renamed) };
        moves.chain(rename).chain(obsolete.into_iter().map(Step::Remove)).collect()
    }
}
