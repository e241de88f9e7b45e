//! What calls need to know before they are folded into a batch: from memory where a guess will do, else from the server.
//!
//! Invariant: a guess is used only where the batch depends on its version, and for one view of several keys only where all
//! of them were read at one moment.

use hashbrown::{HashMap, HashSet};

use crate::postgres::fold::{Rows, for_each_key, needs_one_view};
use crate::postgres::known::Known;
use crate::postgres::wire::{Key, Lock, Row};
use crate::store::request::Request;

/// See the header of this file.
pub struct ReadAhead {
    rows: Rows,
    wanted: Vec<Key>,
}

impl ReadAhead {
    /// What these calls need, with what is known of their keys and what was `just_read`. What is locked is read in any case.
    #[must_use]
    pub fn of<'a>(
        requests: impl Iterator<Item = &'a Request>,
        known: &mut Known,
        just_read: &HashMap<Key, Row>,
        (lock, now_ms): (Lock, i64),
    ) -> Self {
        let mut rows = Rows::default();
        let mut wanted = HashSet::new();
        for request in requests {
            let needs_one_view = needs_one_view(&request.work);
            let mut is_all_known = true;
            let mut group = Vec::new();
            for_each_key(request, |key, freshness| {
                let is_new = just_read.contains_key(&key);
                let known = just_read.get(&key).or_else(|| known.get(&key));
                let is_enough =
                    |row: &&Row| lock == Lock::Free && (is_new || freshness.is_enough(row, now_ms));
                if let Some(row) = known.filter(is_enough) {
                    if needs_one_view {
                        group.push(key.clone());
                    }
                    rows.set(key, row.clone());
                } else {
                    is_all_known = false;
                    wanted.insert(key);
                }
            });
            if !is_all_known {
                // What is known of the others may be of an earlier moment.
                wanted.extend(group);
            }
        }
        let mut wanted: Vec<Key> = wanted.into_iter().collect();
        wanted.sort_unstable();
        let at_once = if wanted.is_empty() { just_read.keys().cloned().collect() } else { wanted.clone() };
        rows.are_of_one_moment(at_once.into_iter());
        Self { rows, wanted }
    }

    /// The keys that the server is to be asked for, in their order.
    #[must_use]
    pub fn wanted(&self) -> &[Key] {
        &self.wanted
    }

    /// All that is known, with what the server has of the keys that were wanted, in their order.
    #[must_use]
    pub fn with(self, found: Vec<Row>, known: &mut Known) -> Rows {
        let Self { mut rows, wanted } = self;
        for (key, row) in wanted.into_iter().zip(found) {
            known.set(key.clone(), row.clone());
            rows.set(key, row);
        }
        rows
    }
}
