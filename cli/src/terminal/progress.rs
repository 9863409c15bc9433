//! Progress bars, shown on terminals only, and Ctrl-C, which ends work between two of its steps.

use std::ops::ControlFlow;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use crate::terminal::signals::{go_on, listen_to_ctrl_c};

/// [`go_on`] as an error; `left` says what the interruption leaves.
pub(crate) fn not_interrupted(left: &str) -> anyhow::Result<()> {
    ensure!(go_on().is_continue(), "interrupted; {left}");
    Ok(())
}

/// A progress bar over `bytes`.
pub(crate) fn bar(message: &'static str, bytes: u64) -> ProgressBar {
    let template =
        "{msg:9} [{bar:40}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left";
    styled(template, bytes).with_message(message)
}

pub(crate) fn styled(template: &str, len: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(len).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A fill's progress function, which moves a bar by `bytes` in total from its current position.
pub(crate) fn listener(bar: &ProgressBar, bytes: u64) -> impl FnMut(u64, u64) -> ControlFlow<()> {
    let from = bar.position();
    move |done, total| {
        bar.set_position(
            from + (u128::from(bytes) * u128::from(done) / u128::from(total.max(1))) as u64,
        );
        go_on()
    }
}
