//! LRU cache of quantile tables and moments of truncated normals. A table takes the host half a
//! millisecond, moments tens of microseconds, and the tensors of a model have few distributions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytemuck::bytes_of;

use crate::stream::quantile::Truncated;
use crate::stream::truncated::Table;

/// Distributions in the cache, each with a table of 8 KiB.
const CAPACITY: usize = 64;

/// Computed values of a distribution.
#[derive(Default)]
struct Cached {
    table: OnceLock<Arc<Table>>,
    moments: OnceLock<[f64; 3]>,
}

/// The most recently used first.
static DISTRIBUTIONS: Mutex<VecDeque<(Truncated, Arc<Cached>)>> = Mutex::new(VecDeque::new());

fn cached(distribution: Truncated) -> Arc<Cached> {
    let mut distributions = DISTRIBUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    // By their bits: the sign of a zero counts too.
    let same = |other: &Truncated| bytes_of(other) == bytes_of(&distribution);
    let at = distributions.iter().position(|(other, _)| same(other));
    let (distribution, cached) = at
        .and_then(|at| distributions.remove(at))
        .unwrap_or_else(|| (distribution, Arc::default()));
    distributions.push_front((distribution, cached.clone()));
    distributions.truncate(CAPACITY);
    cached
}

/// [`Truncated::table`].
pub(crate) fn table(distribution: Truncated) -> Arc<Table> {
    cached(distribution).table.get_or_init(|| Arc::from(distribution.table())).clone()
}

/// [`Truncated::moments`].
pub(crate) fn moments(distribution: Truncated) -> [f64; 3] {
    *cached(distribution).moments.get_or_init(|| distribution.moments())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cache gives what is computed, also for distributions that differ in the sign of a zero
    /// alone.
    #[test]
    fn cached_values_are_the_computed_ones() {
        let distribution =
            |i: usize| Truncated { mean: i as f64 / 8.0, std: 1.0, low: -2.0, high: f64::INFINITY };
        let zeros = [0.0, -0.0].map(|mean| Truncated { mean, ..distribution(0) });
        for distribution in (0..CAPACITY + 3)
            .map(distribution)
            .chain(zeros)
            .chain([distribution(1), distribution(CAPACITY)])
            .chain(zeros)
        {
            for _ in 0..2 {
                assert_eq!(table(distribution), Arc::from(distribution.table()));
                assert_eq!(moments(distribution), distribution.moments());
            }
        }
        assert!(DISTRIBUTIONS.lock().unwrap().len() <= CAPACITY);
    }

    /// Threads that look up more distributions than the cache holds get what is computed.
    #[test]
    fn threads_share_the_cache() {
        let distribution =
            |i: usize| Truncated { mean: 0.0, std: 1.0, low: -1.0, high: i as f64 + 1.0 };
        let expected: Vec<_> = (0..CAPACITY + 8).map(|i| distribution(i).moments()).collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let expected = &expected;
                scope.spawn(move || {
                    for i in (0..2 * expected.len()).map(|i| (7 * i + thread) % expected.len()) {
                        assert_eq!(moments(distribution(i)), expected[i]);
                        if i % 16 == 0 {
                            assert_eq!(*table(distribution(i)), *distribution(i).table());
                        }
                    }
                });
            }
        });
    }
}
