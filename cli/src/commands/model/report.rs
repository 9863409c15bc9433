//! The output of `gpu-init model`: for people a report, or one line for each of several processes;
//! for programs a JSON object.

use serde_json::json;

use crate::backend::device::Backend;
use crate::backend::launcher::World;
use crate::commands::model::run::Outcome;
use crate::commands::model::work::Work;
use crate::terminal::output::{add_stats, binary_bytes, gb_per_s, row, speed};
use crate::terminal::plan_table;

pub(super) struct Report<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) backend: &'a Backend,
    pub(super) outcome: Outcome,
}

impl Report<'_> {
    pub(super) fn json(&self) -> serde_json::Value {
        let Report { work, outcome, .. } = self;
        let (plan, stats) = (work.plan(), &outcome.stats);
        let mut report = json!({
            "model": work.architecture,
            "rules": work.rules_source,
            "device": self.backend.name(),
            "seed": work.rules.seed(),
            "tensors": plan.entries().len(),
            "elements": plan.elements(),
            "parameters": plan.elements(),
            "bytes": plan.bytes(),
            "kept": work.kept().len(),
            "seconds": outcome.fill_seconds,
            "gb_per_s": gb_per_s(plan.bytes(), outcome.fill_seconds),
            "check_seconds": outcome.check_seconds,
            "fingerprint": outcome.fingerprint.to_string(),
            "out": work.args.out.as_ref().map(|out| out.display().to_string()),
        });
        if let Some(stats) = stats {
            add_stats(&mut report, Some(stats));
            report["agrees"] = outcome.disagreements.is_empty().into();
            report["disagreements"] = outcome.disagreements.clone().into();
        }
        if let Some(World { rank, size, .. }) = &work.world {
            report["rank"] = (*rank).into();
            report["world_size"] = (*size).into();
        }
        report
    }

    pub(super) fn text(&self) -> String {
        let Report { work, outcome, .. } = self;
        let plan = work.plan();
        if let Some(World { rank, size, .. }) = &work.world {
            let checked = match (&outcome.stats, outcome.disagreements.len()) {
                (None, _) => String::new(),
                (Some(_), 0) => ", all as their rules say".to_owned(),
                (Some(_), wrong) => format!(", {wrong} not as their rules say"),
            };
            let (tensors, bytes) = (plan.entries().len(), binary_bytes(plan.bytes()));
            let Outcome { fill_seconds, fingerprint, .. } = outcome;
            let kept = match work.kept().len() {
                0 => String::new(),
                kept => format!(" and {kept} kept"),
            };
            return format!(
                "rank {rank} of {size}: {tensors} tensors{kept}, {bytes}, {fill_seconds:.2} s{checked}, fingerprint {fingerprint}\n"
            );
        }
        let mut text = work.title();
        text += &row("device", self.backend.describe(work.args.device));
        text += &plan_table::summary(plan, &work.rules);
        let (what, check) = match &work.args.out {
            Some(_) => (" to fill and save", String::new()),
            None => (" to fill", format!(", {:.3} s to check", outcome.check_seconds)),
        };
        text += &row("time", speed(plan.bytes(), outcome.fill_seconds, what) + &check);
        let tensors = plan.entries().len();
        let checked = match (&outcome.stats, outcome.disagreements.len()) {
            (None, _) => "no; --verify does".to_owned(),
            (Some(_), 0) => {
                format!("mean, std and range of all {tensors} tensors agree with theory")
            }
            (Some(_), n) => format!("{n} of {tensors} tensors disagree with theory"),
        };
        text += &row("checked", checked);
        text += &row("fingerprint", outcome.fingerprint);
        if let Some(out) = &work.args.out {
            text += &row("saved", out.display());
        }
        text
    }
}
