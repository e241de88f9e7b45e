//! The replayed state of one log: key → value text, in JavaScript's property order.
//!
//! ```text
//! index     hash of key → slot number
//! slots     [ "b":{…} | hole | "7":{…} | "a":{…} ]     in order of insertion
//! integers  7 → 2                                       array indices, ascending
//! fields    "totalScore" → [ 12, -, 3, 40 ]             one number for each slot, for leaderboards
//! ```
//!
//! A slot holds the member as JSON has it: key and value in one shared text. So a snapshot is a list of pointers, and a
//! whole state is joined without escaping anything again.
//!
//! Invariant: iteration gives array indices first, ascending, then the other keys in the order in which they were set. A
//! key that is set again keeps its place.

use std::cell::RefCell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::data::json;

/// The most that a thread keeps of the buffer in which it joins texts.
const KEPT_TEXT_BYTES: usize = 64 << 10;
/// Length of the longest key literal that JavaScript orders by number, `"4294967294"`.
const ARRAY_INDEX_BYTES_MAX: u32 = 12;

/// One key and its value, as the JSON text `"key":value`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    text: Arc<str>,
    key_bytes: u32,
}

impl Member {
    /// From a key literal in its one spelling and a compact value.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        thread_local! {
            // A text is joined here, then copied once into memory of its size.
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            text.push_str(key);
            text.push(':');
            text.push_str(value);
            let member = Self {
                text: text.as_str().into(),
                // A key literal over 4 GiB cannot exist: V8's longest string is shorter.
                key_bytes: u32::try_from(key.len()).unwrap_or(u32::MAX),
            };
            text.shrink_to(KEPT_TEXT_BYTES);
            member
        })
    }

    /// The key literal.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.text[..self.key_bytes as usize]
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.text[self.key_bytes as usize + 1..]
    }

    /// `"key":value`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number by which JavaScript orders the key, if it is an array index.
    fn array_index(&self) -> Option<u32> {
        // Most keys are longer, so a pass over the slots does not fetch their texts from memory.
        if self.key_bytes > ARRAY_INDEX_BYTES_MAX { None } else { json::array_index(self.key()) }
    }
}

/// All members in order: pointers, not bytes.
pub type Snapshot = Vec<Member>;

/// See the header of this file.
#[derive(Clone, Default)]
pub struct State {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slots: Vec<Option<Member>>,
    integers: BTreeMap<u32, u32>,
    live_bytes: u64,
    fields: HashMap<String, Vec<f64>>,
}

impl State {
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
    pub fn get(&self, key: &str) -> Option<&Member> {
        self.slot_of(key).and_then(|slot| self.slots[slot as usize].as_ref())
    }

