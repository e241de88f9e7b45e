//! The index of a log: `.progressive-storage/NAME.index`.
//!
//! ```text
//! log      SET a … SET b … SET a … SET c ║ SET b … SET d          ║: where it ended when the index was written
//! index                    └ a ┘   └ c ┘ ║                        each key with the place and hash of its value
//! start    values of the index, read where they lie ║ then the lines behind
//! ```
//!
//! `index_bytes` has its bytes. It is derived: without one, or with one that does not fit, the log is replayed from its first
//! byte:
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

use crate::data::state::{Slot, State};
use crate::error::Result;
use crate::files::index::index_bytes::{IndexBytes, IndexedLog, append_index};
use crate::files::log::bytes::log_mark;
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::Replayed;
use crate::files::values::reading::read_members;
use crate::vfs::{File, FileSystem};

/// A log is indexed from this size on, and anew when it has grown by as much: a replay of less takes a few milliseconds. In
/// simulations every log is.
pub const INDEXED_BYTES_MIN: u64 = if cfg!(feature = "simulation") { 1 } else { 1 << 20 };

/// While the log grows, it is indexed anew when it has grown by so much, and by so many times the size of the index: writing
/// that is a small part of writing the log.
pub const GROWN_BYTES_MIN: u64 = if cfg!(feature = "simulation") { 2 << 10 } else { 8 << 20 };
/// See `GROWN_BYTES_MIN`.
pub const GROWN_TIMES: u64 = 8;

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
        let size_bytes = append_index(&mut *file, log, state.len(), || state.places())?;
        drop(file);
        files.rename(temporary, &paths.index).map(|()| size_bytes)
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
    let Some(mut bytes) = IndexBytes::open(&mut *file)? else { return Ok(None) };
    let Some((indexed, count)) = bytes.head()? else { return Ok(None) };
    if !indexed.is_of(&found, how.trust == Trust::Grown) || log_mark(log, indexed.end)? != indexed.mark {
        return Ok(None);
    }
    let mut state = State::with_cache(how.cache_bytes);
    state.reserve(count);
    if how.cache_bytes.is_some() {
        for _ in 0..count {
            let Some((slot, offset)) = bytes.slot()? else { return Ok(None) };
            state.set_at(slot, offset);
        }
    } else {
        let mut places = Vec::new();
        for _ in 0..count {
            let Some(place) = bytes.slot()? else { return Ok(None) };
            places.push(place);
        }
        let Some(members) = read_members(log, &places)? else { return Ok(None) };
        for ((_, offset), member) in places.into_iter().zip(members) {
            state.set_at(member, offset);
        }
    }
    if !bytes.is_at_end() {
        return Ok(None);
    }
    let IndexedLog { end, lines, last_edit, .. } = indexed;
    Ok(Some(Replayed { state, end, lines, last_edit, ..Replayed::default() }))
}
