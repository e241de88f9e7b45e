//! What was read of a log, and of its mirror once that is reconciled with it.

use std::sync::Arc;

use crate::data::state::{Slot, State};
use crate::error::{Error, Result};
use crate::files::index::index_file::{How, read_index};
use crate::files::log::file::{Extent, LogFile};
use crate::files::log::mending::Mending;
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{Ending, LoggedEdit, LoggedMemory, Replayed, continue_replay, replay_into};
use crate::files::mirror::known::FoundMirror;
use crate::files::values::log_values::LogValues;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::vfs::{File, FileSystem};

/// A log and its mirror, opened.
pub struct Loaded {
    /// The log's state with the edit applied.
    pub state: State<Slot>,
    /// The log in which the values lie that are not in memory.
    pub values: Option<Arc<LogValues>>,
    /// The log file.
    pub file: LogFile,
    /// The mirror.
    pub mirror: FoundMirror,
    /// What processes remembered of a log that was lost.
    pub memories: Vec<LoggedMemory>,
    /// Where the log ended of which there is an index; 0 without one.
    pub indexed_end: u64,
}

impl Loaded {
    /// The members that are not over.
    pub fn live_snapshot(&self, now_ms: i64) -> SlotSnapshot {
        SlotSnapshot::new(self.state.live_places(now_ms), self.values.clone())
    }
}

/// A log by itself; without a file, an empty one. By its index, if there is one.
pub fn load_log(
    files: &dyn FileSystem,
    paths: &LogPaths,
    log: Option<&mut (dyn File + 'static)>,
    how: How,
) -> Result<Loaded> {
    let mut loaded = Loaded {
        state: State::with_cache(how.cache_bytes),
        values: None,
        file: LogFile::new(paths.clone()),
        mirror: FoundMirror::default(),
        memories: Vec::new(),
        indexed_end: 0,
    };
    if let Some(log) = log {
        // Whatever there is to be said of an index, a replay tells all.
        let indexed = read_index(files, paths, log, how).unwrap_or_default();
        loaded.indexed_end = indexed.as_ref().map_or(0, |indexed| indexed.end);
        let replayed = if let Some(replayed) = indexed.and_then(|indexed| with_lines_behind(log, indexed)) {
            replayed
        } else {
            loaded.indexed_end = 0;
            log.rewind()?;
            replay_into(log, u64::MAX, || State::with_cache(how.cache_bytes))?
        };
        loaded.state = replayed.state;
        if how.cache_bytes.is_some() {
            let values = LogValues::open(files, &paths.log, log.stamp()?.id)?;
            loaded.values = Some(values.ok_or_else(|| Error::log_replaced(&paths.log, "it was read"))?);
        }
        loaded.memories = replayed.memories;
        let extent = Extent { end: replayed.end, lines: replayed.lines, mending: replayed.mending };
        loaded.file = LogFile::at(paths.clone(), log, extent)?;
        if replayed.last_edit.is_some() {
            loaded.file.note_unsynced_edit();
        }
        // Where lines before its last one are lost, a part of the edit may be among them: then the mirror itself
        // is read.
        let damages = &loaded.file.mending().damages;
        let is_behind = |edit: &LoggedEdit| damages.iter().all(|damage| damage.offset >= edit.log_end);
        loaded.mirror.last_edit = replayed.last_edit.filter(is_behind);
    }
    Ok(loaded)
}

/// What the log comes to where an index ends before its end; `None` where it has anything there but whole lines.
fn with_lines_behind(log: &mut dyn File, mut replayed: Replayed<Slot>) -> Option<Replayed<Slot>> {
    let ending = continue_replay(log, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {});
    (ending == Ok(Ending::Whole) && replayed.mending == Mending::default()).then_some(replayed)
}
