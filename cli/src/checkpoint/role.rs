//! What a file in a folder is to a model, by its name.

use std::path::{Path, PathBuf};

use crate::checkpoint::place::names_in;
use crate::checkpoint::write::is_shard;
use crate::checkpoint::{INDEX, SINGLE, SLICES};

/// What a file is to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A whole model, a shard of one, or its index.
    Whole,
    /// What one of several processes wrote.
    Rank { rank: u64, world: u64 },
    /// Rank 0's list of the slices of all.
    Slices,
}

/// The role of a file of that name, if it has one.
pub(crate) fn role(name: &str) -> Option<Role> {
    if matches!(name, SINGLE | INDEX) || is_shard(name) {
        return Some(Role::Whole);
    }
    if name == SLICES {
        return Some(Role::Slices);
    }
    let (rank, world) =
        name.strip_prefix("model-rank-")?.strip_suffix(".safetensors")?.split_once("-of-")?;
    Some(Role::Rank { rank: rank.parse().ok()?, world: world.parse().ok()? })
}

/// The files in a folder that another number of processes wrote.
pub(crate) fn of_other_worlds(folder: &Path, world: u64) -> Vec<PathBuf> {
    let is_other =
        |name: &str| matches!(role(name), Some(Role::Rank { world: other, .. }) if other != world);
    let names = names_in(folder).unwrap_or_default();
    names.iter().filter(|name| is_other(name)).map(|name| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::checkpoint::rank_file;

    #[test]
    fn names_say_what_files_are() {
        assert_eq!(role(&rank_file(3, 4)), Some(Role::Rank { rank: 3, world: 4 }));
        assert_eq!(role(SLICES), Some(Role::Slices));
        for name in [
            SINGLE,
            INDEX,
            "model-00001-of-00002.safetensors",
            "model-00001-of-00002-v1.safetensors",
        ] {
            assert_eq!(role(name), Some(Role::Whole), "{name}");
        }
        for name in ["other.safetensors", "model-rank-x-of-00002.safetensors", "config.json"] {
            assert_eq!(role(name), None, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        for (rank, world) in [(0, 2), (1, 2), (0, 3)] {
            fs::write(folder.path().join(rank_file(rank, world)), "").unwrap();
        }
        assert_eq!(of_other_worlds(folder.path(), 2), [folder.path().join(rank_file(0, 3))]);
    }
}
