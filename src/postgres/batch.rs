//! What the calls of a batch come to: one effect a key, and the entries of all of them.
//!
//! ```text
//! set a=1   update a   set b=2   delete a     ──>   keys: a removed (from the version that was read), b=2
//!                                                   entries: a=1, a=…, b=2, delete a
//! ```
//!
//! Invariant: a key that a call read is expected to have the version that it read, unless an earlier call of the batch
//! gave it its value.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::data::change::Change;
use crate::data::entry_text::{EntryText, KeyChange, Spelling};
use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::postgres::change_id::ChangeId;
use crate::postgres::wire::{Commit, Effect, Key, KeyEffect, NewEntry, Op, Row};
use crate::store::rule::View;

/// See the header of this file.
#[derive(Default)]
pub struct Batch {
    slots: BTreeMap<Key, Slot>,
    /// What the keys of each log have behind the calls so far.
    values: HashMap<LogName, HashMap<String, Option<Member>>>,
    entries: Vec<NewEntry>,
    size_bytes: usize,
    next_position: u32,
    nothing: State,
}

struct Slot {
    expected: Option<ChangeId>,
    was_there: bool,
    position: u32,
    effect: Effect,
}

impl Slot {
    /// Of a key that nobody read.
    fn unread() -> Self {
        Self { expected: None, was_there: false, position: 0, effect: Effect::Keep }
    }
}

impl Batch {
    /// Whether no call has left anything in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.entries.is_empty()
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn is_change(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Bytes of text that it will send, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Keys and entries.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.slots.len() + self.entries.len()
    }

    /// The value of a key behind the calls so far, where one of them gave it one or read it.
    #[must_use]
    pub fn value(&self, key: &Key) -> Option<&Option<Member>> {
        self.values.get(&key.log).and_then(|values| values.get(&key.key))
    }

    /// A call reads this key, which has this row.
    pub fn read(&mut self, key: &Key, row: &Row) {
        if self.slots.contains_key(key) {
            return;
        }
        let (expected, was_there) = (Some(row.version), row.member.is_some());
        self.slots.insert(key.clone(), Slot { expected, was_there, ..Slot::unread() });
        self.values.entry(key.log.clone()).or_default().insert(key.key.clone(), row.member.clone());
    }

    /// The data of a log as a rule sees it that reads single keys.
    pub fn view(&mut self, log: &LogName, now_ms: i64) -> View<'_> {
        let values = self.values.entry(log.clone()).or_default();
        View::staged(&self.nothing, values, now_ms)
    }

    /// A call changes the data.
    pub fn change(&mut self, log: &LogName, change: Change) {
        match change {
            Change::Set(member) => {
                self.note(log, Op::Set, &member);
                self.set(log, member);
            }
            Change::SetMany(members) => {
                let ops = std::iter::once(Op::Data).chain(std::iter::repeat(Op::Member));
                for (op, member) in ops.zip(members) {
                    self.note(log, op, &member);
                    self.set(log, member);
                }
            }
            Change::Delete(key) => {
                self.note_at(log, Op::Delete, (Some(key.clone()), None), None, None);
                self.remove(log, &key);
            }
        }
    }

    /// A call appends an entry: its text without the closing brace.
    pub fn append(&mut self, log: &LogName, open: &str, at_ms: Option<i64>) {
        let mut changed = 0;
        let mut only = None;
        EntryText::new(open, Spelling::Ours).changes(|change| {
            changed += 1;
            match change {
                KeyChange::Set(key, value, expires_ms) => {
                    only = Some(key.to_owned());
                    self.set(log, Member::expiring(key, value, expires_ms));
                }
                KeyChange::Delete(key) => {
                    only = Some(key.to_owned());
                    self.remove(log, key);
                }
                // Nobody sees what is over, and the next batch has it removed.
                KeyChange::Expire(_) => {}
            }
        });
        // Only an entry about one key is found by its key.
        let key = only.filter(|_| changed == 1);
        self.note_at(log, Op::Entry, (key, Some(format!("{open}}}"))), at_ms, None);
    }

    fn note(&mut self, log: &LogName, op: Op, member: &Member) {
        let text = (Some(member.key().to_owned()), Some(member.value().to_owned()));
        self.note_at(log, op, text, None, member.expires_ms());
    }

    fn note_at(
        &mut self,
        log: &LogName,
        op: Op,
        text: (Option<String>, Option<String>),
        at_ms: Option<i64>,
        expires_ms: Option<i64>,
    ) {
        let (key, value) = text;
        self.size_bytes +=
            64 + 2 * (key.as_ref().map_or(0, String::len) + value.as_ref().map_or(0, String::len));
        self.entries.push(NewEntry { log: log.clone(), key, op, value, at_ms, expires_ms });
    }

    fn set(&mut self, log: &LogName, member: Member) {
        let key = Key { log: log.clone(), key: member.key().to_owned() };
        let slot = self.slots.entry(key).or_insert_with(Slot::unread);
        if matches!(slot.effect, Effect::Keep | Effect::Remove) {
            slot.position = self.next_position;
            self.next_position += 1;
        }
        slot.effect = match &slot.effect {
            Effect::Keep | Effect::Set(_) => Effect::Set(member.clone()),
            Effect::Remove | Effect::SetLast(_) => Effect::SetLast(member.clone()),
        };
        self.values.entry(log.clone()).or_default().insert(member.key().to_owned(), Some(member));
    }

    fn remove(&mut self, log: &LogName, key: &str) {
        let slot_key = Key { log: log.clone(), key: key.to_owned() };
        let slot = self.slots.entry(slot_key).or_insert_with(Slot::unread);
        slot.effect = Effect::Remove;
        self.values.entry(log.clone()).or_default().insert(key.to_owned(), None);
    }

    /// Nothing depends any more on keys that were read and stay as they are.
    pub fn forget_what_stays(&mut self) {
        self.slots.retain(|_, slot| slot.effect != Effect::Keep);
    }

    /// The batch under this name.
    #[must_use]
    pub fn commit(self, change: ChangeId) -> Commit {
        let keys = self.slots.into_iter().map(|(key, Slot { expected, was_there, position, effect })| {
            KeyEffect { key, expected, was_there, position, effect }
        });
        Commit { change, keys: keys.collect(), entries: self.entries }
    }
}

