//! Measures work: warm-up runs, then the median of samples and their range.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Serialize;

use crate::terminal::progress::go_on;

/// Duration of the warm-up, which has at least two runs.
const WARM_UP: Duration = Duration::from_millis(20);
/// A sample of shorter work is the mean of several runs.
const SAMPLE_SECONDS: f64 = 1e-3;
/// The most runs of a sample, however short the work is.
const MOST_RUNS: f64 = 1000.0;

/// Seconds of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Calls `run` with the number of each job, which returns the seconds it took, until each has
/// `samples`, and `done` after each sample. The jobs take turns, so that a disturbance falls into
/// one sample of each of them, and into no median.
pub(super) fn measure(
    samples: u32,
    count: usize,
    run: &mut dyn FnMut(usize) -> anyhow::Result<f64>,
    done: &mut dyn FnMut(),
) -> anyhow::Result<Vec<Spread>> {
    let mut run = |i| {
        ensure!(go_on().is_continue(), "bench was interrupted; nothing is reported");
        run(i)
    };
    let mut runs = Vec::with_capacity(count);
    for i in 0..count {
        // The first runs pay for new pages, caches and pipelines, and for threads and clocks that
        // were asleep.
        let start = Instant::now();
        run(i)?;
        let mut last = run(i)?;
        while start.elapsed() < WARM_UP {
            last = run(i)?;
        }
        runs.push((SAMPLE_SECONDS / last).clamp(1.0, MOST_RUNS) as u32);
    }
    let mut seconds = vec![Vec::with_capacity(samples as usize); count];
    for _ in 0..samples {
        for (i, (seconds, &runs)) in seconds.iter_mut().zip(&runs).enumerate() {
            if runs > 1 {
                // Its memory may fit in a cache, from which other jobs have evicted it.
                run(i)?;
            }
            let mut sum = 0.0;
            for _ in 0..runs {
                sum += run(i)?;
            }
            seconds.push(sum / f64::from(runs));
            done();
        }
    }
    Ok(seconds.into_iter().map(spread).collect())
}

/// The median and range of at least one sample.
pub(super) fn spread(mut seconds: Vec<f64>) -> Spread {
    seconds.sort_by(f64::total_cmp);
    let (half, last) = (seconds.len() / 2, seconds.len() - 1);
    // The middle, twice if there is one.
    let median = (seconds[half] + seconds[last - half]) / 2.0;
    Spread { median, min: seconds[0], max: seconds[last] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }
}
