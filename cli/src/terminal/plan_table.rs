//! A plan as text and JSON: a table of its tensors, and a summary by rules.

use gpu_init::{Plan, PlanEntry, Rules};
use serde_json::{Value, json};

use crate::terminal::output::{exact_bytes, grouped, printable, row, shortened};

/// One row per tensor: its rule's number, its distribution, the standard deviation, and its size.
pub(crate) fn table(plan: &Plan) -> String {
    let head =
        ["tensor", "shape", "dtype", "rule", "distribution", "std", "bytes"].map(str::to_owned);
    let mut rows = vec![head];
    for entry in plan.entries() {
        let name = printable(&entry.name);
        rows.push([
            name.clone(),
            entry.spec.shape().to_string(),
            entry.fill.dtype.to_string(),
            number(entry).map_or_else(|| "-".to_owned(), |number| number.to_string()),
            distribution(entry),
            (entry.fill.distribution.std() as f32).to_string(),
            grouped(entry.fill.bytes()),
        ]);
        for alias in &entry.aliases {
            let mut cells = [const { String::new() }; 7];
            (cells[0], cells[4]) = (printable(alias), format!("tied to {name}"));
            rows.push(cells);
        }
    }
    rows.iter_mut().flatten().for_each(|cell| *cell = shortened(cell));
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c, d, e, f, g] = std::array::from_fn(width);
    let line = |[tensor, shape, dtype, rule, distribution, std, bytes]: &[String; 7]| {
        let line = format!(
            "{tensor:a$}  {shape:b$}  {dtype:c$}  {rule:>d$}  {distribution:e$}  {std:f$}  {bytes:>g$}"
        );
        line.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The rules in use, each with its number, its tensors and elements; and the totals.
pub(crate) fn summary(plan: &Plan, rules: &Rules) -> String {
    let defaults = plan.entries().iter().find(|entry| entry.rule.is_none());
    let mut rows = Vec::new();
    for (index, rule) in rules.rules().iter().enumerate() {
        let name = format!("{}. {}", index + 1, printable(&rule.to_string()));
        rows.push((Some(index), shortened(&rule.init()), name));
    }
    rows.extend(defaults.map(|entry| {
        (None, shortened(&entry.spec.initializer().to_string()), "default".to_owned())
    }));
    let width = rows.iter().map(|(_, init, _)| init.chars().count()).max().unwrap_or(0);
    let mut text = row("tensors", plan.entries().len());
    for (index, init, rule) in rows {
        let same: Vec<_> = plan.entries().iter().filter(|entry| entry.rule == index).collect();
        if !same.is_empty() {
            let elements = same.iter().map(|entry| entry.fill.len).sum();
            let (count, elements) = (same.len(), grouped(elements));
            text += &row("", format!("{count:>5} {init:width$} {elements:>14}  {rule}"));
        }
    }
    text += &row("parameters", grouped(plan.elements()));
    text += &row("bytes", exact_bytes(plan.bytes()));
    text
}

/// The entries as JSON; rules count from 1, as in the table.
pub(crate) fn entries(plan: &Plan) -> Value {
    let entry = |entry: &PlanEntry| {
        let distribution = &entry.fill.distribution;
        json!({
            "name": entry.name,
            "aliases": entry.aliases,
            "shape": entry.spec.shape().dims(),
            "dtype": entry.fill.dtype.to_string(),
            "rule": number(entry),
            "init": entry.spec.initializer().to_string(),
            "scale": entry.scale,
            "mean": distribution.mean(),
            "std": distribution.std(),
            "bounds": distribution.bounds(),
            "elements": entry.fill.len,
            "bytes": entry.fill.bytes(),
            "stream": entry.fill.stream,
            "shard_dim": entry.shard_dim,
        })
    };
    plan.entries().iter().map(entry).collect()
}

/// The number of an entry's rule, from 1; none for the default.
fn number(entry: &PlanEntry) -> Option<usize> {
    entry.rule.map(|index| index + 1)
}

/// The initializer, and what the rule multiplies it by.
fn distribution(entry: &PlanEntry) -> String {
    let initializer = entry.spec.initializer();
    if entry.scale == 1.0 {
        initializer.to_string()
    } else {
        format!("{initializer} * {}", entry.scale as f32)
    }
}