impl Commit {
    /// Whether there is nothing to be committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.entries.is_empty()
    }

    /// Bytes of text that are sent, about.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let of_entry = |entry: &NewEntry| entry.value.as_ref().map_or(0, String::len);
        2 * self.entries.iter().map(of_entry).sum::<usize>() as u64
    }

    /// What its keys have once it is committed.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, Row)> {
        self.keys.iter().filter_map(|KeyEffect { key, effect, .. }| {
            let member = match effect {
                Effect::Keep => return None,
                Effect::Set(member) | Effect::SetLast(member) => Some(member.clone()),
                Effect::Remove => None,
            };
            Some((key, Row { version: self.change, member }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogName {
        LogName::new("players").expect("a name")
    }

    fn key(key: &str) -> Key {
        Key { log: log(), key: key.to_owned() }
    }

    fn row(version: u8, value: Option<&str>) -> Row {
        Row {
            version: ChangeId::of_bytes([version; 16]),
            member: value.map(|value| Member::new("\"a\"", value)),
        }
    }

    #[test]
    fn calls_on_one_key_come_to_one_effect_and_all_their_entries() {
        let mut batch = Batch::default();
        batch.read(&key("\"a\""), &row(3, Some("0")));
        batch.change(&log(), Change::Set(Member::new("\"a\"", "1")));
        assert_eq!(batch.view(&log(), 0).get("\"a\""), Some("1"));
        batch.read(&key("\"a\""), &row(3, Some("0")));
        assert_eq!(batch.view(&log(), 0).get("\"a\""), Some("1"), "an earlier call of the batch counts");
        batch.change(&log(), Change::Delete("\"a\"".to_owned()));
        batch.change(&log(), Change::Set(Member::new("\"a\"", "2")));
        batch.change(&log(), Change::Set(Member::new("\"b\"", "5")));
        let commit = batch.commit(ChangeId::of_bytes([9; 16]));
        assert_eq!(commit.entries.len(), 4);
        assert_eq!(commit.keys.len(), 2);
        assert_eq!(commit.keys[0].expected, Some(ChangeId::of_bytes([3; 16])));
        assert_eq!(commit.keys[0].effect, Effect::SetLast(Member::new("\"a\"", "2")));
        assert_eq!(commit.keys[1].expected, None, "nobody read it");
    }

    #[test]
    fn new_places_follow_the_order_of_the_calls() {
        let mut batch = Batch::default();
        let set = |key: &str| Change::Set(Member::new(key, "1"));
        for change in [set("\"b\""), set("\"a\""), Change::Delete("\"b\"".to_owned()), set("\"b\"")] {
            batch.change(&log(), change);
        }
        let mut keys = batch.commit(ChangeId::NONE).keys;
        keys.sort_by_key(|effect| effect.position);
        assert_eq!(keys.iter().map(|effect| effect.key.key.as_str()).collect::<Vec<_>>(), ["\"a\"", "\"b\""]);
    }

    #[test]
    fn what_is_read_behind_a_write_depends_on_no_version() {
        let mut batch = Batch::default();
        batch.change(&log(), Change::Set(Member::new("\"a\"", "1")));
        batch.read(&key("\"a\""), &row(3, Some("0")));
        assert_eq!(batch.view(&log(), 0).get("\"a\""), Some("1"));
        assert_eq!(batch.commit(ChangeId::NONE).keys[0].expected, None);
    }

    #[test]
    fn an_appended_entry_changes_what_it_says_and_keeps_its_text() {
        let mut batch = Batch::default();
        batch.append(&log(), r#"{"timestamp":"t","op":"SET","key":"a","value":1,"by":"hand""#, None);
        batch.append(&log(), r#"{"op":"SET","data":{"b":2,"c":3}"#, None);
        batch.append(&log(), r#"{"op":"NOTE""#, None);
        assert_eq!(batch.entries[0].key.as_deref(), Some("\"a\""));
        assert_eq!(batch.entries[1].key, None);
        assert_eq!(batch.entries[2].value.as_deref(), Some(r#"{"op":"NOTE"}"#));
        let commit = batch.commit(ChangeId::NONE);
        assert_eq!(commit.keys.len(), 3);
        assert_eq!(commit.rows().count(), 3);
    }
}
