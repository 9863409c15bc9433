//! The measurements of a model, as a table for people and as JSON.

use gpu_init::Fingerprint;
use serde_json::{Value, json};

use crate::backend::device::Backend;
use crate::commands::bench::measure::Spread;
use crate::commands::bench::model::steps::{Seconds, Step};
use crate::commands::model::Work;
use crate::terminal::output::{binary_bytes, figure, gb_per_s, grouped, row};

pub(super) struct Report<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) samples: u32,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) devices: Vec<Measured>,
}

pub(super) struct Measured {
    name: String,
    details: String,
    seconds: Seconds,
}

impl Measured {
    pub(super) fn new(backend: &Backend, seconds: Seconds) -> Self {
        let threads = rayon::current_num_threads();
        let details = match backend {
            Backend::Cpu(_) => format!("{threads} thread{}", if threads == 1 { "" } else { "s" }),
            Backend::Gpu(_) => "wall time".to_owned(),
        };
        Measured { name: backend.name(), details, seconds }
    }

    fn of(&self, step: Step) -> Option<Spread> {
        self.seconds.iter().find_map(|&(other, seconds)| (other == step).then_some(seconds))
    }

    /// The steps of the work that were measured, each with its limits.
    fn steps(&self) -> impl Iterator<Item = (Step, Spread, Vec<(Step, Spread)>)> {
        let steps = Step::WORK.into_iter().filter_map(|step| Some((step, self.of(step)?)));
        steps.map(|(step, seconds)| {
            let limits = step.limits().iter();
            (step, seconds, limits.filter_map(|&limit| Some((limit, self.of(limit)?))).collect())
        })
    }
}

impl Step {
    const WORK: [Step; 4] = [Step::Fill, Step::Check, Step::Save, Step::Verify];

    fn name(self) -> &'static str {
        match self {
            Step::Fill => "fill",
            Step::Check => "check",
            Step::Save => "save",
            Step::Verify => "verify",
            Step::PlainMemory => "one value in a plain vector, page faults",
            Step::NewMemory => "one value in new tensors, page faults",
            Step::Memory => "one value again, memory write",
            Step::Disk => "plain writes and fsync, disk",
            Step::Read => "reading the file",
        }
    }

    /// What a step is compared with.
    fn limits(self) -> &'static [Step] {
        match self {
            Step::Fill => &[Step::NewMemory, Step::PlainMemory, Step::Memory],
            Step::Check => &[Step::Fill, Step::Memory],
            Step::Save => &[Step::Disk],
            Step::Verify => &[Step::Read, Step::Fill],
            _ => &[],
        }
    }
}

impl Report<'_> {
    /// Bytes of a step a second; a file has the tensors that are kept, too.
    fn speed(&self, step: Step, seconds: Spread) -> f64 {
        let is_of_file = matches!(step, Step::Disk | Step::Save | Step::Read | Step::Verify);
        let bytes = if is_of_file { self.work.bytes() } else { self.work.plan().bytes() };
        gb_per_s(bytes, seconds.median)
    }

    pub(super) fn json(&self) -> Value {
        let limit = |of: Spread, (limit, seconds): (Step, Spread)| {
            json!({
                "limit": limit.name(),
                "seconds": seconds,
                "gb_per_s": self.speed(limit, seconds),
                "times": of.median / seconds.median,
            })
        };
        let step = |(step, seconds, limits): (Step, Spread, Vec<(Step, Spread)>)| {
            json!({
                "step": step.name(),
                "seconds": seconds,
                "gb_per_s": self.speed(step, seconds),
                "limits": limits.into_iter().map(|it| limit(seconds, it)).collect::<Vec<_>>(),
            })
        };
        let device = |device: &Measured| {
            json!({
                "name": device.name,
                "details": device.details,
                "steps": device.steps().map(step).collect::<Vec<_>>(),
            })
        };
        let Report { work, samples, fingerprint, devices } = self;
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "samples": samples,
            "model": work.architecture,
            "rules": work.rules_source,
            "seed": work.rules.seed(),
            "tensors": work.plan().entries().len(),
            "elements": work.plan().elements(),
            "bytes": work.plan().bytes(),
            "fingerprint": fingerprint.map(|fingerprint| fingerprint.to_string()),
            "devices": devices.iter().map(device).collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(&self) -> String {
        let Report { work, samples, fingerprint, devices } = self;
        let plan = work.plan();
        let (tensors, elements) = (plan.entries().len(), grouped(plan.elements()));
        let mut text = work.title();
        let bytes = binary_bytes(plan.bytes());
        text += &row("tensors", format!("{tensors}, {elements} elements, {bytes}"));
        text += &row("samples", samples);
        for Measured { name, details, .. } in devices {
            text += &row("device", format!("{name}, {details}"));
        }
        if let Some(fingerprint) = fingerprint {
            text += &row("fingerprint", fingerprint);
        }
        text + &devices.iter().map(|device| self.table(device)).collect::<String>()
    }

    fn table(&self, device: &Measured) -> String {
        let mut text = format!(
            "\n{}\n  {:<7} {:>8}  {:<19} {:>6}  {:<40} {:>8} {:>6}  {:>6}\n",
            device.name,
            "step",
            "seconds",
            "(min .. max)",
            "GB/s",
            "limit",
            "seconds",
            "GB/s",
            "times"
        );
        for (step, seconds, limits) in device.steps() {
            let Spread { median, min, max } = seconds;
            let range = format!("({} .. {})", figure(min), figure(max));
            let (mut name, mut figures) = (
                step.name(),
                format!(
                    "{:>8}  {range:<19} {:>6}",
                    figure(median),
                    figure(self.speed(step, seconds))
                ),
            );
            for (limit, of_limit) in limits {
                text += &format!(
                    "  {name:<7} {figures:36}  {:<40} {:>8} {:>6}  {:>6}\n",
                    limit.name(),
                    figure(of_limit.median),
                    figure(self.speed(limit, of_limit)),
                    figure(median / of_limit.median)
                );
                (name, figures) = ("", String::new());
            }
        }
        text
    }
}
