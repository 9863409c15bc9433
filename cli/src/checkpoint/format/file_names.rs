//! The file names of a model, and what a file of such a name is to it.

/// A model in one file.
pub(crate) const SINGLE: &str = "model.safetensors";
/// The index of a model in several shards.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// Rank 0's list: which slice of which tensor is in which rank's file.
pub(crate) const SLICES: &str = "model.slices.json";

/// The file of a rank.
pub(crate) fn rank_file(rank: u64, size: u64) -> String {
    format!("model-rank-{rank:05}-of-{size:05}.safetensors")
}

/// Hugging Face's name of shard `i`, counted from 0. Version 0 is the usual name; others are for a
/// model that replaces one of as many shards: both exist until the index is replaced.
pub(crate) fn shard_file(i: usize, count: usize, version: u32) -> String {
    let version = if version == 0 { String::new() } else { format!("-v{version}") };
    format!("model-{:05}-of-{count:05}{version}.safetensors", i + 1)
}

/// Whether [`shard_file`] gives this name.
pub(crate) fn is_shard(name: &str) -> bool {
    let is_number = |text: &str, digits: usize| {
        text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let checked = || {
        let numbers = name.strip_prefix("model-")?.strip_suffix(".safetensors")?;
        let (i, rest) = numbers.split_once("-of-")?;
        let (count, version) = rest.split_once("-v").unwrap_or((rest, "0"));
        Some(is_number(i, 5) && is_number(count, 5) && is_number(version, 1))
    };
    checked() == Some(true)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A whole model, a shard of one, or its index.
    Whole,
    /// The file of one of several processes.
    Rank { rank: u64, world: u64 },
    /// Rank 0's list of all slices.
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

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn names_are_those_of_hugging_face() {
        assert_eq!(shard_file(0, 3, 0), "model-00001-of-00003.safetensors");
        assert_eq!(shard_file(0, 3, 12), "model-00001-of-00003-v12.safetensors");
        for name in [shard_file(0, 3, 0), shard_file(1, 3, 7), shard_file(123_455, 123_456, 0)] {
            assert!(is_shard(&name), "{name}");
        }
        for name in [
            "model.safetensors",
            "model-1-of-3.safetensors",
            "model-00001-of-00003.safetensors.bak",
            "model-00001-of-00003-v.safetensors",
            "model-rank-00001-of-00003.safetensors",
        ] {
            assert!(!is_shard(name), "{name}");
        }
    }
}
