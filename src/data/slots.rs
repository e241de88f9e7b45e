//! A state of which not all values are in memory: letting go of them, holding them again, and where the log has them.
//!
//! ```text
//! set a │ set b │ set c      c would be too much: a is let go, and lies in the log at its offset
//! hold a                     it was read again
//! ```
//!
//! Invariant: a value that the log does not have, or not as it is, is in memory.

use std::hash::BuildHasher;

use crate::data::cache::Cache;
use crate::data::state::{Kept, Member, NOWHERE, Slot, State, held_bytes};

/// Members, each with the offset of its value in a log.
pub type Places = Vec<(Slot, u64)>;

/// Some slots of a state.
#[derive(Default)]
pub struct ChangedSlots {
    /// Their numbers.
    pub at: Vec<usize>,
    /// Their members, each with the offset of its value.
    pub places: Places,
}

/// Members with the offsets of their values in one log and in the next.
#[derive(Default)]
pub struct MovedPlaces {
    /// Where they are in the one log.
    pub before: Places,
    /// Where they are in the next, in the same order.
    pub after: Vec<u64>,
}

/// So many keys that were set or removed may stand between two that follow each other.
const LOOK_AHEAD: usize = 8;

impl State<Slot> {
    /// An empty state that keeps at most so many bytes of texts in memory, if it can. `None`: all of them.
    #[must_use]
    pub fn with_cache(cache_bytes: Option<u64>) -> Self {
        let mut state = Self::default();
        state.cache = cache_bytes.map(|size_bytes| Box::new(Cache::new(size_bytes)));
        state
    }

    /// Makes room for so many keys.
    pub fn reserve(&mut self, keys: usize) {
        self.slots.reserve_exact(keys);
        self.offsets.reserve_exact(keys);
        let (slots, hasher) = (&self.slots, &self.hasher);
        let key_of = |slot: &u32| slots[*slot as usize].as_ref().map_or("", Kept::key);
        self.index.reserve(keys, |slot| hasher.hash_one(key_of(slot)));
    }

    /// Numbers that were read of members, as `add_field` takes them, and the members that have another value by now.
    pub fn numbers_of<'s>(&self, read: impl Iterator<Item = (&'s Slot, f64)>) -> (Vec<f64>, ChangedSlots) {
        let mut numbers = vec![None; self.slots.len()];
        for (slot, number) in read {
            if let Some(at) = self.slot_of(slot.key()).map(|at| at as usize)
                && self.slots[at].as_ref().is_some_and(|known| known.is_same(slot) || known == slot)
            {
                numbers[at] = Some(number);
            }
        }
        let mut changed = ChangedSlots::default();
        for (at, (slot, offset)) in self.slots.iter().zip(&self.offsets).enumerate() {
            if let Some(slot) = slot.as_ref().filter(|_| numbers[at].is_none()) {
                changed.at.push(at);
                changed.places.push((slot.clone(), *offset));
            }
        }
        (numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect(), changed)
    }

    /// Whether all values may be in memory.
    #[must_use]
    pub fn fits_cache(&self) -> bool {
        self.cache.as_ref().is_none_or(|cache| self.live_bytes() <= cache.size_bytes)
    }

    /// The value of a key was read again. One that was set since stays.
    pub fn hold(&mut self, member: Member) {
        let Some(slot) = self.slot_of(member.key()) else { return };
        let at = slot as usize;
        if self.slots[at].as_ref().is_some_and(|known| known.held().is_none() && known.is_member(&member)) {
            self.held_bytes += member.text().len() as u64 + 1;
            self.slots[at] = Some(Slot::Held(member));
            if let Some(cache) = &mut self.cache {
                cache.note(slot);
            }
        }
    }

    /// A key and the offset of its value.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<(&Slot, u64)> {
        let at = self.slot_of(key)? as usize;
        Some((self.slots[at].as_ref()?, self.offsets[at]))
    }

    /// A slot of this state with the offset of its value.
    #[must_use]
    pub fn place_of(&self, slot: &Slot) -> Option<(Slot, u64)> {
        self.place(slot.key()).map(|(slot, offset)| (slot.clone(), offset))
    }

    /// The members that are not over, each with the offset of its value, in JavaScript's order.
    #[must_use]
    pub fn live_places(&self, now_ms: i64) -> Places {
        let at = |slot: u32| Some((self.slots[slot as usize].as_ref()?, self.offsets[slot as usize]));
        let live = self.ordered_slots().filter_map(at).filter(|(member, _)| !member.is_over(now_ms));
        live.map(|(member, offset)| (member.clone(), offset)).collect()
    }

    /// The same with those that are over.
    #[must_use]
    pub fn all_places(&self) -> Places {
        self.live_places(i64::MIN)
    }

    /// The same in the order in which they were set first: set so in another state, they have this order there, too.
    #[must_use]
    pub fn all_places_as_set(&self) -> Places {
        self.places().map(|(member, offset)| (member.clone(), offset)).collect()
    }

    /// The log was replaced: these members of it have their values at their offsets in the next one now, and all others as
    /// `moved` says. False where it is not known any more where a value is that is not in memory.
    pub fn move_all(&mut self, moved: impl Fn(u64) -> u64, members: &MovedPlaces) -> bool {
        let mut offsets: Vec<u64> = self
            .offsets
            .iter()
            .map(|offset| if *offset == NOWHERE { NOWHERE } else { moved(*offset) })
            .collect();
        // Most members still are in the order in which they were: the next one is found without its hash.
        let mut in_order = self.ordered_slots();
        for ((member, before), after) in members.before.iter().zip(&members.after) {
            let (before, after) = (*before, *after);
            let is_next = |slot: u32| self.slots[slot as usize].as_ref().is_some_and(|it| it.is_same(member));
            let next = in_order.clone().next().filter(|slot| is_next(*slot));
            let Some(slot) = next.or_else(|| self.slot_of(member.key())) else { continue };
            if let Some(passed) = in_order.clone().take(LOOK_AHEAD).position(|ahead| ahead == slot) {
                in_order.nth(passed);
            }
            let at = slot as usize;
            // One that was set since is not meant.
            let is_meant = if before == NOWHERE {
                self.slots[at].as_ref().is_some_and(|known| known.is_same(member))
            } else {
                self.offsets[at] == before
            };
            if is_meant {
                offsets[at] = after;
            }
        }
        drop(in_order);
        self.offsets = offsets;
        let known = self.slots.iter().zip(&self.offsets).zip(0_u32..);
        if let Some(cache) = &mut self.cache {
            for ((member, offset), slot) in known {
                if *offset != NOWHERE && member.as_ref().is_some_and(|member| member.held().is_some()) {
                    cache.note(slot);
                }
            }
        }
        let mut lying = self
            .slots
            .iter()
            .zip(&self.offsets)
            .filter(|(member, _)| member.as_ref().is_some_and(|member| member.held().is_none()));
        lying.all(|(_, offset)| *offset != NOWHERE)
    }
}

