//! Properties of plans, whatever the tensors and the rules.

use std::collections::{BTreeMap, BTreeSet};

use gpu_init::{DType, Plan, PlanEntry, Rules};

use crate::check_message;

pub(crate) type Tensor = (String, Vec<usize>, Option<DType>);

/// Checks the plan that rules make of some tensors.
pub(crate) fn check(tensors: &[Tensor], rules: &Rules) {
    let backwards = Plan::new(tensors.iter().rev().cloned(), rules);
    let plan = match Plan::new(tensors.iter().cloned(), rules) {
        Ok(plan) => plan,
        Err(error) => return check_message(error),
    };
    check_sizes(&plan);
    let kept = plan.kept().iter().flat_map(|kept| kept.aliases.iter().chain([&kept.name]));
    let filled = plan.entries().iter().flat_map(|entry| entry.aliases.iter().chain([&entry.name]));
    let planned: Vec<_> = kept.chain(filled).collect();
    let names: BTreeSet<_> = tensors.iter().map(|(name, ..)| name).collect();
    assert_eq!(planned.len(), names.len(), "a tensor is missing or comes twice");
    assert_eq!(planned.into_iter().collect::<BTreeSet<_>>(), names);
    assert_eq!(by_name(&plan), by_name(&backwards.unwrap()), "the order matters");
    check_shards(&plan);
}

/// The sums are those of integers that cannot overflow.
fn check_sizes(plan: &Plan) {
    let sum = |of: fn(&PlanEntry) -> u64| plan.entries().iter().map(|it| u128::from(of(it))).sum();
    assert_eq!(u128::from(plan.elements()), sum(|entry| entry.fill.len));
    assert_eq!(u128::from(plan.bytes()), sum(|entry| entry.fill.bytes()));
}

fn by_name(plan: &Plan) -> BTreeMap<&str, String> {
    plan.entries().iter().map(|entry| (&*entry.name, format!("{:?}", entry.fill))).collect()
}

/// The ranks' shards are the plan: no element is missing, and none comes twice.
fn check_shards(plan: &Plan) {
    let mut elements: BTreeMap<String, u128> = BTreeMap::new();
    for rank in 0..3 {
        match plan.shard(rank, 3) {
            Ok(shard) => {
                check_sizes(&shard);
                for entry in shard.entries() {
                    *elements.entry(entry.name.clone()).or_default() += u128::from(entry.fill.len);
                }
            }
            Err(error) => return check_message(error),
        }
    }
    for entry in plan.entries() {
        assert_eq!(elements.get(&entry.name), Some(&u128::from(entry.fill.len)), "{}", entry.name);
    }
}
