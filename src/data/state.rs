//! The replayed state of one log: key → value text, in JavaScript's property order.
//!
//! ```text
//! index     hash of key → slot number
//! slots     [ "b":{…} | hole | "7":{…} | "a":{…} ]     in order of insertion
//! offsets   [ 120     | -    | 4096    | NOWHERE ]     where the log has each value, for its index
//! integers  7 → 2                                       array indices, ascending
//! fields    "totalScore" → [ 12, -, 3, 40 ]             one number for each slot, for leaderboards
//! expiries  (1795446000000, 3), …                        when which slot is over, ascending; empty where nothing expires
//! ```
//!
//! A slot holds the member as JSON has it: key and value in one shared text. So a snapshot is a list of pointers, and a
//! whole state is joined without escaping anything again.
//!
//! A key whose time is over stays until a line of the log removes it (`expire`), so that the state is a function of the log
//! alone. Who answers a caller, or writes what a person reads, leaves it out: `live`, `get_live`, `top`, `rank`.
//!
//! What the offsets say is a hint: whoever reads a value there compares its hash.
//!
//! Invariant: iteration gives array indices first, ascending, then the other keys in the order in which they were set. A
//! key that is set again keeps its place.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::data::cache::Cache;
use crate::data::json;
pub use crate::data::member::Member;
use crate::data::ranking::{best, counted, place_of};
pub use crate::data::slot::{Kept, Slot};

/// The offset of a value that the log does not have as it is, or of which nobody knows where.
pub const NOWHERE: u64 = u64::MAX;

/// All members in order: pointers, not bytes.
pub type Snapshot = Vec<Member>;

/// See the header of this file.
#[derive(Clone)]
pub struct State<V = Member> {
    pub(super) hasher: DefaultHashBuilder,
    pub(super) index: HashTable<u32>,
    pub(super) slots: Vec<Option<V>>,
    pub(super) offsets: Vec<u64>,
    integers: BTreeMap<u32, u32>,
    live_bytes: u64,
    /// Of these, in memory.
    pub(super) held_bytes: u64,
    /// What may be let go; `None`: nothing.
    pub(super) cache: Option<Box<Cache>>,
    fields: HashMap<String, Vec<f64>>,
    expiries: BTreeSet<(i64, u32)>,
}

impl<V> Default for State<V> {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::default(),
            slots: Vec::new(),
            offsets: Vec::new(),
            integers: BTreeMap::new(),
            live_bytes: 0,
            held_bytes: 0,
            cache: None,
            fields: HashMap::new(),
            expiries: BTreeSet::new(),
        }
    }
}