impl<V: Kept> State<V> {
    /// Whether more values are in memory than may be, as far as they need not.
    #[must_use]
    pub fn is_over_cache(&self) -> bool {
        self.cache.as_ref().is_some_and(|cache| self.held_bytes > cache.size_bytes)
    }

    /// Lets go of values while more are in memory than may be.
    pub fn trim(&mut self) {
        while let Some(cache) = &mut self.cache
            && self.held_bytes > cache.size_bytes
            && let Some(slot) = cache.next()
        {
            let at = slot as usize;
            let member = self.slots[at].as_ref().filter(|_| self.offsets[at] != NOWHERE);
            if let Some((member, lying)) = member.and_then(|member| Some((member, member.let_go()?))) {
                self.held_bytes -= held_bytes(member);
                self.slots[at] = Some(lying);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(key: &str, value: &str) -> Member {
        Member::new(&format!("\"{key}\""), value)
    }

    fn held(state: &State<Slot>) -> Vec<&str> {
        state.iter().filter(|slot| slot.held().is_some()).map(Kept::key).collect()
    }

    #[test]
    fn what_is_too_much_is_let_go_but_for_what_the_log_does_not_have() {
        let mut state = State::with_cache(Some(20));
        state.set(member("n", "[0,0,0,0]"));
        for (offset, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            state.set_at(member(key, "1"), offset as u64);
        }
        assert_eq!(held(&state), ["\"n\"", "\"d\""]);
        assert!(!state.is_all_held() && state.held_bytes <= 20);
        state.hold(member("a", "1"));
        state.hold(member("b", "2"));
        assert_eq!(held(&state), ["\"n\"", "\"a\"", "\"d\""], "another value is not the one that was let go");
        state.trim();
        assert_eq!(held(&state), ["\"n\"", "\"a\""]);
        state.remove("\"n\"");
        state.remove("\"b\"");
        assert_eq!(state.all_places().len(), 3);
    }

    #[test]
    fn values_are_found_in_a_log_that_replaced_theirs() {
        let mut state = State::with_cache(Some(0));
        for (offset, key) in [(10, "a"), (20, "b"), (30, "c")] {
            state.set_at(member(key, "1"), offset);
        }
        let before = [10, 20].into_iter().zip(state.iter()).map(|(offset, m)| (m.clone(), offset)).collect();
        let checkpoint = MovedPlaces { before, after: vec![1, 2] };
        state.set_at(member("a", "2"), 40);
        let moved = |offset| if offset < 25 { NOWHERE } else { offset - 25 };
        assert!(state.move_all(moved, &checkpoint));
        let offsets: Vec<u64> = state.all_places().into_iter().map(|(_, offset)| offset).collect();
        assert_eq!(offsets, [15, 2, 5]);
        assert!(!state.move_all(|_| NOWHERE, &MovedPlaces::default()), "they are not in memory");
    }

    #[test]
    fn values_are_found_whatever_was_set_and_removed_meanwhile() {
        let mut state = State::with_cache(Some(0));
        let name = |n: u64| if n.is_multiple_of(3) { n.to_string() } else { format!("k{n}") };
        for n in 1..=200 {
            state.set_at(member(&name(n), "1"), n);
        }
        let before = state.all_places();
        let after = before.iter().map(|(_, offset)| offset + 1000).collect();
        let checkpoint = MovedPlaces { before, after };
        for n in (1..200).step_by(7) {
            state.remove(&crate::data::json::quote(&name(n)));
        }
        for n in (1..300).step_by(13) {
            state.set_at(member(&name(n), "2"), 5000 + n);
        }
        let expected: Vec<(String, u64)> = state
            .all_places()
            .into_iter()
            .map(|(slot, offset)| (slot.key().to_owned(), if offset > 200 { offset } else { offset + 1000 }))
            .collect();
        let moved = |offset| if offset > 200 { offset } else { NOWHERE };
        assert!(state.move_all(moved, &checkpoint));
        let found = state.all_places().into_iter();
        assert_eq!(found.map(|(slot, at)| (slot.key().to_owned(), at)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_a_limit_all_is_held() {
        let mut state = State::with_cache(None);
        for offset in 0..100 {
            state.set_at(member(&format!("k{offset}"), "1"), offset);
        }
        state.trim();
        assert!(state.is_all_held());
    }
}
