//! `__metadata__` of a model: this program's own keys, and names that share a tensor with another
//! one.

use std::collections::{BTreeMap, HashSet};

use anyhow::Context;

use crate::checkpoint::format::names;

/// Largest header, list or index that is read, in bytes: safetensors' own limit.
pub(crate) const LARGEST: u64 = 100_000_000;

/// The fingerprint of all names, element types, shapes and ties.
pub(crate) const SHAPES: &str = "shapes_fingerprint";
/// The names, as a JSON list, that the model's source already ties, whatever the rules say.
pub(crate) const SOURCE_TIES: &str = "source_ties";

/// Keys that are never the name of a tied tensor.
pub(crate) const RESERVED: [&str; 12] = [
    "format",
    "generator",
    "architecture",
    "seed",
    "stream_version",
    "rules",
    "fingerprint",
    SHAPES,
    SOURCE_TIES,
    "rank",
    "world_size",
    "whole",
];

/// Pairs `(alias, owner)` of names that share a tensor, written `{alias: owner}` as Hugging Face
/// does. `is_tensor` says whether a stored tensor has the name: true for owners, false for aliases.
pub(crate) fn ties(
    metadata: &BTreeMap<String, String>,
    is_tensor: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&str, &str)> {
    let all = metadata.iter().map(|(alias, owner)| (alias.as_str(), owner.as_str()));
    all.filter(move |(alias, owner)| {
        !RESERVED.contains(alias)
            && is_tensor(owner)
            && !is_tensor(alias)
            && names::check_tensor(alias).is_ok()
    })
}

/// The `ties` that the model's source had already.
pub(crate) fn source_ties<'a>(
    metadata: &BTreeMap<String, String>,
    ties: &[(&'a str, &'a str)],
) -> anyhow::Result<Vec<(&'a str, &'a str)>> {
    let Some(text) = metadata.get(SOURCE_TIES) else { return Ok(Vec::new()) };
    let aliases: HashSet<String> = serde_json::from_str(text).with_context(|| {
        format!("the {SOURCE_TIES} that it records are not a list of names; write the model again")
    })?;
    Ok(ties.iter().copied().filter(|(alias, _)| aliases.contains(*alias)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_between_a_tensor_and_a_name_without_one() {
        let pairs = [
            ("head", "embed"),
            ("seed", "embed"),
            ("rules", "embed"),
            ("embed", "w"),
            ("other", "nothing"),
            ("a\nb", "embed"),
            ("h/0/w", "w"),
        ];
        let metadata = pairs.map(|(alias, owner)| (alias.to_owned(), owner.to_owned())).into();
        let found: Vec<_> = ties(&metadata, |name| matches!(name, "embed" | "w")).collect();
        assert_eq!(found, [("h/0/w", "w"), ("head", "embed")]);
    }
}
