//! What truncated normals took the host to compute, of those that were used last: half a millisecond for a table, tens of
//! microseconds for moments, and the tensors of a model have few laws.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::stream::quantile::Truncated;
use crate::stream::truncated::Table;

/// Laws kept, each with a table of 8 KiB.
const KEPT: usize = 64;

/// What was computed of a law.
#[derive(Default)]
struct Kept {
    table: OnceLock<Arc<Table>>,
    moments: OnceLock<[f64; 3]>,
}

/// The last ones used, the latest first.
static LAWS: Mutex<VecDeque<(Truncated, Arc<Kept>)>> = Mutex::new(VecDeque::new());

fn kept(law: Truncated) -> Arc<Kept> {
    let mut laws = LAWS.lock().unwrap_or_else(PoisonError::into_inner);
    let at = laws.iter().position(|(other, _)| other.has_bits_of(&law));
    let (law, kept) = at.and_then(|at| laws.remove(at)).unwrap_or_else(|| (law, Arc::default()));
    laws.push_front((law, kept.clone()));
    laws.truncate(KEPT);
    kept
}

/// [`Truncated::table`].
pub(crate) fn table(law: Truncated) -> Arc<Table> {
    kept(law).table.get_or_init(|| Arc::from(law.table())).clone()
}

/// [`Truncated::moments`].
pub(crate) fn moments(law: Truncated) -> [f64; 3] {
    *kept(law).moments.get_or_init(|| law.moments())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept is what is computed, also of laws that differ in the sign of a zero alone.
    #[test]
    fn what_is_kept_is_what_is_computed() {
        let law = |i: usize| Truncated { mean: i as f64 / 8.0, std: 1.0, low: -2.0, high: f64::INFINITY };
        let zeros = [0.0, -0.0].map(|mean| Truncated { mean, ..law(0) });
        for law in (0..KEPT + 3).map(law).chain(zeros).chain([law(1), law(KEPT)]).chain(zeros) {
            for _ in 0..2 {
                assert_eq!(table(law), Arc::from(law.table()));
                assert_eq!(moments(law), law.moments());
            }
        }
        assert!(LAWS.lock().unwrap().len() <= KEPT);
    }
}
