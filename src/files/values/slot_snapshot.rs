//! A state at one moment, whose members are read a piece at a time.
//!
//! Invariant: no more than about a MiB of what is not in memory is there at once, whatever the state comes to.

use std::sync::Arc;
use std::vec::IntoIter;

use crate::data::slots::Places;
use crate::data::state::{Kept, Member, Slot};
use crate::error::{Error, Result};
use crate::files::values::log_values::LogValues;
use crate::files::values::reading::first_chunk;

/// So much is read at once; a larger member by itself.
const PIECE_BYTES: usize = 1 << 20;

/// See the header of this file.
#[derive(Default)]
pub struct SlotSnapshot {
    places: Places,
    values: Option<Arc<LogValues>>,
}

impl SlotSnapshot {
    /// These slots of a log.
    pub fn new(places: Places, values: Option<Arc<LogValues>>) -> Self {
        Self { places, values }
    }

    /// The slots, each with the offset of its value in the log.
    pub fn places(&self) -> &[(Slot, u64)] {
        &self.places
    }

    /// The slots, and the log in which they lie.
    pub fn into_parts(self) -> (Places, Option<Arc<LogValues>>) {
        (self.places, self.values)
    }

    /// The members of some of its slots.
    pub fn read(&self, places: &[(Slot, u64)]) -> Result<Vec<Member>> {
        read_with(self.values.as_deref(), places)
    }

    /// Whether a value was not at its place.
    pub fn has_moved(&self) -> bool {
        self.values.as_ref().is_some_and(|values| values.has_moved())
    }

    /// All members, where all are in memory.
    pub fn held(&self) -> Option<Vec<Member>> {
        self.places.iter().map(|(slot, _)| slot.held().cloned()).collect()
    }

    /// All members in their order.
    pub fn members(&self) -> Members<'_> {
        Members { snapshot: self, next: 0, ready: Vec::new().into_iter() }
    }
}

/// The members of these slots, which lie in this log.
pub fn read_with(values: Option<&LogValues>, places: &[(Slot, u64)]) -> Result<Vec<Member>> {
    if let Some(held) = places.iter().map(|(slot, _)| slot.held().cloned()).collect() {
        return Ok(held);
    }
    match values {
        Some(values) => values.read(places),
        None => Err(Error::internal("values are not in memory, and no log is open that has them")),
    }
}

/// See `SlotSnapshot::members`. Ends with the first error.
pub struct Members<'a> {
    snapshot: &'a SlotSnapshot,
    next: usize,
    ready: IntoIter<Member>,
}

impl Iterator for Members<'_> {
    type Item = Result<Member>;

    fn next(&mut self) -> Option<Result<Member>> {
        if let Some(member) = self.ready.next() {
            return Some(Ok(member));
        }
        let left = &self.snapshot.places[self.next..];
        let chunk = &left[..first_chunk(left, PIECE_BYTES)];
        if chunk.is_empty() {
            return None;
        }
        match self.snapshot.read(chunk) {
            Ok(members) => {
                self.next += chunk.len();
                self.ready = members.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => {
                self.next = self.snapshot.places.len();
                Some(Err(error))
            }
        }
    }
}
