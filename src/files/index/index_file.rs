//! The index of a log: `.progressive-storage/NAME.index`.
//!
//! ```text
//! log      SET a … SET b … SET a … SET c ║ SET b … SET d          ║: where it ended when the index was written
//! index                    └ a ┘   └ c ┘ ║                        each key with the place and hash of its value
//! start    values of the index, read where they lie ║ then the lines behind
//!
//! bytes    "PSINDEX1" │ hash of the rest │ head │ count │ slot … slot                numbers: 8 bytes, little-endian
//! head     id, modified_ns, end, mark, lines of the log │ last edit: end, hash       end 0: none
//! slot     key bytes │ offset │ value bytes │ hash │ expires_ms │ key │ value        value: only where the offset is NOWHERE
//! ```
//!
//! It is derived. Without one, or with one that does not fit, the log is replayed from its first byte:
//!
//! | found                                                      | leads to                                       |
//! |------------------------------------------------------------|------------------------------------------------|
//! | no index, one that cannot be read, another version         | a replay                                       |
//! | a hash that is not that of its bytes                       | a replay                                       |
//! | a log with another id: compacted, copied, put back         | a replay                                       |
//! | a log that is shorter, or ends with other bytes there      | a replay                                       |
//! | a log of the same length that was changed since            | a replay                                       |
//! | a log that has grown, where damage is to be refused        | a replay                                       |
//! | a value whose bytes have another hash                      | a replay                                       |
//! | anything behind its end but whole lines                    | a replay                                       |
//! | a log that has grown                                       | the values, and then the lines behind the end  |
//! | the log as it was                                          | the values                                     |
//!
//! It is not synced: what a power cut leaves of it has another hash.
//!
//! Invariant: keys, order, values and expiries are those of the log up to the end that it names, which has nothing to mend.

use std::path::Path;

use crate::data::slot::Lying;
use crate::data::state::{Kept, Member, NOWHERE, Slot, State};
use crate::error::Result;
use crate::files::log::bytes::{hash_of, log_mark, read_all};
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{LoggedEdit, Replayed};
use crate::files::values::reading::read_members;
use crate::vfs::{File, FileSystem, Stamp};

const MAGIC: &[u8; 8] = b"PSINDEX1";
const NO_EXPIRY: u64 = u64::MAX;

/// A log is indexed from this size on, and anew when it has grown by as much: a replay of less takes a few milliseconds. In
/// simulations every log is.
pub const INDEXED_BYTES_MIN: u64 = if cfg!(feature = "simulation") { 1 } else { 1 << 20 };

/// While the log grows, it is indexed anew when it has grown by so much, and by so many times the size of the index: writing
/// that is a small part of writing the log.
pub const GROWN_BYTES_MIN: u64 = if cfg!(feature = "simulation") { 2 << 10 } else { 8 << 20 };
/// See `GROWN_BYTES_MIN`.
pub const GROWN_TIMES: u64 = 8;

/// What an index says of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedLog {
    /// The file.
    pub id: u64,
    /// When it was changed last.
    pub modified_ns: i64,
    /// Where it ended.
    pub end: u64,
    /// Hash of its last bytes.
    pub mark: u64,
    /// Lines before the end.
    pub lines: u64,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
}

/// Whether an index helps where the log has grown since: damage that came since to a line which no value lies in is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It does.
    Grown,
    /// It does not.
    Unchanged,
    /// No index does: a value was not where one said.
    Nothing,
}

/// How a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Whether its index counts.
    pub trust: Trust,
    /// So many bytes of values may be in memory; `None`: all.
    pub cache_bytes: Option<u64>,
}

/// Writes the index of a log that comes to this state; gives its size.
pub fn write_index(
    files: &dyn FileSystem,
    paths: &LogPaths,
    temporary: &Path,
    log: &IndexedLog,
    state: &State<Slot>,
) -> Result<u64> {
    let written = (|| {
        let mut file = files.create_like(temporary, &paths.log)?;
        let bytes = encode(log, state.len(), state.places());
        file.append(&bytes)?;
        drop(file);
        files.rename(temporary, &paths.index).map(|()| bytes.len() as u64)
    })();
    if written.is_err() {
        // Of no use; swept up later if this fails.
        let _ = files.remove(temporary);
    }
    written
}

