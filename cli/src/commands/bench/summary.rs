//! A summary: ratios of rows that were measured in turns.

use gpu_init::{DType, Distribution, TensorSpec};

use crate::commands::bench::by::By;
use crate::commands::bench::report::{Measured, Row};
use crate::terminal::output::{binary_bytes, figure};

/// Time grows linearly from here on.
const LINEAR: u32 = 20;

/// One line for each distribution and element type, for the largest tensor, then how the time grows
/// with the size.
pub(super) fn lines(device: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    for row in device.rows.iter().filter(|row| row.by == By::GpuInit) {
        let same = |other: &&Row| (other.initializer, other.dtype) == (row.initializer, row.dtype);
        let rows: Vec<&Row> = device.rows.iter().filter(same).collect();
        let ours = || rows.iter().copied().filter(|other| other.by == By::GpuInit);
        if ours().any(|other| other.size > row.size) {
            continue;
        }
        let title = format!("{} {} 2^{}", row.initializer.name(), row.dtype, row.size);
        lines.push(format!("{title}: {}", ratios(row, &rows).join("; ")));
        let large: Vec<f64> = ours()
            .filter(|row| row.size >= LINEAR)
            .map(|row| row.ns_per_element().median)
            .collect();
        let least = large.iter().copied().fold(f64::INFINITY, f64::min);
        let most = large.iter().copied().fold(0.0, f64::max);
        let (is_normal, of_row) = (is_normal(row), row.ns_per_element().median);
        if is_normal && row.dtype == DType::F32 && large.len() > 1 {
            lines.push(format!(
                "{title}: from 2^{LINEAR} on {} to {} ns/element, {:.1}% apart",
                figure(least),
                figure(most),
                100.0 * (most / least - 1.0)
            ));
        }
        // The cost of several dispatches, compared with the largest tensor of one.
        let Some(window) = device.about.window.filter(|&window| row.bytes() > window) else {
            continue;
        };
        let of_one = |other: &&Row| other.bytes() <= window && other.size >= LINEAR;
        let one = ours().filter(of_one).max_by_key(|row| row.size);
        if let Some(one) = one.filter(|_| is_normal) {
            lines.push(format!(
                "{title}: {} dispatches of {} take {:+.1}% per element compared with the one of 2^{}",
                row.bytes().div_ceil(window),
                binary_bytes(window),
                100.0 * (of_row / one.ns_per_element().median - 1.0),
                one.size
            ));
        }
    }
    lines
}

fn is_normal(row: &Row) -> bool {
    let distribution =
        TensorSpec::new([2, 2], row.initializer).resolve(0, 0).map(|fill| fill.distribution);
    matches!(distribution, Ok(Distribution::Normal { .. }))
}

/// Ratios to peers, and to writing alone.
fn ratios(row: &Row, rows: &[&Row]) -> Vec<String> {
    let by = |by: By| {
        let same = rows.iter().find(|other| other.by == by && other.size == row.size);
        same.map(|row| row.seconds.median)
    };
    let ours = row.seconds.median;
    let mut ratios = vec![format!("{:.1}% of the write bandwidth", 100.0 * row.share())];
    if let Some(built_ins) = by(By::BuiltIns) {
        let times = figure(ours / built_ins);
        ratios.push(format!("portable bits take {times} times as long as WGSL built-ins"));
    }
    if let Some(one) = by(By::OneThread) {
        let beside = [
            (By::SmallRng, "SmallRng's"),
            (By::RandDistrPhilox, "Philox4x32's"),
            (By::PlainPhilox, "a plain Philox's"),
        ];
        let beside = beside
            .iter()
            .filter_map(|&(other, name)| Some(format!("{} times {name}", figure(by(other)? / one))))
            .collect::<Vec<_>>();
        if !beside.is_empty() {
            ratios.push(format!("one thread has {} speed", beside.join(", ")));
        }
        ratios.push(format!("all threads {} times one's", figure(one / ours)));
        ratios.push(format!("they take {} times as long as a constant", figure(1.0 / row.share())));
    }
    ratios
}
