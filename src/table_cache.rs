//! The tables of truncated normals that were used last: making one takes the host half a millisecond.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::quantile::Truncated;
use crate::truncated::Table;

/// Tables kept, of 8 KiB each: a model has few laws.
const KEPT: usize = 64;

/// The last ones used, the latest first.
static TABLES: Mutex<VecDeque<(Truncated, Arc<Table>)>> = Mutex::new(VecDeque::new());

/// The law's table, made if it was not used lately.
pub(crate) fn table(law: Truncated) -> Arc<Table> {
    let find = |tables: &mut VecDeque<(Truncated, Arc<Table>)>| {
        let at = tables.iter().position(|(other, _)| other.has_bits_of(&law))?;
        tables.remove(at)
    };
    let tables = || TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = find(&mut tables());
    // Others do not wait while one is made; two may make the same.
    let entry = known.unwrap_or_else(|| (law, Arc::from(law.table())));
    let mut tables = tables();
    find(&mut tables);
    tables.push_front(entry.clone());
    tables.truncate(KEPT);
    entry.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept is what is made, for laws whose numbers are equal but for the sign of a zero, too.
    #[test]
    fn kept_tables_are_those_made() {
        let law = |i: usize| Truncated { mean: i as f64 / 8.0, std: 1.0, low: -2.0, high: f64::INFINITY };
        let zeros = [0.0, -0.0].map(|mean| Truncated { mean, ..law(0) });
        for law in (0..KEPT + 3).map(law).chain(zeros).chain([law(1), law(KEPT)]).chain(zeros) {
            assert_eq!(table(law), Arc::from(law.table()));
            assert!(Arc::ptr_eq(&table(law), &table(law)));
        }
        assert!(TABLES.lock().unwrap().len() <= KEPT);
    }
}
