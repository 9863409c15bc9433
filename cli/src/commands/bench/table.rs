//! The measurements as a table for people.

use crate::commands::bench::device::About;
use crate::commands::bench::measure::Spread;
use crate::commands::bench::report::{Measured, Report, Row};
use crate::commands::bench::summary;
use crate::terminal::output::figure;

pub(super) fn table(report: &Report) -> String {
    report.devices.iter().map(device).collect::<Vec<_>>().join("\n")
}

fn device(device: &Measured) -> String {
    let About { name, details, timing, write, .. } = &device.about;
    let mut text = format!("{name}: {details}; {timing}; write bandwidth by {write}\n");
    let mut last: Option<&Row> = None;
    for row in &device.rows {
        if last.is_none_or(|last| last.by != row.by || last.dtype != row.dtype) {
            text += &format!("\n  {} {}\n", row.dtype, row.by.name());
            text += &format!(
                "  {:<18} {:>8} {:>10}  {:<21} {:>9} {:>11} {:>7}\n",
                "initializer",
                "elements",
                "ns/element",
                "(min .. max)",
                "GB/s",
                "write GB/s",
                "share"
            );
            last = None;
        }
        // Each name only once.
        let is_new = last.is_none_or(|last| last.initializer != row.initializer);
        let name = if is_new { row.initializer.name() } else { "" };
        let Spread { median, min, max } = row.ns_per_element();
        let (median, range) = (figure(median), format!("({} .. {})", figure(min), figure(max)));
        let (share, size) = (format!("{:.1}%", 100.0 * row.share()), format!("2^{}", row.size));
        text += &format!(
            "  {name:<18} {size:>8} {median:>10}  {range:<21} {:>9} {:>11} {share:>7}\n",
            figure(row.gb_per_s()),
            figure(row.write_gb_per_s())
        );
        last = Some(row);
    }
    for line in summary::lines(device) {
        text += &format!("\n  {line}");
    }
    text + "\n"
}
