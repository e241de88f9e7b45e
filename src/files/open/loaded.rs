//! What was read of a log, and of its mirror once that is reconciled with it.

use crate::data::state::State;
use crate::error::Result;
use crate::files::log::file::{Extent, LogFile};
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{LoggedEdit, LoggedMemory, replay};
use crate::files::mirror::known::FoundMirror;
use crate::vfs::File;

/// A log and its mirror, opened.
pub struct Loaded {
    /// The log's state with the edit applied.
    pub state: State,
    /// The log file.
    pub file: LogFile,
    /// The mirror.
    pub mirror: FoundMirror,
    /// What processes remembered of a log that was lost.
    pub memories: Vec<LoggedMemory>,
}

/// A log by itself; without a file, an empty one.
pub fn load_log(paths: &LogPaths, log: Option<&mut (dyn File + 'static)>) -> Result<Loaded> {
    let mut loaded = Loaded {
        state: State::default(),
        file: LogFile::new(paths.clone()),
        mirror: FoundMirror::default(),
        memories: Vec::new(),
    };
    if let Some(log) = log {
        let replayed = replay(log, u64::MAX)?;
        loaded.state = replayed.state;
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
