//! The findings about a model.

use std::collections::BTreeMap;

use gpu_init::Fingerprint;

use crate::checkpoint::read::shard::Stored;
use crate::commands::verify::compare::Compared;

/// A tensor and the findings about its elements; none if its type cannot be filled.
pub(super) struct Examined {
    pub(super) stored: Stored,
    /// Whether the elements are what the rules give; none if unknown.
    pub(super) matches: Option<bool>,
    pub(super) compared: Option<Compared>,
}

/// The findings about a model, or about the slices of one rank.
pub(super) struct Examination {
    pub(super) files: usize,
    pub(super) tensors: Vec<Examined>,
    pub(super) fingerprint: Fingerprint,
    /// The fingerprint in the metadata.
    pub(super) recorded: Option<String>,
    /// The fingerprint of all names, types and shapes of the whole model.
    pub(super) shapes: Fingerprint,
    /// The seed and the source of the rules; none if there are no rules.
    pub(super) rules: Option<(u64, String)>,
    /// Whether all elements are what the rules give; none if unknown.
    pub(super) matches: Option<bool>,
    /// All problems, each with the tensor's name.
    pub(super) problems: Vec<String>,
    /// All that was compared with nothing.
    pub(super) unchecked: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Examination {
    /// Whether all agrees; none if there is no problem, but not all was compared.
    pub(super) fn agrees(&self) -> Option<bool> {
        match (&self.problems[..], &self.unchecked[..]) {
            ([], []) => Some(true),
            ([], _) => None,
            _ => Some(false),
        }
    }

    /// One line on the problems, if there are any, and the remedy.
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

/// The first problems and the number of the others: another seed changes every tensor.
fn first(all: &[String]) -> String {
    const MOST: usize = 5;
    let mut text = all.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > MOST {
        text += &format!("; and {} more, which --json lists", all.len() - MOST);
    }
    text
}
