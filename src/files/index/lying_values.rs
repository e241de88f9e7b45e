//! Reading values where they lie in a log, in the order of their places, many with one read where they lie close together.
//!
//! ```text
//! log   ······[v1]··[v2]·············································[v3]····
//!             └ one read ┘                                           └ ┘
//! ```
//!
//! Invariant: a value is given only with the hash that was asked for.

use crate::data::state::{Member, NOWHERE, State};
use crate::error::Result;
use crate::files::log::bytes::{hash_of, read_full};
use crate::vfs::File;

/// A gap up to this size is read with the values around it: that is faster than another read.
const GAP_BYTES_MAX: u64 = 16 << 10;
/// About so much is read at once. A larger value is read by itself.
const READ_BYTES: u64 = 1 << 20;

/// A key, and where its value lies.
#[derive(Debug, PartialEq, Eq)]
pub struct Lying<'a> {
    /// Key literal.
    pub key: &'a str,
    /// In the log.
    pub offset: u64,
    /// Length of the value.
    pub value_bytes: u64,
    /// XXH3 of it.
    pub hash: u64,
    /// When the key is over, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// The value, where the log does not have it as it is.
    pub here: Option<&'a str>,
}

impl Lying<'_> {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.value_bytes)
    }

    /// From bytes that begin at this offset of the log.
    fn member_in(&self, bytes: &[u8], start: u64) -> Option<Member> {
        let at = usize::try_from(self.offset - start).ok()?;
        let value = bytes.get(at..)?.get(..usize::try_from(self.value_bytes).ok()?)?;
        if hash_of(value) != self.hash {
            return None;
        }
        Some(Member::expiring(self.key, std::str::from_utf8(value).ok()?, self.expires_ms))
    }
}

/// The state of all of them, in their order; `None` where one does not lie where it should.
pub fn read_values(log: &mut dyn File, slots: &[Lying]) -> Result<Option<State>> {
    let mut members: Vec<Option<Member>> = slots
        .iter()
        .map(|slot| slot.here.map(|value| Member::expiring(slot.key, value, slot.expires_ms)))
        .collect();
    let mut in_log: Vec<usize> = (0..slots.len()).filter(|at| slots[*at].here.is_none()).collect();
    in_log.sort_unstable_by_key(|at| slots[*at].offset);
    let size_bytes = log.stamp()?.size_bytes;
    let mut buffer = Vec::new();
    let mut left = &in_log[..];
    while let Some(first) = left.first() {
        let start = slots[*first].offset;
        let mut end = slots[*first].end();
        let joined = left[1..].iter().take_while(|at| {
            let next = &slots[**at];
            let is_close =
                next.offset <= end.saturating_add(GAP_BYTES_MAX) && next.end() - start <= READ_BYTES;
            if is_close {
                end = end.max(next.end());
            }
            is_close
        });
        let (run, rest) = left.split_at(1 + joined.count());
        left = rest;
        let Ok(run_bytes) = usize::try_from(end - start) else { return Ok(None) };
        if end > size_bytes {
            return Ok(None);
        }
        buffer.resize(run_bytes, 0);
        if read_full(log, &mut buffer, start)? < run_bytes {
            return Ok(None);
        }
        for at in run {
            members[*at] = slots[*at].member_in(&buffer, start);
            if members[*at].is_none() {
                return Ok(None);
            }
        }
    }
    let mut state = State::default();
    for (member, slot) in members.into_iter().flatten().zip(slots) {
        state.set_at(member, if slot.here.is_some() { NOWHERE } else { slot.offset });
    }
    Ok(Some(state))
}
