//! What truncated normals took the host to compute, of those that were used last: half a
//! millisecond for a table, tens of microseconds for moments, and the tensors of a model have few
//! distributions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::stream::quantile::Truncated;
use crate::stream::truncated::Table;

/// Distributions kept, each with a table of 8 KiB.
const KEPT: usize = 64;

/// What was computed of a distribution.
#[derive(Default)]
struct Kept {
    table: OnceLock<Arc<Table>>,
    moments: OnceLock<[f64; 3]>,
}

/// The last ones used, the latest first.
static DISTRIBUTIONS: Mutex<VecDeque<(Truncated, Arc<Kept>)>> = Mutex::new(VecDeque::new());

fn kept(distribution: Truncated) -> Arc<Kept> {
    let mut distributions = DISTRIBUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let at = distributions.iter().position(|(other, _)| other.has_bits_of(&distribution));
    let (distribution, kept) = at
        .and_then(|at| distributions.remove(at))
        .unwrap_or_else(|| (distribution, Arc::default()));
    distributions.push_front((distribution, kept.clone()));
    distributions.truncate(KEPT);
    kept
}

/// [`Truncated::table`].
pub(crate) fn table(distribution: Truncated) -> Arc<Table> {
    kept(distribution).table.get_or_init(|| Arc::from(distribution.table())).clone()
}

/// [`Truncated::moments`].
pub(crate) fn moments(distribution: Truncated) -> [f64; 3] {
    *kept(distribution).moments.get_or_init(|| distribution.moments())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept is what is computed, also of distributions that differ in the sign of a zero
    /// alone.
    #[test]
    fn what_is_kept_is_what_is_computed() {
        let distribution =
            |i: usize| Truncated { mean: i as f64 / 8.0, std: 1.0, low: -2.0, high: f64::INFINITY };
        let zeros = [0.0, -0.0].map(|mean| Truncated { mean, ..distribution(0) });
        for distribution in (0..KEPT + 3)
            .map(distribution)
            .chain(zeros)
            .chain([distribution(1), distribution(KEPT)])
            .chain(zeros)
        {
            for _ in 0..2 {
                assert_eq!(table(distribution), Arc::from(distribution.table()));
                assert_eq!(moments(distribution), distribution.moments());
            }
        }
        assert!(DISTRIBUTIONS.lock().unwrap().len() <= KEPT);
    }
}
