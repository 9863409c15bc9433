//! What the tensors of a file are to be: the plan that rules make of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use gpu_init::{DType, Plan, PlanEntry};

use super::part::Part;
use super::rules::Sourced;
use crate::cli::checkpoint::{Stored, fillable};

/// Metadata that is no name of a tied tensor.
const RESERVED: [&str; 10] = [
    "format",
    "generator",
    "architecture",
    "seed",
    "stream_version",
    "rules",
    "fingerprint",
    "rank",
    "world_size",
    "whole",
];

/// The plan of a file's tensors, by their names and those tied to them.
pub(super) struct Expected {
    plan: Plan,
    by_name: HashMap<String, usize>,
}

impl Expected {
    pub(super) fn new<'a>(
        stored: impl Iterator<Item = &'a Stored>,
        metadata: &BTreeMap<String, String>,
        part: Option<&Part>,
        Sourced { rules, .. }: &Sourced,
    ) -> anyhow::Result<Self> {
        let mut listed: Vec<(String, Vec<usize>, Option<DType>)> = match part {
            Some(part) => {
                let whole = part.whole.values();
                whole.map(|entry| (entry.name.clone(), entry.shape.clone(), Some(entry.dtype))).collect()
            }
            None => stored
                .filter_map(|stored| Some((stored.name.clone(), stored.shape.clone(), Some(fillable(stored.dtype)?))))
                .collect(),
        };
        // Tied names were listed when the model was made, and count as layers and as a bias' weight.
        let mut tied = Vec::new();
        let by_name: HashMap<&str, usize> =
            listed.iter().enumerate().map(|(i, (name, ..))| (name.as_str(), i)).collect();
        for (alias, owner) in aliases(metadata) {
            if let (None, Some(&owner)) = (by_name.get(alias), by_name.get(owner)) {
                tied.push((alias.to_owned(), listed[owner].1.clone(), listed[owner].2));
            }
        }
        listed.append(&mut tied);
        let mut plan = Plan::new(listed, rules)?;
        if let Some(Part { rank, world, .. }) = part {
            plan = plan.shard(*rank, *world)?;
        }
        let mut by_name = HashMap::new();
        for (i, entry) in plan.entries().iter().enumerate() {
            by_name.extend([&entry.name].into_iter().chain(&entry.aliases).map(|name| (name.clone(), i)));
        }
        Ok(Expected { plan, by_name })
    }

    /// What a tensor of the file is to be, if it is one of the plan's, of its type and shape.
    pub(super) fn of(&self, stored: &Stored) -> Option<&PlanEntry> {
        self.entry(&stored.name).filter(|entry| mismatch(entry, stored).is_none())
    }

    /// Tensors that are missing, too many, or of other types and shapes.
    pub(super) fn problems<'a>(
        &self,
        stored: impl Iterator<Item = &'a Stored>,
        metadata: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let (mut problems, mut there) = (Vec::new(), HashSet::new());
        for stored in stored {
            there.insert(stored.name.as_str());
            match self.entry(&stored.name) {
                Some(entry) => problems.extend(mismatch(entry, stored)),
                None if fillable(stored.dtype).is_none() => {}
                None => problems.push(format!("{}: the rules give this file nothing of it", stored.name)),
            }
        }
        for PlanEntry { name, aliases, .. } in self.plan.entries() {
            if there.contains(name.as_str()) || aliases.iter().any(|alias| there.contains(alias.as_str())) {
                continue;
            }
            problems.push(match metadata.get(name) {
                Some(owner) => format!("{name}: the file has it tied to {owner}, and the rules as a tensor of its own"),
                None => format!("{name}: it is missing"),
            });
        }
        problems
    }

    fn entry(&self, name: &str) -> Option<&PlanEntry> {
        self.by_name.get(name).map(|&i| &self.plan.entries()[i])
    }
}

/// Names that share a tensor with another one, and that one's, as Hugging Face writes them.
fn aliases(metadata: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let all = metadata.iter().map(|(alias, owner)| (alias.as_str(), owner.as_str()));
    all.filter(|(alias, _)| !RESERVED.contains(alias))
}

fn mismatch(entry: &PlanEntry, stored: &Stored) -> Option<String> {
    let Stored { name, dtype, shape, .. } = stored;
    let expected = entry.parameter.local_shape().ok()?;
    let same = expected.dims() == shape && fillable(*dtype) == Some(entry.fill.dtype);
    (!same).then(|| format!("{name}: it is {dtype} {shape:?}, and by the rules {} {expected}", entry.fill.dtype))
}
