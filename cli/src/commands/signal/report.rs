//! What passed through the networks, for people and for programs.

use serde_json::{Value, json};

use crate::commands::signal::activation::Activation;
use crate::commands::signal::line::Line;
use crate::commands::signal::network::{Moments, Signals, Size};
use crate::terminal::output::{grouped, row};
use crate::terminal::sparkline::sparkline;

/// Characters of a sparkline.
const COLUMNS: usize = 51;

pub(super) struct Report {
    pub(super) size: Size,
    pub(super) activation: Activation,
    pub(super) seed: u64,
    pub(super) device: String,
    pub(super) passed: Vec<(Line, Signals)>,
}

impl Report {
    pub(super) fn json(&self) -> Value {
        let Size { depth, width, batch } = self.size;
        let moments = |moments: &[Moments]| {
            // JSON has no infinities: null.
            json!({
                "mean": moments.iter().map(|moments| moments.mean).collect::<Vec<_>>(),
                "std": moments.iter().map(|moments| moments.std).collect::<Vec<_>>(),
            })
        };
        let line = |(line, signals): &(Line, Signals)| {
            json!({
                "init": line.initializer.to_string(),
                "label": line.to_string(),
                "fingerprint": signals.fingerprint.to_string(),
                "activations": moments(&signals.activations),
                "gradients": moments(&signals.gradients),
            })
        };
        json!({
            "device": self.device,
            "activation": self.activation.name(),
            "depth": depth,
            "width": width,
            "batch": batch,
            "seed": self.seed,
            "lines": self.passed.iter().map(line).collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(&self) -> String {
        let Size { depth, width, batch } = self.size;
        let [depth, width, batch] = [depth, width, batch].map(|size| grouped(size.into()));
        let name = self.activation.name();
        let mut text =
            format!("{name}, depth {depth}, width {width}, batch {batch}, seed {}\n", self.seed);
        text += &row("device", &self.device);
        text += &self.chart(
            "activations by layer, from the inputs on",
            |signals| stds(&signals.activations),
            |stds| (stds[0], stds[stds.len() - 1]),
        );
        text += &self.chart(
            "gradients by layer, which come from the outputs",
            |signals| stds(&signals.gradients),
            |stds| (stds[stds.len() - 1], stds[0]),
        );
        let mut title = "fingerprint";
        for (line, signals) in &self.passed {
            text += &row(title, format!("{} {line}", signals.fingerprint));
            title = "";
        }
        text
    }

    /// A sparkline for each initializer, all on one scale, with the spread at both ends of its way.
    fn chart(
        &self,
        title: &str,
        values: fn(&Signals) -> Vec<f64>,
        ends: fn(&[f64]) -> (f64, f64),
    ) -> String {
        let all: Vec<_> = self.passed.iter().map(|(_, signals)| values(signals)).collect();
        let (low, high) = range(all.iter().flatten().copied());
        let mut text = format!("\n  {title}: std, {low:.0e} to {high:.0e} by the logarithm\n");
        let label = |line: &Line| line.to_string().chars().count();
        let width = self.passed.iter().map(|(line, _)| label(line)).max().unwrap_or(0);
        for ((line, _), stds) in self.passed.iter().zip(&all) {
            let curve = sparkline(stds, low, high, COLUMNS);
            let (from, to) = ends(stds);
            let (line, verdict) = (line.to_string(), verdict(from, to));
            text += &format!("  {line:width$}  {curve}  {from:.1e} -> {to:.1e} {verdict}\n");
        }
        text
    }
}

pub(super) fn stds(moments: &[Moments]) -> Vec<f64> {
    moments.iter().map(|moments| moments.std).collect()
}

/// Powers of ten around all values that a logarithm has, at least two decades apart.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let drawn = values.filter(|value| value.is_finite() && *value > 0.0);
    let (low, high) =
        drawn.fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    if high == 0.0 {
        return (0.1, 10.0);
    }
    // A little beyond a power of ten is as good as at it.
    let high = (high.log10() - 0.05).ceil();
    let low = (low.log10() + 0.05).floor().min(high - 2.0);
    (10f64.powf(low), 10f64.powf(high))
}

/// What became of a signal on its way: within a factor of 100 it stays.
fn verdict(from: f64, to: f64) -> &'static str {
    match to / from {
        ratio if ratio < 0.01 => "vanishes",
        ratio if ratio <= 100.0 => "stays",
        _ => "explodes",
    }
}

#[cfg(test)]
mod tests {
    use super::{range, verdict};

    #[test]
    fn ranges_are_powers_of_ten() {
        assert_eq!(range([1.0, 1.02, 3e-33].into_iter()), (1e-33, 1.0));
        assert_eq!(range([0.5, 0.6].into_iter()), (0.01, 1.0));
        assert_eq!(range([0.0, f64::NAN, f64::INFINITY].into_iter()), (0.1, 10.0));
        assert_eq!(range([0.0, 30.0].into_iter()), (1.0, 100.0));
    }

    #[test]
    fn what_becomes_of_a_signal() {
        assert_eq!(verdict(1.0, 0.65), "stays");
        assert_eq!(verdict(1.0, 90.0), "stays");
        assert_eq!(verdict(1.0, 1e-33), "vanishes");
        assert_eq!(verdict(1.0, 0.0), "vanishes");
        assert_eq!(verdict(1.0, f64::INFINITY), "explodes");
    }
}
