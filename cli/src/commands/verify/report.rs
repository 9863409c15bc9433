//! The output of `gpu-init verify`.

use std::collections::BTreeSet;
use std::path::Path;

use gpu_init::{Fingerprint, Stats};
use serde_json::{Value, json};

use crate::checkpoint::format::metadata::SHAPES;
use crate::commands::verify::compare::Compared;
use crate::commands::verify::examine::{Examination, Examined};
use crate::terminal::output::{
    add_stats, exact_bytes, gb_per_s, grouped, printable, row, shortened, speed,
};

pub(super) struct Report<'a> {
    pub(super) model: &'a Path,
    /// The number of processes that wrote it, if several did.
    pub(super) ranks: Option<u64>,
    pub(super) examination: Examination,
    /// Whether every tensor is listed.
    pub(super) verbose: bool,
    pub(super) seconds: f64,
}

impl Report<'_> {
    pub(super) fn json(&self) -> Value {
        let Examination { files, tensors, fingerprint, recorded, shapes, rules, .. } =
            &self.examination;
        let Examination { matches, problems, unchecked, metadata, .. } = &self.examination;
        let (bytes, stats) = (self.bytes(), self.stats());
        let mut report = json!({
            "model": self.model.display().to_string(),
            "files": files,
            "tensors": self.tensors(),
            "not_checked": self.not_checked(),
            "elements": stats.map_or(0, |stats| stats.count),
            "bytes": bytes,
            "seconds": self.seconds,
            "gb_per_s": gb_per_s(bytes, self.seconds),
            "metadata": metadata,
            "rules": rules.as_ref().map(|(_, source)| source),
            "seed": rules.as_ref().map(|(seed, _)| seed),
            "matches_rules": matches,
            "fingerprint": fingerprint.to_string(),
            "recorded_fingerprint": recorded,
            "shapes_fingerprint": shapes.to_string(),
            "recorded_shapes_fingerprint": metadata.get(SHAPES),
            "agrees": self.examination.agrees(),
            "problems": problems,
            "unchecked": unchecked,
        });
        add_stats(&mut report, stats.as_ref());
        if let Some(ranks) = self.ranks {
            report["world_size"] = ranks.into();
        }
        if self.verbose {
            report["each"] = tensors.iter().map(Examined::json).collect();
        }
        report
    }

    pub(super) fn text(&self) -> String {
        let Examination { files, tensors, fingerprint, recorded, shapes, .. } = &self.examination;
        let Examination { unchecked, metadata, .. } = &self.examination;
        let mut text = format!("{}\n", printable(&self.model.display().to_string()));
        if self.verbose {
            text.extend(tensors.iter().map(Examined::line));
        }
        let (bytes, stats, others) = (self.bytes(), self.stats(), self.not_checked());
        let not_checked = match others {
            0 => String::new(),
            _ => format!(", {others} of other types not checked"),
        };
        let ranks = match self.ranks {
            None => String::new(),
            Some(_) => format!(" in {files} files, one of each rank"),
        };
        text += &row("tensors", format!("{}{ranks}{not_checked}", self.tensors()));
        text += &row("elements", grouped(stats.map_or(0, |stats| stats.count)));
        text += &row("bytes", exact_bytes(bytes));
        text += &row("time", speed(bytes, self.seconds, ""));
        if let Some(Stats { mean, std, min, max, nan, infinite, .. }) = stats {
            text += &row("values", format!("mean {mean:.6e}, std {std:.6e}, {min:e} to {max:e}"));
            text += &row("NaN, inf", format!("{nan}, {infinite}"));
        }
        text += &row("rules", self.rules());
        text += &row("fingerprint", beside(fingerprint, recorded.as_ref(), "none recorded"));
        text += &row("shapes", beside(shapes, metadata.get(SHAPES), "not recorded"));
        text.extend(unchecked.iter().map(|what| row("unchecked", printable(what))));
        text
    }

    fn rules(&self) -> String {
        let Examination { rules, recorded, matches, .. } = &self.examination;
        let Some((seed, source)) = rules else {
            let fingerprint = match recorded {
                Some(_) => "only the fingerprint is checked",
                None => "nothing is checked",
            };
            return format!("none recorded, so {fingerprint}; pass --rules or --recipe");
        };
        let source = printable(source);
        match matches {
            Some(true) => format!("every element is what {source} and seed {seed} give"),
            Some(false) => format!("not what {source} and seed {seed} give"),
            None => format!("not checked against {source}, seed {seed}"),
        }
    }

    /// Counted by name, since ranks have slices of the same tensors.
    fn tensors(&self) -> usize {
        self.examination.tensors.iter().map(|one| &one.stored.name).collect::<BTreeSet<_>>().len()
    }

    fn not_checked(&self) -> usize {
        self.examination.tensors.iter().filter(|one| one.compared.is_none()).count()
    }

    fn bytes(&self) -> u64 {
        self.examination.tensors.iter().map(|one| one.stored.size()).sum()
    }

    fn stats(&self) -> Option<Stats> {
        let compared = self.examination.tensors.iter().filter_map(|one| one.compared.as_ref());
        compared.filter_map(|compared| compared.stats).reduce(|all, one| all.join(&one))
    }
}

fn beside(is: &Fingerprint, recorded: Option<&String>, none: &str) -> String {
    match recorded {
        Some(recorded) if *recorded == is.to_string() => format!("{is}, as recorded"),
        Some(recorded) => format!("{is}, recorded {}", printable(recorded)),
        None => format!("{is}, {none}"),
    }
}

impl Examined {
    fn json(&self) -> Value {
        let Examined { stored, matches, compared } = self;
        let difference = compared.as_ref().and_then(|compared| compared.difference.as_ref());
        let mut report = json!({
            "name": stored.name,
            "dtype": stored.dtype.to_string(),
            "shape": stored.shape,
            "fingerprint": compared.as_ref().map(|compared| compared.fingerprint.to_string()),
            "matches_rules": matches,
            "difference": difference.map(|difference| json!({
                "elements": difference.count,
                "first": difference.index,
                "value": difference.is.1,
                "bits": difference.is.0,
                "expected_value": difference.expected.1,
                "expected_bits": difference.expected.0,
            })),
        });
        add_stats(&mut report, compared.as_ref().and_then(|compared| compared.stats.as_ref()));
        report
    }

    fn line(&self) -> String {
        let Examined { stored, compared, .. } = self;
        let measured = match compared {
            Some(Compared { fingerprint, stats, difference, disagreement }) => {
                let stats = stats.map(|Stats { mean, std, min, max, .. }| {
                    format!("  mean {mean:>13.6e}  std {std:.6e}  {min:e} to {max:e}")
                });
                let verdict = match (difference, disagreement) {
                    (Some(difference), _) => format!("  {} differ", difference.count),
                    (None, Some(_)) => "  not its distribution".to_owned(),
                    (None, None) => String::new(),
                };
                format!("{fingerprint}{}{verdict}", stats.unwrap_or_default())
            }
            None => "not checked".to_owned(),
        };
        let (dtype, shape) = (stored.dtype.to_string(), shortened(&format!("{:?}", stored.shape)));
        format!("  {dtype:<4} {shape:<20} {measured}  {}\n", shortened(&printable(&stored.name)))
    }
}
