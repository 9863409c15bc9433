//! What a file in a folder is to a model, by its name.

use std::fs;
use std::path::{Path, PathBuf};

use super::write::is_shard;
use super::{INDEX, SINGLE};

/// What a file is to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A whole model, a shard of one, or its index.
    Whole,
    /// What one of several processes wrote.
    Rank { world: u64 },
}

/// The role of a file of that name, if it has one.
pub(crate) fn role(name: &str) -> Option<Role> {
    if matches!(name, SINGLE | INDEX) || is_shard(name) {
        return Some(Role::Whole);
    }
    let (rank, world) = name.strip_prefix("model-rank-")?.strip_suffix(".safetensors")?.split_once("-of-")?;
    rank.parse::<u64>().ok()?;
    Some(Role::Rank { world: world.parse().ok()? })
}

/// The files in a folder that another number of processes wrote.
pub(crate) fn of_other_worlds(folder: &Path, world: u64) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_other = |name: &str| matches!(role(name), Some(Role::Rank { world: other }) if other != world);
    let others = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_other));
    let mut others: Vec<_> = others.map(|entry| entry.path()).collect();
    others.sort();
    others
}

#[cfg(test)]
mod tests {
    use super::super::rank_file;
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        assert_eq!(role(&rank_file(3, 4)), Some(Role::Rank { world: 4 }));
        for name in [SINGLE, INDEX, "model-00001-of-00002.safetensors", "model-00001-of-00002-v1.safetensors"] {
            assert_eq!(role(name), Some(Role::Whole), "{name}");
        }
        for name in ["other.safetensors", "model.slices.json", "model-rank-x-of-00002.safetensors", "config.json"] {
            assert_eq!(role(name), None, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        for (rank, world) in [(0, 2), (1, 2), (0, 3)] {
            fs::write(folder.path().join(rank_file(rank, world)), "").unwrap();
        }
        assert_eq!(of_other_worlds(folder.path(), 2), [folder.path().join(rank_file(0, 3))]);
    }
}
