//! A plan as text and JSON: a table of its tensors, and a summary by rules.

use gpu_init::{KeptTensor, Plan, PlanEntry, Rules};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::terminal::output::{exact_bytes, grouped, printable, row, shortened};

const HEAD: [&str; 9] =
    ["tensor", "shape", "dtype", "rule", "distribution", "fan_in", "fan_out", "std", "bytes"];

/// One row per tensor: its rule's number, its distribution, fans and standard deviation, its size.
pub(crate) fn table(plan: &Plan) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for entry in plan.entries() {
        let name = printable(&entry.name);
        let fans = entry.spec.fan_in_and_out();
        let fan = |fan: Option<u64>| fan.map_or_else(|| "-".to_owned(), |fan| fan.to_string());
        rows.push([
            name.clone(),
            entry.spec.shape().to_string(),
            entry.fill.dtype.to_string(),
            number(entry).map_or_else(|| "-".to_owned(), |number| number.to_string()),
            distribution(entry),
            fan(fans.map(|(fan_in, _)| fan_in)),
            fan(fans.map(|(_, fan_out)| fan_out)),
            (entry.fill.distribution.std() as f32).to_string(),
            grouped(entry.fill.bytes()),
        ]);
        for alias in &entry.aliases {
            let mut cells = [const { String::new() }; HEAD.len()];
            (cells[0], cells[4]) = (printable(alias), format!("tied to {name}"));
            rows.push(cells);
        }
    }
    for kept in plan.kept() {
        let mut cells = [const { String::new() }; HEAD.len()];
        (cells[0], cells[1]) = (printable(&kept.name), kept.shape.to_string());
        cells[2] = kept.dtype.map_or_else(String::new, |dtype| dtype.to_string());
        cells[3] = kept.rule.map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
        cells[4] = "keep".to_owned();
        rows.push(cells);
    }
    rows.iter_mut().flatten().for_each(|cell| *cell = shortened(cell));
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let line = |cells: &[String; HEAD.len()]| {
        let cells = HEAD.iter().zip(cells).zip(widths).map(|((head, cell), width)| match *head {
            "rule" | "fan_in" | "fan_out" | "bytes" => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
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
    if !plan.kept().is_empty() {
        text +=
            &row("kept", format!("{} other tensors, as the source has them", plan.kept().len()));
    }
    text += &row("parameters", grouped(plan.elements()));
    text += &row("bytes", exact_bytes(plan.bytes()));
    text
}

/// The entries as JSON, one after the other; rules count from 1, as in the table.
pub(crate) struct Entries<'a>(pub(crate) &'a Plan);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.entries().iter().map(json_entry))
    }
}

fn json_entry(entry: &PlanEntry) -> Value {
    let (distribution, fans) = (&entry.fill.distribution, entry.spec.fan_in_and_out());
    json!({
        "name": entry.name,
        "aliases": entry.aliases,
        "shape": entry.spec.shape().dims(),
        "dtype": entry.fill.dtype.to_string(),
        "rule": number(entry),
        "init": entry.spec.initializer().to_string(),
        "fan_in": fans.map(|(fan_in, _)| fan_in),
        "fan_out": fans.map(|(_, fan_out)| fan_out),
        "scale": entry.scale,
        "mean": distribution.mean(),
        "std": distribution.std(),
        "bounds": distribution.bounds(),
        "elements": entry.fill.len,
        "bytes": entry.fill.bytes(),
        "stream": entry.fill.stream,
        "shard_dim": entry.shard_dim,
    })
}

/// The tensors that are kept, as JSON.
pub(crate) fn kept(plan: &Plan) -> Value {
    let kept = |kept: &KeptTensor| {
        json!({
            "name": kept.name,
            "aliases": kept.aliases,
            "shape": kept.shape.dims(),
            "dtype": kept.dtype.map(|dtype| dtype.to_string()),
            "rule": kept.rule.map(|index| index + 1),
        })
    };
    plan.kept().iter().map(kept).collect()
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
