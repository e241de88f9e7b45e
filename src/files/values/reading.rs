//! Reading values where they lie in a log, in the order of their places, many with one read where they lie close together.
//!
//! ```text
//! log   ······[v1]··[v2]·············································[v3]····
//!             └ one read ┘                                           └ ┘
//! ```
//!
//! Invariant: a value is given only with the length and the hash that its slot has.

use crate::data::state::{Kept, Member, Slot};
use crate::error::Result;
use crate::files::log::bytes::read_full;
use crate::vfs::File;

/// A gap up to this size is read with the values around it: that is faster than another read.
const GAP_BYTES_MAX: u64 = 16 << 10;
/// About so much is read at once. A larger value is read by itself.
const READ_BYTES: u64 = 1 << 20;

/// The members of these slots, in their order; `None` where one does not lie where it should.
pub fn read_members(log: &mut dyn File, places: &[(Slot, u64)]) -> Result<Option<Vec<Member>>> {
    let mut members: Vec<Option<Member>> = Vec::with_capacity(places.len());
    let mut in_log = Vec::new();
    for (slot, offset) in places {
        members.push(match slot {
            Slot::Held(member) => Some(member.clone()),
            Slot::Lying(lying) => {
                let Some(end) = offset.checked_add(lying.value_bytes() as u64) else { return Ok(None) };
                in_log.push((*offset, end, lying, members.len()));
                None
            }
        });
    }
    in_log.sort_unstable_by_key(|(offset, ..)| *offset);
    let size_bytes = if in_log.is_empty() { 0 } else { log.stamp()?.size_bytes };
    let mut buffer = Vec::new();
    let mut left = &in_log[..];
    while let Some((start, first_end, ..)) = left.first().copied() {
        let mut end = first_end;
        let joined = left[1..].iter().take_while(|(next, next_end, ..)| {
            let is_close = *next <= end.saturating_add(GAP_BYTES_MAX) && next_end - start <= READ_BYTES;
            if is_close {
                end = end.max(*next_end);
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
        for (offset, _, lying, at) in run {
            let from = usize::try_from(offset - start).unwrap_or(usize::MAX);
            members[*at] = buffer
                .get(from..)
                .and_then(|bytes| bytes.get(..lying.value_bytes()))
                .and_then(|value| lying.with_value(value));
            if members[*at].is_none() {
                return Ok(None);
            }
        }
    }
    Ok(Some(members.into_iter().flatten().collect()))
}

/// The first slots of these that come to about so many bytes; at least one, if there is one.
pub fn first_chunk(places: &[(Slot, u64)], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |(slot, _): &&(Slot, u64)| {
        let is_first = bytes == 0;
        bytes += slot.text_bytes() + 1;
        is_first || bytes <= bytes_max
    };
    places.iter().take_while(fits).count()
}

/// Cuts slots into runs of about `bytes_max`, at least one slot each.
pub fn chunks(mut places: &[(Slot, u64)], bytes_max: usize) -> Vec<&[(Slot, u64)]> {
    let mut found = Vec::new();
    while !places.is_empty() {
        let (chunk, rest) = places.split_at(first_chunk(places, bytes_max));
        found.push(chunk);
        places = rest;
    }
    found
}
