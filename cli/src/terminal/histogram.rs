//! A small histogram for the terminal.

const COLUMNS: usize = 49;
const ROWS: usize = 5;
/// Eighths of a character's height.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the counts of `values` from `low` to `high`; values outside count at the ends.
pub(crate) fn histogram(values: &[f32], low: f64, high: f64) -> String {
    let mut counts = [0usize; COLUMNS];
    for &value in values {
        let position = (f64::from(value) - low) / (high - low) * COLUMNS as f64;
        // A float-to-integer cast saturates, so values outside count at the ends.
        counts[(position as usize).min(COLUMNS - 1)] += 1;
    }
    let tallest = counts.into_iter().max().unwrap_or(0).max(1);
    let eighths = counts.map(|count| (count * ROWS * 8).div_ceil(tallest));
    let mut text = String::new();
    for row in (0..ROWS).rev() {
        let line: String =
            eighths.iter().map(|&height| BLOCKS[height.saturating_sub(row * 8).min(8)]).collect();
        text += &format!("  {}\n", line.trim_end());
    }
    let (left, right) = (format!("{low:.4}"), format!("{high:.4}"));
    text +=
        &format!("  {left}{right:>width$}\n", width = COLUMNS.saturating_sub(left.chars().count()));
    text
}
