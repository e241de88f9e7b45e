//! What this process has seen keys to have: a guess, which a batch's versions turn into certainty or a conflict.
//!
//! ```text
//! young ──full──> old ──full──> forgotten        a key that is asked for comes back to the young ones
//! ```
//!
//! Invariant: it holds at most `KNOWN_BYTES_MAX` of text, and the largest value that was seen.

use std::collections::HashMap;

use crate::postgres::wire::{Key, Row};

/// Text of all keys and values that are remembered.
pub const KNOWN_BYTES_MAX: usize = 64 << 20;
/// What a key weighs beside its text.
const ROW_BYTES: usize = 200;

/// See the header of this file.
#[derive(Default)]
pub struct Known {
    young: HashMap<Key, Row>,
    young_bytes: usize,
    old: HashMap<Key, Row>,
}

impl Known {
    /// What the key had when it was seen last.
    pub fn get(&mut self, key: &Key) -> Option<&Row> {
        if !self.young.contains_key(key)
            && let Some((key, row)) = self.old.remove_entry(key)
        {
            self.set(key, row);
        }
        self.young.get(key)
    }

    /// Remembers what a key has.
    pub fn set(&mut self, key: Key, row: Row) {
        let size_bytes = weight(&key, &row);
        if self.young_bytes + size_bytes > KNOWN_BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.old.remove(&key);
        let former = self.young.get(&key).map_or(0, |former| weight(&key, former));
        self.young_bytes = (self.young_bytes + size_bytes).saturating_sub(former);
        self.young.insert(key, row);
    }

    /// Forgets everything: another server may have other data.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn weight(key: &Key, row: &Row) -> usize {
    ROW_BYTES + 2 * key.key.len() + row.member.as_ref().map_or(0, |member| member.value().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::name::LogName;
    use crate::data::state::Member;
    use crate::postgres::change_id::ChangeId;

    fn key(number: usize) -> Key {
        Key { log: LogName::new("players").expect("a name"), key: format!("\"{number}\"") }
    }

    fn row(text: &str) -> Row {
        Row { version: ChangeId::NONE, member: Some(Member::new("\"k\"", text)) }
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut known = Known::default();
        let value = format!("\"{}\"", "x".repeat(100_000));
        known.set(key(0), row("0"));
        for number in 1..2000 {
            known.set(key(number), row(&value));
            assert!(known.get(&key(0)).is_some(), "asked for at each step, it is forgotten at {number}");
        }
        assert!(known.get(&key(1)).is_none());
        let held: usize = known.young.iter().chain(&known.old).map(|(key, row)| weight(key, row)).sum();
        assert!(held <= KNOWN_BYTES_MAX, "{held}");
        known.clear();
        assert!(known.get(&key(0)).is_none());
    }

    #[test]
    fn a_key_that_is_set_again_has_the_new_value() {
        let mut known = Known::default();
        known.set(key(1), row("1"));
        known.set(key(1), row("2"));
        assert_eq!(known.get(&key(1)), Some(&row("2")));
        let once = known.young_bytes;
        known.set(key(1), row("3"));
        assert_eq!(known.young_bytes, once);
    }
}
