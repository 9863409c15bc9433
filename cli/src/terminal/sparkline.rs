//! A curve on one line of the terminal.

/// Eighths of a character's height.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `values` from the logarithm of `low` to that of `high`, in at most `columns` characters.
/// Zero is drawn as a space, a value that is not finite as `!`.
pub(crate) fn sparkline(values: &[f64], low: f64, high: f64, columns: usize) -> String {
    let block = |&value: &f64| match value {
        value if !value.is_finite() => '!',
        value if value <= 0.0 => ' ',
        value => {
            let position = (value / low).ln() / (high / low).ln() * BLOCKS.len() as f64;
            // A float-to-integer cast saturates at 0.
            BLOCKS[(position as usize).min(BLOCKS.len() - 1)]
        }
    };
    let columns = columns.min(values.len());
    // The first value and the last one are always there.
    let index = |column: usize| match columns {
        0 | 1 => 0,
        columns => column * (values.len() - 1) / (columns - 1),
    };
    (0..columns).map(|column| block(&values[index(column)])).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn values_are_drawn_by_their_logarithm() {
        let decades: Vec<f64> = (0..8).map(|power| 10f64.powf(f64::from(power) - 3.5)).collect();
        assert_eq!(sparkline(&decades, 1e-4, 1e4, 99), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&decades, 1e-4, 1e4, 3), "▁▄█");
        assert_eq!(sparkline(&decades, 1e-4, 1e4, 1), "▁");
        assert_eq!(sparkline(&[0.0, 1e-9, 1e9, f64::INFINITY, f64::NAN], 1e-4, 1e4, 5), " ▁█!!");
        assert_eq!(sparkline(&[], 1.0, 2.0, 5), "");
    }
}
