//! Lines for people and JSON for programs. A closed pipe is an error like any other, never a panic.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};

use anyhow::Context;
use gpu_init::Stats;
use serde::Serialize;
use serde_json::Value;

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")
}

/// One JSON object on a line of its own, which need not be in memory at once.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut stdout, value)
        .map_err(io::Error::from)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")
}

/// A report, as JSON for programs or as text for people.
pub(crate) fn print_report<J: Serialize>(
    as_json: bool,
    json: impl FnOnce() -> J,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if as_json { print_json(&json()) } else { print(&text()) }
}

/// Writes one line to standard error; a failure to do so cannot be reported.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "gpu-init: {}", shortened_to(LINE, &printable(line)));
}

/// An error and its causes. Repetitions are left out: some errors include their cause.
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

/// Text on one line without control characters: names and texts from files may have any.
pub(crate) fn printable(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// Characters of a table's cell: wider than a terminal, and far below the widths that formatting
/// accepts.
const CELL: usize = 120;

/// Characters of an error: names and options in it may be of any length.
const LINE: usize = 4000;

pub(crate) fn shortened(text: &str) -> String {
    shortened_to(CELL, text)
}

/// Shortens a text of more than `most` characters to its beginning and its end.
fn shortened_to(most: usize, text: &str) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let half = (most - 1) / 2;
    let (start, end) = (text.chars().take(half), text.chars().skip(length - half));
    start.chain(['…']).chain(end).collect()
}

/// A labelled line of a report.
pub(crate) fn row(label: &str, value: impl Display) -> String {
    format!("  {label:<13}{value}\n")
}

/// 45088768 as 45,088,768.
pub(crate) fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Bytes in binary units, as memory is sold.
pub(crate) fn binary_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

pub(crate) fn exact_bytes(bytes: u64) -> String {
    format!("{} ({})", grouped(bytes), binary_bytes(bytes))
}

/// Adds the statistics to a JSON report, null without any.
pub(crate) fn add_stats(report: &mut Value, stats: Option<&Stats>) {
    report["mean"] = stats.map(|stats| stats.mean).into();
    report["std"] = stats.map(|stats| stats.std).into();
    report["min"] = stats.map(|stats| stats.min).into();
    report["max"] = stats.map(|stats| stats.max).into();
    report["nan"] = stats.map(|stats| stats.nan).into();
    report["infinite"] = stats.map(|stats| stats.infinite).into();
}

pub(crate) fn speed(bytes: u64, seconds: f64, what: &str) -> String {
    format!("{seconds:.3} s{what} ({:.2} GB/s)", gb_per_s(bytes, seconds))
}

/// 10^9 bytes a second.
pub(crate) fn gb_per_s(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / seconds.max(1e-9) / 1e9
}

/// A number with three significant digits.
pub(crate) fn figure(value: f64) -> String {
    // Rounded first: 9.998 is 10.0.
    let value: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    let decimals =
        if value > 0.0 { (2 - value.log10().floor() as i32).clamp(0, 9) as usize } else { 0 };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{figure, reasons};

    #[test]
    fn no_cause_is_said_twice() {
        let full = || anyhow!(std::io::Error::other("No space left"));
        let said = "cannot write x: No space left";
        assert_eq!(reasons(&full().context("cannot write x")), said);
        let twice = full().context("failed to persist: No space left").context("cannot write x");
        assert_eq!(reasons(&twice), "cannot write x: failed to persist: No space left");
    }

    #[test]
    fn figures_have_three_digits() {
        let figures = [0.00123456, 0.1, 1.5, 12.345, 123.456, 2345.6, 9.998].map(figure);
        assert_eq!(figures, ["0.00123", "0.100", "1.50", "12.3", "123", "2350", "10.0"]);
    }
}