/// The state of a log as its index has it, and where to go on; `None` where there is none that fits.
pub fn read_index(
    files: &dyn FileSystem,
    paths: &LogPaths,
    log: &mut dyn File,
    how: How,
) -> Result<Option<Replayed<Slot>>> {
    let found = log.stamp()?;
    if found.size_bytes < INDEXED_BYTES_MIN || how.trust == Trust::Nothing {
        return Ok(None);
    }
    let Some(mut file) = files.open_read(&paths.index)? else { return Ok(None) };
    let bytes = read_all(&mut *file, u64::MAX)?;
    let Some((indexed, mut places)) = decode(&bytes) else { return Ok(None) };
    drop(bytes);
    if !indexed.fits(&found, how.trust) || log_mark(log, indexed.end)? != indexed.mark {
        return Ok(None);
    }
    if how.cache_bytes.is_none() {
        let Some(members) = read_members(log, &places)? else { return Ok(None) };
        for ((slot, _), member) in places.iter_mut().zip(members) {
            *slot = Slot::Held(member);
        }
    }
    let mut state = State::with_cache(how.cache_bytes);
    for (slot, offset) in places {
        state.set_at(slot, offset);
    }
    let IndexedLog { end, lines, last_edit, .. } = indexed;
    Ok(Some(Replayed { state, end, lines, last_edit, ..Replayed::default() }))
}

impl IndexedLog {
    fn fits(&self, found: &Stamp, trust: Trust) -> bool {
        let is_as_it_was = found.size_bytes == self.end && found.modified_ns == self.modified_ns;
        let has_grown = found.size_bytes > self.end && trust == Trust::Grown;
        found.id == self.id && (is_as_it_was || has_grown)
    }
}

/// The bytes of an index of so many members.
pub fn encode<'m>(log: &IndexedLog, count: usize, places: impl Iterator<Item = (&'m Slot, u64)>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
    put(u64::from_le_bytes(*MAGIC));
    put(0);
    put(log.id);
    put(log.modified_ns.cast_unsigned());
    put(log.end);
    put(log.mark);
    put(log.lines);
    put(log.last_edit.map_or(0, |edit| edit.log_end));
    put(log.last_edit.map_or(0, |edit| edit.mirror_hash));
    put(count as u64);
    for (slot, offset) in places {
        let key = slot.key();
        let (value_bytes, hash) = slot.value_id();
        let expires_ms = slot.expires_ms().map_or(NO_EXPIRY, i64::cast_unsigned);
        for number in [key.len() as u64, offset, value_bytes, hash, expires_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(key.as_bytes());
        // Such a value is never let go.
        if let Some(member) = slot.held().filter(|_| offset == NOWHERE) {
            out.extend_from_slice(member.value().as_bytes());
        }
    }
    let hash = hash_of(&out[16..]).to_le_bytes();
    out[8..16].copy_from_slice(&hash);
    out
}

/// The bytes of an index, from where they are read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn text(&mut self, size_bytes: u64) -> Option<&'a str> {
        let (text, rest) = self.0.split_at_checked(usize::try_from(size_bytes).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }
}

fn decode(bytes: &[u8]) -> Option<(IndexedLog, Vec<(Slot, u64)>)> {
    let mut bytes = Bytes(bytes.strip_prefix(MAGIC)?);
    if bytes.number()? != hash_of(bytes.0) {
        return None;
    }
    let mut log = IndexedLog {
        id: bytes.number()?,
        modified_ns: bytes.number()?.cast_signed(),
        end: bytes.number()?,
        mark: bytes.number()?,
        lines: bytes.number()?,
        last_edit: None,
    };
    let (log_end, mirror_hash) = (bytes.number()?, bytes.number()?);
    log.last_edit = (log_end > 0).then_some(LoggedEdit { mirror_hash, log_end });
    let count = bytes.number()?;
    let mut slots = Vec::new();
    for _ in 0..count {
        let (key_bytes, offset, value_bytes, hash) =
            (bytes.number()?, bytes.number()?, bytes.number()?, bytes.number()?);
        let expires_ms = bytes.number().map(|ms| (ms != NO_EXPIRY).then_some(ms.cast_signed()))?;
        let key = bytes.text(key_bytes)?;
        let slot = if offset == NOWHERE {
            Slot::Held(Member::expiring(key, bytes.text(value_bytes)?, expires_ms))
        } else {
            Slot::Lying(Lying::new(key, value_bytes, hash, expires_ms)?)
        };
        slots.push((slot, offset));
    }
    bytes.0.is_empty().then_some((log, slots))
}