impl<V: Kept> State<V> {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True without keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes of all members as compact JSON, commas included.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The member of the key literal `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.slot_of(key).and_then(|slot| self.slots[slot as usize].as_ref())
    }

    pub(super) fn slot_of(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |slot| self.key_at(*slot) == Some(key)).copied()
    }

    fn key_at(&self, slot: u32) -> Option<&str> {
        self.slots[slot as usize].as_ref().map(V::key)
    }

    /// Sets a member. A key that exists keeps its place.
    ///
    /// # Panics
    /// With 2^32 keys.
    pub fn set(&mut self, member: impl Into<V>) {
        self.set_at(member, NOWHERE);
    }

    /// The same for a value that the log has at this offset.
    ///
    /// # Panics
    /// With 2^32 keys.
    pub fn set_at(&mut self, member: impl Into<V>, offset: u64) {
        let member: V = member.into();
        self.live_bytes += member.text_bytes() as u64 + 1;
        self.held_bytes += held_bytes(&member);
        let (expires_ms, is_held) = (member.expires_ms(), member.held().is_some());
        let (slots, hasher) = (&self.slots, &self.hasher);
        let key_of = |slot: &u32| slots[*slot as usize].as_ref().map_or("", V::key);
        let hash = hasher.hash_one(member.key());
        let place =
            self.index.entry(hash, |slot| key_of(slot) == member.key(), |slot| hasher.hash_one(key_of(slot)));
        let known = match &place {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(_) => None,
        };
        for (field, numbers) in &mut self.fields {
            let number = number_of(&member, field);
            match known {
                Some(slot) => numbers[slot as usize] = number,
                None => numbers.push(number),
            }
        }
        let is_in_log = offset != NOWHERE;
        let slot = match place {
            Entry::Occupied(known) => {
                let slot = *known.get();
                if let Some(old) = self.slots[slot as usize].replace(member) {
                    self.live_bytes -= old.text_bytes() as u64 + 1;
                    self.held_bytes -= held_bytes(&old);
                    old.expires_ms().map(|old_ms| self.expiries.remove(&(old_ms, slot)));
                }
                self.offsets[slot as usize] = offset;
                slot
            }
            Entry::Vacant(place) => {
                let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 keys fit in memory");
                place.insert(slot);
                if let Some(index) = member.array_index() {
                    self.integers.insert(index, slot);
                }
                make_room(&mut self.slots);
                self.slots.push(Some(member));
                make_room(&mut self.offsets);
                self.offsets.push(offset);
                slot
            }
        };
        expires_ms.map(|expires_ms| self.expiries.insert((expires_ms, slot)));
        if let Some(cache) = self.cache.as_mut().filter(|_| is_in_log && is_held) {
            cache.note(slot);
            self.trim();
        }
    }

    /// Removes a key. True: it existed.
    pub fn remove(&mut self, key: &str) -> bool {
        let hash = self.hasher.hash_one(key);
        let slots = &self.slots;
        let found =
            self.index.find_entry(hash, |slot| slots[*slot as usize].as_ref().map(V::key) == Some(key));
        let Ok(entry) = found else { return false };
        let (slot, _) = entry.remove();
        if let Some(index) = json::array_index(key) {
            self.integers.remove(&index);
        }
        if let Some(old) = self.slots[slot as usize].take() {
            self.live_bytes -= old.text_bytes() as u64 + 1;
            self.held_bytes -= held_bytes(&old);
            old.expires_ms().map(|old_ms| self.expiries.remove(&(old_ms, slot)));
        }
        for numbers in self.fields.values_mut() {
            numbers[slot as usize] = f64::NAN;
        }
        if self.slots.len() > 64 && self.slots.len() > 2 * self.index.len() {
            self.close_holes();
        }
        true
    }

    /// Frees the slots of removed keys.
    fn close_holes(&mut self) {
        let mut next = 0_u32;
        let new_slots: Vec<Option<u32>> = self
            .slots
            .iter()
            .map(|slot| {
                slot.as_ref().map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        if let Some(cache) = &mut self.cache {
            cache.renumber(&new_slots);
        }
        for slot in self.index.iter_mut().chain(self.integers.values_mut()) {
            *slot = new_slots[*slot as usize].unwrap_or(0);
        }
        self.expiries = std::mem::take(&mut self.expiries)
            .into_iter()
            .map(|(expires_ms, slot)| (expires_ms, new_slots[slot as usize].unwrap_or(0)))
            .collect();
        for numbers in self.fields.values_mut() {
            let mut at = 0;
            numbers.retain(|_| {
                at += 1;
                new_slots[at - 1].is_some()
            });
        }
        let mut at = 0;
        self.offsets.retain(|_| {
            at += 1;
            new_slots[at - 1].is_some()
        });
        self.slots.retain(Option::is_some);
    }

    /// All members in the order in which they were set first, each with the offset of its value in the log.
    pub fn places(&self) -> impl Iterator<Item = (&V, u64)> {
        self.slots.iter().zip(&self.offsets).filter_map(|(member, offset)| Some((member.as_ref()?, *offset)))
    }

    /// Whether all values are in memory.
    #[must_use]
    pub fn is_all_held(&self) -> bool {
        self.held_bytes == self.live_bytes
    }

    /// Whether both have the same keys, values and expiries, in whatever order.
    #[must_use]
    pub fn is_same(&self, other: &State) -> bool {
        let has = |member: &V| other.get(member.key()).is_some_and(|other| member.is_member(other));
        self.len() == other.len() && self.iter().all(has)
    }

    /// All members in JavaScript's order.
    pub fn iter(&self) -> impl Iterator<Item = &V> {
        self.ordered_slots().filter_map(|slot| self.slots[slot as usize].as_ref())
    }

    pub(super) fn ordered_slots(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        let no_integers = self.integers.is_empty();
        let others = (0_u32..).zip(&self.slots).filter_map(move |(slot, member)| {
            let member = member.as_ref()?;
            (no_integers || member.array_index().is_none()).then_some(slot)
        });
        self.integers.values().copied().chain(others)
    }

    /// The members at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Vec<V> {
        self.iter().cloned().collect()
    }

    /// Whether the time of a key is over that is still here.
    #[must_use]
    pub fn has_over(&self, now_ms: i64) -> bool {
        self.expiries.first().is_some_and(|(expires_ms, _)| *expires_ms <= now_ms)
    }

    /// The keys whose time is over.
    pub fn over(&self, now_ms: i64) -> impl Iterator<Item = &V> {
        let over = self.expiries.iter().take_while(move |(expires_ms, _)| *expires_ms <= now_ms);
        over.filter_map(|(_, slot)| self.slots[*slot as usize].as_ref())
    }

    /// All members that are not over, in JavaScript's order.
    pub fn live(&self, now_ms: i64) -> impl Iterator<Item = &V> {
        self.iter().filter(move |member| !member.is_over(now_ms))
    }

    /// The same, as they are at this moment.
    #[must_use]
    pub fn live_snapshot(&self, now_ms: i64) -> Vec<V> {
        self.live(now_ms).cloned().collect()
    }

    /// The member of the key literal `key`, if it is not over.
    #[must_use]
    pub fn get_live(&self, key: &str, now_ms: i64) -> Option<&V> {
        self.get(key).filter(|member| !member.is_over(now_ms))
    }

    /// Number of keys that are not over.
    #[must_use]
    pub fn live_len(&self, now_ms: i64) -> usize {
        self.len() - self.over(now_ms).count()
    }

    /// Removes what is over at `until_ms`: what the line of the log does that says so.
    pub fn expire(&mut self, until_ms: i64) {
        while self.has_over(until_ms) {
            let key = self.over(until_ms).next().map(|member| member.key().to_owned());
            key.map(|key| self.remove(&key));
        }
    }

    /// Whether leaderboards by this field literal are answered without reading every value.
    #[must_use]
    pub fn has_field(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// How many fields have their numbers kept.
    #[must_use]
    pub fn fields(&self) -> usize {
        self.fields.len()
    }

    /// The numbers of a field, one a slot; to be handed to `add_field`.
    #[must_use]
    pub fn read_field(&self, field: &str) -> Vec<f64> {
        let number = |slot: &Option<V>| slot.as_ref().map_or(f64::NAN, |member| number_of(member, field));
        self.slots.iter().map(number).collect()
    }

    /// Keeps the numbers of a field up to date from now on.
    pub fn add_field(&mut self, field: &str, numbers: Vec<f64>) {
        debug_assert_eq!(numbers.len(), self.slots.len());
        self.fields.insert(field.to_owned(), numbers);
    }

    /// The `limit` members with the greatest numbers in `field`, descending, ties in stored order.
    /// A member without that number counts as `missing`, or is left out; one that is over is left out.
    #[must_use]
    pub fn top(&self, field: &str, limit: usize, missing: Option<f64>, now_ms: i64) -> Vec<&V> {
        let slots = best(self.numbers(field, missing, now_ms), limit);
        slots.into_iter().filter_map(|slot| self.slots[slot as usize].as_ref()).collect()
    }

    /// Place of `key` in the whole of `top` (1 is the first), and how many are in it.
    #[must_use]
    pub fn rank(&self, key: &str, field: &str, missing: Option<f64>, now_ms: i64) -> Option<(usize, usize)> {
        let own_slot = self.slot_of(key)?;
        place_of(own_slot, || self.numbers(field, missing, now_ms))
    }

    fn numbers<'a>(
        &'a self,
        field: &'a str,
        missing: Option<f64>,
        now_ms: i64,
    ) -> impl Iterator<Item = (u32, f64)> + 'a {
        let known = self.fields.get(field);
        let has_over = self.has_over(now_ms);
        let is_over = move |slot: u32| {
            has_over && self.slots[slot as usize].as_ref().is_some_and(|member| member.is_over(now_ms))
        };
        self.ordered_slots().filter(move |slot| !is_over(*slot)).filter_map(move |slot| {
            let number = match known {
                Some(numbers) => numbers[slot as usize],
                None => number_of(self.slots[slot as usize].as_ref()?, field),
            };
            counted(number, missing).map(|number| (slot, number))
        })
    }
}

impl State {
    /// The same for a state of which values may be let go. The log has none of these.
    #[must_use]
    pub fn into_slots(self, cache_bytes: Option<u64>) -> State<Slot> {
        State {
            hasher: self.hasher,
            index: self.index,
            offsets: vec![NOWHERE; self.slots.len()],
            slots: self.slots.into_iter().map(|member| member.map(Slot::Held)).collect(),
            integers: self.integers,
            live_bytes: self.live_bytes,
            held_bytes: self.held_bytes,
            cache: cache_bytes.map(|size_bytes| Box::new(Cache::new(size_bytes))),
            fields: self.fields,
            expiries: self.expiries,
        }
    }

    /// The state that an object's text (compact) describes.
    #[must_use]
    pub fn from_object(text: &str) -> Self {
        let mut state = Self::default();
        for (key, value) in json::Members::of(text) {
            state.set(Member::new(&json::canonical_key(key), value));
        }
        state
    }
}

/// A long list grows by a quarter, not to double its length.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() && list.len() >= 1024 {
        list.reserve_exact(list.len() / 4);
    }
}

/// Bytes of it that are in memory.
pub(super) fn held_bytes(member: &impl Kept) -> u64 {
    if member.held().is_some() { member.text_bytes() as u64 + 1 } else { 0 }
}

/// The number in a field; NaN where it has none, or its value is not in memory.
fn number_of(member: &impl Kept, field: &str) -> f64 {
    member.held().and_then(|member| json::number_of_field(member.value(), field)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(state: &State) -> Vec<&str> {
        state.iter().map(Member::key).collect()
    }

    #[test]
    fn order_is_that_of_a_javascript_object() {
        let mut state = <State>::default();
        for key in ["\"b\"", "\"10\"", "\"a\"", "\"2\"", "\"01\""] {
            state.set(Member::new(key, "1"));
        }
        assert_eq!(keys(&state), ["\"2\"", "\"10\"", "\"b\"", "\"a\"", "\"01\""]);
        state.set(Member::new("\"b\"", "2"));
        assert!(state.remove("\"a\"") && !state.remove("\"a\""));
        state.set(Member::new("\"a\"", "3"));
        assert_eq!(keys(&state), ["\"2\"", "\"10\"", "\"b\"", "\"01\"", "\"a\""]);
        let bytes: usize = state.iter().map(|member| member.text().len() + 1).sum();
        assert_eq!(state.live_bytes(), bytes as u64);
    }

    #[test]
    fn holes_close_and_nothing_moves() {
        let mut state = <State>::default();
        for number in 0..500 {
            state.set(Member::new(&format!("\"k{number}\""), &format!("{{\"n\":{number}}}")));
        }
        let numbers = state.read_field("\"n\"");
        state.add_field("\"n\"", numbers);
        for number in (0..500).filter(|number| number % 5 != 0) {
            assert!(state.remove(&format!("\"k{number}\"")));
        }
        assert_eq!(state.len(), 100);
        assert!(state.slots.len() <= 200);
        assert_eq!(
            state.top("\"n\"", 2, None, 0).iter().map(|m| m.key()).collect::<Vec<_>>(),
            ["\"k495\"", "\"k490\""]
        );
        assert_eq!(keys(&state)[..2], ["\"k0\"", "\"k5\""]);
        assert_eq!(state.get("\"k250\"").map(Member::value), Some("{\"n\":250}"));
    }

    #[test]
    fn leaderboards_are_the_same_with_and_without_kept_numbers() {
        let mut state = <State>::default();
        for (key, value) in [
            ("\"a\"", "{\"s\":1}"),
            ("\"b\"", "{\"s\":3}"),
            ("\"c\"", "{\"x\":9}"),
            ("\"d\"", "{\"s\":3,\"x\":1}"),
            ("\"5\"", "{\"s\":-1}"),
            ("\"e\"", "{\"s\":\"9\"}"),
        ] {
            state.set(Member::new(key, value));
        }
        let look = |state: &State| {
            let names = |limit, missing| {
                state.top("\"s\"", limit, missing, 0).iter().map(|m| m.key().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(names(2, None), ["\"b\"", "\"d\""]);
            assert_eq!(names(9, None), ["\"b\"", "\"d\"", "\"a\"", "\"5\""]);
            assert_eq!(names(9, Some(0.0)), ["\"b\"", "\"d\"", "\"a\"", "\"c\"", "\"e\"", "\"5\""]);
            assert_eq!(state.rank("\"d\"", "\"s\"", Some(0.0), 0), Some((2, 6)));
            assert_eq!(state.rank("\"5\"", "\"s\"", None, 0), Some((4, 4)));
            assert_eq!(state.rank("\"c\"", "\"s\"", None, 0), None);
            assert_eq!(state.rank("\"z\"", "\"s\"", None, 0), None);
            assert!(names(0, None).is_empty());
        };
        look(&state);
        let numbers = state.read_field("\"s\"");
        state.add_field("\"s\"", numbers);
        look(&state);
        state.set(Member::new("\"f\"", "{\"s\":100}"));
        state.set(Member::new("\"a\"", "{\"s\":101}"));
        assert_eq!(state.rank("\"f\"", "\"s\"", None, 0), Some((2, 5)));
    }

    #[test]
    fn what_is_over_stays_until_it_is_removed_and_is_no_answer() {
        let mut state = <State>::default();
        for number in 0..200 {
            let expires_ms = (number % 2 == 0).then_some(100 + number / 20);
            let (key, value) = (format!("\"k{number}\""), format!("{{\"n\":{number}}}"));
            state.set(Member::expiring(&key, &value, expires_ms));
        }
        let without = State::from_object("{\"k1\":1}").live_bytes();
        assert_eq!(State::from_object("{\"k1\":1}").live(0).count(), 1);
        assert!(!state.has_over(99) && state.has_over(100));
        assert_eq!(
            (state.len(), state.live_len(99), state.live_len(100), state.live_len(200)),
            (200, 200, 190, 100)
        );
        assert_eq!(state.top("\"n\"", 1, None, 109)[0].key(), "\"k199\"");
        assert_eq!(state.rank("\"k1\"", "\"n\"", None, 100), Some((190, 190)));
        assert_eq!(state.rank("\"k0\"", "\"n\"", None, 100), None);
        assert_eq!(state.get_live("\"k0\"", 100), None);
        assert_eq!(state.get("\"k0\"").and_then(Member::expires_ms), Some(100));
        // Set again without one, and with a later one.
        state.set(Member::new("\"k0\"", "5"));
        state.set(Member::expiring("\"k2\"", "5", Some(300)));
        state.expire(109);
        assert_eq!(state.len(), 102);
        assert_eq!(state.live(250).count(), 102);
        assert_eq!(keys(&state)[..4], ["\"k0\"", "\"k1\"", "\"k2\"", "\"k3\""]);
        // The holes are closed where enough of them are there; the rest is still known by its slot.
        for number in (3..200).step_by(2) {
            state.remove(&format!("\"k{number}\""));
        }
        state.expire(300);
        assert_eq!(keys(&state), ["\"k0\"", "\"k1\""]);
        state.remove("\"k0\"");
        state.set(Member::new("\"k1\"", "1"));
        assert_eq!(state.live_bytes(), without, "an expiry is no part of the text");
    }
}
