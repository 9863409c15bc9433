//! The expected tensors of a file: the plan that rules make of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use gpu_init::{DType, Plan, PlanEntry, Rules};

use crate::checkpoint::format::dtypes::fillable;
use crate::checkpoint::read::shard::Stored;
use crate::commands::verify::part::Part;

pub(super) struct Expected {
    plan: Plan,
    by_name: HashMap<String, usize>,
    /// Names and aliases of the tensors that the rules keep.
    kept: HashSet<String>,
    /// Tensors of which the rules do not say what they are.
    unruled: HashSet<String>,
}

impl Expected {
    /// Of the stored tensors, or of the whole model whose slices they are, with the pairs `(alias,
    /// owner)` of names that share a tensor.
    pub(super) fn new<'a>(
        stored: impl Iterator<Item = &'a Stored>,
        part: Option<&Part>,
        ties: &[(&str, &str)],
        rules: &Rules,
    ) -> anyhow::Result<Self> {
        let describe = |name: &str, dtype, shape: &[usize]| -> Described {
            (name.to_owned(), shape.to_owned(), fillable(dtype))
        };
        let mut listed: Vec<Described> = match part {
            Some(part) => {
                part.described().map(|(name, dtype, shape)| describe(name, dtype, shape)).collect()
            }
            None => stored.map(|one| describe(&one.name, one.dtype, &one.shape)).collect(),
        };
        let unruled: HashSet<_> = listed
            .iter()
            .filter(|tensor| !is_ruled(rules, tensor))
            .map(|(name, ..)| name.clone())
            .collect();
        listed.retain(|(name, ..)| !unruled.contains(name));
        // Tied names were listed when the model was made; they count as layers and as a bias'
        // weight.
        let by_name: HashMap<&str, usize> =
            listed.iter().enumerate().map(|(i, (name, ..))| (name.as_str(), i)).collect();
        let of = |&(alias, owner): &(&str, &str)| {
            let (_, shape, dtype) = &listed[*by_name.get(owner)?];
            Some((alias.to_owned(), shape.clone(), *dtype))
        };
        let mut tied = ties.iter().filter_map(of).collect();
        listed.append(&mut tied);
        let mut plan = Plan::new(listed, rules)?;
        if let Some(Part { rank, world, .. }) = part {
            plan = plan.shard(*rank, *world)?;
        }
        let mut by_name = HashMap::new();
        for (i, entry) in plan.entries().iter().enumerate() {
            let names = [&entry.name].into_iter().chain(&entry.aliases);
            by_name.extend(names.map(|name| (name.clone(), i)));
        }
        let kept = plan.kept().iter();
        let kept = kept.flat_map(|kept| [&kept.name].into_iter().chain(&kept.aliases)).cloned();
        Ok(Expected { kept: kept.collect(), plan, by_name, unruled })
    }

    /// The plan's entry of a stored tensor, if their types and shapes agree.
    pub(super) fn of(&self, stored: &Stored) -> Option<&PlanEntry> {
        self.entry(&stored.name).filter(|entry| mismatch(entry, stored).is_none())
    }

    /// Tensors that are missing, superfluous, or of other types and shapes.
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
                None if self.is_unruled(&stored.name) || self.keeps(&stored.name) => {}
                None => problems
                    .push(format!("{}: by the rules this file has no slice of it", stored.name)),
            }
        }
        for PlanEntry { name, aliases, .. } in self.plan.entries() {
            if [name].into_iter().chain(aliases).any(|name| there.contains(name.as_str())) {
                continue;
            }
            problems.push(match metadata.get(name) {
                Some(owner) => format!(
                    "{name}: the file ties it to {owner}, and by the rules it is a tensor of its own"
                ),
                None => format!("{name}: it is missing"),
            });
        }
        problems
    }

    /// Whether the rules keep the tensor, so that its values are any.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.kept.contains(name)
    }

    /// Whether the rules do not say what the tensor is.
    pub(super) fn is_unruled(&self, name: &str) -> bool {
        self.unruled.contains(name)
    }

    fn entry(&self, name: &str) -> Option<&PlanEntry> {
        self.by_name.get(name).map(|&i| &self.plan.entries()[i])
    }
}

/// A tensor's name, shape and type, if it can be filled.
type Described = (String, Vec<usize>, Option<DType>);

/// Whether the rules say what the tensor is: they may be made for weights beside integers, and keep
/// alone is for a type that cannot be filled.
fn is_ruled(rules: &Rules, tensor: &Described) -> bool {
    let alone = || Plan::new([tensor.clone()], rules);
    match tensor.2 {
        None => alone().is_ok_and(|plan| !plan.kept().is_empty()),
        Some(dtype) => !dtype.is_integer() || alone().is_ok(),
    }
}

fn mismatch(entry: &PlanEntry, stored: &Stored) -> Option<String> {
    let Stored { name, dtype, shape, .. } = stored;
    let expected = entry.spec.local_shape().ok()?;
    let same = expected.dims() == shape && fillable(*dtype) == Some(entry.fill.dtype);
    (!same).then(|| {
        format!("{name}: it is {dtype} {shape:?}, and by the rules {} {expected}", entry.fill.dtype)
    })
}