    fn slot_of(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |slot| self.key_at(*slot) == Some(key)).copied()
    }

    fn key_at(&self, slot: u32) -> Option<&str> {
        self.slots[slot as usize].as_ref().map(Member::key)
    }

    /// Sets a member. A key that exists keeps its place.
    ///
    /// # Panics
    /// With 2^32 keys.
    pub fn set(&mut self, member: Member) {
        self.live_bytes += member.text.len() as u64 + 1;
        let (slots, hasher) = (&self.slots, &self.hasher);
        let key_of = |slot: &u32| slots[*slot as usize].as_ref().map_or("", Member::key);
        let hash = hasher.hash_one(member.key());
        let place =
            self.index.entry(hash, |slot| key_of(slot) == member.key(), |slot| hasher.hash_one(key_of(slot)));
        let known = match &place {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(_) => None,
        };
        for (field, numbers) in &mut self.fields {
            let number = json::number_of_field(member.value(), field).unwrap_or(f64::NAN);
            match known {
                Some(slot) => numbers[slot as usize] = number,
                None => numbers.push(number),
            }
        }
        match place {
            Entry::Occupied(known) => {
                if let Some(old) = self.slots[*known.get() as usize].replace(member) {
                    self.live_bytes -= old.text.len() as u64 + 1;
                }
            }
            Entry::Vacant(place) => {
                let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 keys fit in memory");
                place.insert(slot);
                if let Some(index) = member.array_index() {
                    self.integers.insert(index, slot);
                }
                self.slots.push(Some(member));
            }
        }
    }

    /// Removes a key. True: it existed.
    pub fn remove(&mut self, key: &str) -> bool {
        let hash = self.hasher.hash_one(key);
        let slots = &self.slots;
        let found =
            self.index.find_entry(hash, |slot| slots[*slot as usize].as_ref().map(Member::key) == Some(key));
        let Ok(entry) = found else { return false };
        let (slot, _) = entry.remove();
        if let Some(index) = json::array_index(key) {
            self.integers.remove(&index);
        }
        if let Some(old) = self.slots[slot as usize].take() {
            self.live_bytes -= old.text.len() as u64 + 1;
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
        for slot in self.index.iter_mut().chain(self.integers.values_mut()) {
            *slot = new_slots[*slot as usize].unwrap_or(0);
        }
        for numbers in self.fields.values_mut() {
            let mut at = 0;
            numbers.retain(|_| {
                at += 1;
                new_slots[at - 1].is_some()
            });
        }
        self.slots.retain(Option::is_some);
    }

    /// All members in JavaScript's order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.ordered_slots().filter_map(|slot| self.slots[slot as usize].as_ref())
    }

    fn ordered_slots(&self) -> impl Iterator<Item = u32> + '_ {
        let no_integers = self.integers.is_empty();
        let others = (0_u32..).zip(&self.slots).filter_map(move |(slot, member)| {
            let member = member.as_ref()?;
            (no_integers || member.array_index().is_none()).then_some(slot)
        });
        self.integers.values().copied().chain(others)
    }

    /// The members at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.iter().cloned().collect()
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
        let number = |slot: &Option<Member>| {
            slot.as_ref().and_then(|member| json::number_of_field(member.value(), field)).unwrap_or(f64::NAN)
        };
        self.slots.iter().map(number).collect()
    }

    /// Keeps the numbers of a field up to date from now on.
    pub fn add_field(&mut self, field: &str, numbers: Vec<f64>) {
        debug_assert_eq!(numbers.len(), self.slots.len());
        self.fields.insert(field.to_owned(), numbers);
    }

    /// The `limit` members with the greatest numbers in `field`, descending, ties in stored order.
    /// A member without that number counts as `missing`, or is left out.
    #[must_use]
    pub fn top(&self, field: &str, limit: usize, missing: Option<f64>) -> Vec<&Member> {
        let mut best = BinaryHeap::with_capacity(limit.min(self.len()) + 1);
        for (order, (slot, number)) in self.numbers(field, missing).enumerate() {
            // The heap's top is the worst of the best: smallest number, then latest place.
            let candidate = (Reverse(Number(number)), order, slot);
            if best.len() < limit {
                best.push(candidate);
            } else if best.peek().is_some_and(|worst| candidate < *worst) {
                best.pop();
                best.push(candidate);
            }
        }
        let slots = best.into_sorted_vec();
        slots.into_iter().filter_map(|(_, _, slot)| self.slots[slot as usize].as_ref()).collect()
    }

    /// Place of `key` in the whole of `top` (1 is the first), and how many are in it.
    #[must_use]
    pub fn rank(&self, key: &str, field: &str, missing: Option<f64>) -> Option<(usize, usize)> {
        let own_slot = self.slot_of(key)?;
        let (_, own) = self.numbers(field, missing).find(|(slot, _)| *slot == own_slot)?;
        let (mut above, mut of, mut own_passed) = (0, 0, false);
        for (slot, number) in self.numbers(field, missing) {
            own_passed |= slot == own_slot;
            above += usize::from(match number.partial_cmp(&own) {
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => !own_passed,
                _ => false,
            });
            of += 1;
        }
        Some((above + 1, of))
    }

    fn numbers<'a>(&'a self, field: &'a str, missing: Option<f64>) -> impl Iterator<Item = (u32, f64)> + 'a {
        let known = self.fields.get(field);
        self.ordered_slots().filter_map(move |slot| {
            let number = match known {
                Some(numbers) => numbers[slot as usize],
                None => json::number_of_field(self.slots[slot as usize].as_ref()?.value(), field)
                    .unwrap_or(f64::NAN),
            };
            if number.is_nan() { missing.map(|value| (slot, value)) } else { Some((slot, number)) }
        })
    }
}

/// A number that is never NaN, with its order.
#[derive(Clone, Copy, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(state: &State) -> Vec<&str> {
        state.iter().map(Member::key).collect()
    }

    #[test]
    fn order_is_that_of_a_javascript_object() {
        let mut state = State::default();
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
        let mut state = State::default();
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
            state.top("\"n\"", 2, None).iter().map(|m| m.key()).collect::<Vec<_>>(),
            ["\"k495\"", "\"k490\""]
        );
        assert_eq!(keys(&state)[..2], ["\"k0\"", "\"k5\""]);
        assert_eq!(state.get("\"k250\"").map(Member::value), Some("{\"n\":250}"));
    }

    #[test]
    fn leaderboards_are_the_same_with_and_without_kept_numbers() {
        let mut state = State::default();
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
                state.top("\"s\"", limit, missing).iter().map(|m| m.key().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(names(2, None), ["\"b\"", "\"d\""]);
            assert_eq!(names(9, None), ["\"b\"", "\"d\"", "\"a\"", "\"5\""]);
            assert_eq!(names(9, Some(0.0)), ["\"b\"", "\"d\"", "\"a\"", "\"c\"", "\"e\"", "\"5\""]);
            assert_eq!(state.rank("\"d\"", "\"s\"", Some(0.0)), Some((2, 6)));
            assert_eq!(state.rank("\"5\"", "\"s\"", None), Some((4, 4)));
            assert_eq!(state.rank("\"c\"", "\"s\"", None), None);
            assert_eq!(state.rank("\"z\"", "\"s\"", None), None);
            assert!(names(0, None).is_empty());
        };
        look(&state);
        let numbers = state.read_field("\"s\"");
        state.add_field("\"s\"", numbers);
        look(&state);
        state.set(Member::new("\"f\"", "{\"s\":100}"));
        state.set(Member::new("\"a\"", "{\"s\":101}"));
        assert_eq!(state.rank("\"f\"", "\"s\"", None), Some((2, 5)));
    }
}
