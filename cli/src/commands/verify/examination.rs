//! What was found in a model.

use std::collections::BTreeMap;

use gpu_init::Fingerprint;

use crate::checkpoint::read::shard::Stored;
use crate::commands::verify::compare::Compared;

/// A tensor and what its elements say; nothing if they are of a type that cannot be filled.
pub(super) struct Examined {
    pub(super) stored: Stored,
    /// Whether they are what the rules give; none if that cannot be said.
    pub(super) matches: Option<bool>,
    pub(super) compared: Option<Compared>,
}

/// A model, or the part of one that one of several processes has.
pub(super) struct Examination {
    pub(super) files: usize,
    pub(super) tensors: Vec<Examined>,
    pub(super) fingerprint: Fingerprint,
    /// The one in the metadata.
    pub(super) recorded: Option<String>,
    /// Of all names, types and shapes of the whole model.
    pub(super) shapes: Fingerprint,
    pub(super) recorded_shapes: Option<String>,
    /// The seed of the rules and where they are from; none if there are no rules.
    pub(super) rules: Option<(u64, String)>,
    /// Whether all is as they give; none if that cannot be said.
    pub(super) matches: Option<bool>,
    /// All that is wrong, each with its name.
    pub(super) problems: Vec<String>,
    /// All that was not compared with anything.
    pub(super) unchecked: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Examination {
    /// Whether all is as it should be; none if nothing is wrong, but not all was compared.
    pub(super) fn agrees(&self) -> Option<bool> {
        match (&self.problems[..], &self.unchecked[..]) {
            ([], []) => Some(true),
            ([], _) => None,
            _ => Some(false),
        }
    }

    /// One line on what is wrong, if anything is, and what to do.
    pub(super) fn complaint(&self, specified: bool, allow_unchecked: bool) -> Option<String> {
        let (what, remedy) = match self.agrees() {
            Some(true) => return None,
            None if allow_unchecked => return None,
            None => (&self.unchecked, "or --allow-unchecked if that is as it should be"),
            Some(false) if specified && self.matches == Some(false) => {
                (&self.problems, "pass the seed and rules that made it, or write the model again")
            }
            Some(false) => (&self.problems, "write the model again"),
        };
        Some(format!("{}; {remedy}", first(what)))
    }
}

/// The first ones, and how many more there are: another seed makes every tensor another one.
fn first(all: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = all.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > MOST {
        text += &format!("; and {} more, which --json lists", all.len() - MOST);
    }
    text
}
