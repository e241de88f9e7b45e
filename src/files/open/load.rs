//! Opening a log and its mirror: one state from two files, whatever happened to either.
//!
//! The log is the truth, the mirror may hold somebody's edit. To tell an edit from a mirror that is
//! merely old, we ask what the mirror showed before the edit (its *base*); the edit is the difference
//! between base and content, and is applied on top of the log's final state.
//!
//! | mirror                         | log                    | base                          | result                          |
//! |--------------------------------|------------------------|-------------------------------|---------------------------------|
//! | missing                        | any                    | -                             | log's state; mirror rebuilt at the next write |
//! | missing                        | missing                | -                             | no data                         |
//! | not a JSON object              | any                    | -                             | log's state; mirror set aside at the next write |
//! | its hash is the record's       | fits the record        | -                             | log's state (ours, maybe old)   |
//! | the same                       | damaged before that    | what the valid lines show there | log's state + what only the mirror still has |
//! | its hash is in the last `_edit`, no mirror written since | any | -                      | log's state (edit is logged)    |
//! | other, this process knew it    | not replaced           | what it showed, or another process's since then (no record: the nearest since) | log's state + edit |
//! | a later state of the log, this process knew an older one | no record fits | that position | log's state (another process wrote it) |
//! | as this process knew it        | replaced by another process, fits the record | -        | log's state                     |
//! | other, this process was running | replaced by another process | the record                | log's state + edit              |
//! | other, clean record            | ends where it says     | log's final state             | log's state + edit              |
//! | other (crash, copy, old data)  | any, also none         | the nearest position in the log | log's state + edit (none: the mirror is old) |
//!
//! *Nearest*: the position whose state differs from the mirror in the fewest keys, the last of them (see
//! `nearest`).
//! With an empty log that is the empty state, so the whole mirror is taken over: first start on old
//! data. A torn or damaged log gives the state of its valid lines (see `replay`) in every row.
//!
//! Nothing is written here.

use std::collections::HashSet;

use crate::data::json;
use crate::data::state::State;
use crate::error::Result;
use crate::files::log::entry::EditTag;
use crate::files::log::file::{LogFile, LogPaths};
use crate::files::log::replay::{LoggedMemory, replay};
use crate::files::mirror::content::{
    Edit, KnownMirror, LoggedEdit, MirrorContent, PendingEdit, Shows, apply_edits, difference, is_settled,
};
use crate::files::mirror::record::{MirrorId, MirrorRecord, PlacedMirror, log_mark};
use crate::files::mirror::same::same_mirror;
use crate::files::open::nearest::{History, Nearest, Origin, nearest};
use crate::vfs::{File, FileSystem, Stamp};

/// What this process knows from before.
#[derive(Clone)]
pub enum Before {
    /// Nothing: it starts.
    Nothing,
    /// It has been running, but the log is not the one that it knew. The hash of the mirror, if that seems to be
    /// the file that it knew, and there was no edit in it.
    OtherLog(Option<u64>),
    /// It has been running on this log.
    SameLog(Box<KnownBefore>),
}

/// What a process knew of the mirror of a log that it has been running on.
#[derive(Clone)]
pub struct KnownBefore {
    /// The mirror.
    pub mirror: KnownMirror,
    /// The placed mirror of which the record spoke when it was last read.
    pub placed_seen: Option<PlacedMirror>,
    /// What the mirror held when an edit was found in it that is not logged yet.
    pub edited: Option<State>,
}

impl Before {
    /// The mirror that was known.
    pub fn known(self) -> Option<KnownMirror> {
        match self {
            // Its file is gone, so there is nothing about it that could go unnoticed.
            Self::SameLog(known) => Some(KnownMirror { is_settled: true, ..known.mirror }),
            _ => None,
        }
    }
}

/// A log and its mirror, opened.
pub struct Loaded {
    /// The log's state with the edit applied.
    pub state: State,
    /// The log file.
    pub file: LogFile,
    /// The edit that the log does not hold yet.
    pub pending: Option<PendingEdit>,
    /// The mirror.
    pub mirror: LoadedMirror,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
    /// What processes remembered of a log that was lost.
    pub memories: Vec<LoggedMemory>,
    /// The mirror of which the record speaks, if there is one in its place.
    pub placed_seen: Option<PlacedMirror>,
    /// The record.
    pub record_seen: Option<MirrorRecord>,
}

/// What was found of the mirror.
pub enum LoadedMirror {
    /// There is none, or it is of no concern.
    Missing,
    /// It is not a JSON object.
    Broken(MirrorContent),
    /// It was taken into account.
    Known(KnownMirror),
}

/// Opens a log and, if `is_mirrored`, its mirror.
pub fn load(files: &dyn FileSystem, paths: &LogPaths, is_mirrored: bool, before: Before) -> Result<Loaded> {
    let mut log = files.open_read(&paths.log)?;
    let mut loaded = load_log(log.as_deref_mut())?;
    if is_mirrored {
        reconcile(files, paths, &mut loaded, log.as_deref_mut(), before)?;
    }
    Ok(loaded)
}

/// A log by itself; without a file, an empty one.
pub fn load_log(log: Option<&mut (dyn File + 'static)>) -> Result<Loaded> {
    let mut loaded = Loaded {
        state: State::default(),
        file: LogFile::default(),
        pending: None,
        mirror: LoadedMirror::Missing,
        last_edit: None,
        memories: Vec::new(),
        placed_seen: None,
        record_seen: None,
    };
    if let Some(log) = log {
        let replayed = replay(log, u64::MAX)?;
        loaded.state = replayed.state;
        loaded.memories = replayed.memories;
        loaded.file = LogFile::at(log, replayed.end, replayed.lines, replayed.mending)?;
        loaded.file.has_unsynced_edit = replayed.last_edit.is_some();
        // Where lines before its last one are lost, a part of the edit may be among them: then the mirror itself
        // is read.
        let damages = &loaded.file.mending().damages;
        let is_behind = |edit: &LoggedEdit| damages.iter().all(|damage| damage.offset >= edit.log_end);
        loaded.last_edit = replayed.last_edit.filter(is_behind);
    }
    Ok(loaded)
}

/// Decides by the table above what a mirror means for what was loaded of the log.
pub fn reconcile(
    files: &dyn FileSystem,
    paths: &LogPaths,
    loaded: &mut Loaded,
    log: Option<&mut (dyn File + 'static)>,
    before: Before,
) -> Result<()> {
    let Some(stamp) = files.stamp(&paths.mirror)? else { return Ok(()) };
    let record = MirrorRecord::read(files, paths)?;
    loaded.placed_seen = record.as_ref().and_then(MirrorRecord::placed);
    loaded.record_seen = record;
    let is_whole = loaded.file.mending().damages.is_empty();
    let history = History { files, paths, log, end: loaded.file.end(), is_whole };
    let mut found = Found { history, loaded, stamp, record: None, before };
    found.record = found.fitting(record)?;
    if found.is_ours_by_stamp() || found.is_same_as_state()? {
        return Ok(());
    }
    let Some(content) = MirrorContent::read(files, paths)? else { return Ok(()) };
    if found.is_ours_by_hash(content.id) {
        return Ok(());
    }
    let Some(shown) = content.parse() else {
        found.loaded.mirror = LoadedMirror::Broken(content);
        return Ok(());
    };
    if found.is_known_content(content.id, &shown) {
        return Ok(());
    }
    let origin = found.origin(content.id, &shown)?;
    found.take_edit(content.id, shown, origin)
}

/// A mirror that was found, and what is known of it.
struct Found<'a> {
    history: History<'a>,
    loaded: &'a mut Loaded,
    stamp: Stamp,
    /// The record, if it speaks of this log.
    record: Option<MirrorRecord>,
    before: Before,
}

impl Found<'_> {
    /// The record, if the log is the one that it speaks of.
    fn fitting(&mut self, record: Option<MirrorRecord>) -> Result<Option<MirrorRecord>> {
        let (Some(record), Some(log)) = (record, &mut self.history.log) else { return Ok(None) };
        let fits =
            record.log_end <= self.history.end && log_mark(&mut **log, record.log_end)? == record.log_mark;
        Ok(fits.then_some(record))
    }

    /// Lines are damaged of which the mirror of the record may hold more than the log.
    fn is_damaged(&self) -> bool {
        let damages = &self.loaded.file.mending().damages;
        self.record.is_some_and(|record| damages.iter().any(|damage| damage.offset < record.log_end))
    }

    /// A process that starts may do so after a power cut.
    fn is_start(&self) -> bool {
        matches!(self.before, Before::Nothing)
    }

    fn know(&mut self, id: MirrorId, shows: Shows, is_synced: bool) {
        let is_settled = is_settled(self.stamp, self.history.files.now_ms());
        self.loaded.mirror = LoadedMirror::Known(KnownMirror { id, shows, is_settled, is_synced });
    }

    fn is_ours_by_stamp(&mut self) -> bool {
        match self.record {
            Some(record)
                if record.is_clean()
                    && record.mirror.stamp == self.stamp
                    && self.is_start()
                    && !self.is_damaged() =>
            {
                let id = MirrorId { stamp: self.stamp, ..record.mirror };
                self.know(id, Shows::LogUpTo(record.log_end), true);
                true
            }
            _ => false,
        }
    }

    /// No edit, whatever it showed before.
    fn is_same_as_state(&mut self) -> Result<bool> {
        if self.record.is_some() {
            return Ok(false);
        }
        let same = same_mirror(self.history.files, self.history.paths, &self.loaded.state)?;
        if let Some(id) = same {
            self.know(id, Shows::LogUpTo(self.history.end), false);
        }
        Ok(same.is_some())
    }

    fn is_ours_by_hash(&mut self, id: MirrorId) -> bool {
        match self.record {
            Some(record) if record.mirror.hash == id.hash && !self.is_damaged() => {
                self.know(id, Shows::LogUpTo(record.log_end), false);
                true
            }
            _ => false,
        }
    }

    /// Content in which nothing is new: its edit is logged, or it is the state, or it is the mirror as it was
    /// before another process replaced the log.
    fn is_known_content(&mut self, id: MirrorId, shown: &State) -> bool {
        let is_start = self.is_start();
        let proves = |record: &MirrorRecord| {
            if is_start { record.is_clean() } else { record.placed().is_some() }
        };
        let is_whole = self.loaded.file.mending().damages.is_empty();
        let is_as_before = is_whole
            && matches!(self.before, Before::OtherLog(Some(hash)) if hash == id.hash)
            && self.record.is_some_and(|record| record.placed().is_some());
        if is_as_before || is_logged(self.loaded.last_edit, id.hash, self.record.as_ref(), proves) {
            self.know(id, Shows::Content(shown.clone()), false);
            return true;
        }
        let is_state = difference(&self.loaded.state, shown).is_empty();
        if is_state {
            self.know(id, Shows::LogUpTo(self.history.end), false);
        }
        is_state
    }

    /// What the content was made from (see `nearest`).
    fn origin(&mut self, id: MirrorId, shown: &State) -> Result<Origin> {
        let end = self.history.end;
        let mut edited = None;
        let last = match (self.before.clone(), self.record) {
            // Ours, with damage in the log before it: the mirror has more than the valid lines show there.
            (_, Some(record)) if record.mirror.hash == id.hash => {
                return Ok(Origin {
                    shows: Shows::LogUpTo(record.log_end),
                    is_placed: true,
                    is_older: false,
                });
            }
            (Before::SameLog(known), record) => {
                if let Some(later) = self.shown_by_another(&known.mirror, record, shown)? {
                    return Ok(Origin { shows: later, is_placed: true, is_older: false });
                }
                let last = self.last_of_another(&known, record, shown)?;
                if last.is_none() || record.is_none_or(|record| record.placed().is_none()) {
                    edited = known.edited;
                }
                last.unwrap_or(known.mirror.shows)
            }
            (Before::OtherLog(_), Some(record)) if record.placed().is_some() => {
                Shows::LogUpTo(record.log_end)
            }
            (Before::Nothing, Some(record)) if record.is_clean() && record.log_end == end => {
                Shows::LogUpTo(end)
            }
            // Without a log the mirror is all there is.
            _ if end == 0 => Shows::LogUpTo(0),
            (_, record) => {
                let is_whole = self.loaded.file.mending().damages.is_empty();
                let last = record.filter(|record| record.placed().is_some());
                // Written over where it stood.
                let is_proven = last.is_some_and(|record| record.mirror.stamp.id == self.stamp.id);
                let (last, hash) = (last.map(|record| record.log_end), is_whole.then_some(id.hash));
                return self.history.origin_after_crash(last, is_proven, shown, hash);
            }
        };
        if end == 0 && matches!(last, Shows::LogUpTo(_)) {
            return Ok(Origin { shows: last, is_placed: true, is_older: false });
        }
        self.history.origin(last, edited.as_ref(), shown)
    }

    /// No record, or one of a mirror that may never have come: another process may have written this one since.
    fn shown_by_another(
        &mut self,
        known: &KnownMirror,
        record: Option<MirrorRecord>,
        shown: &State,
    ) -> Result<Option<Shows>> {
        let is_unsure = record.is_none_or(|record| record.placed().is_none());
        let (true, Shows::LogUpTo(from), Some(log)) = (is_unsure, &known.shows, &mut self.history.log) else {
            return Ok(None);
        };
        let exact = nearest(&mut **log, 0..=self.history.end, shown, 0)?;
        let is_later = |found: &Nearest| found.differing == 0 && found.position > *from;
        Ok(exact.filter(is_later).map(|found| Shows::LogUpTo(found.position)))
    }

    /// The last mirror, where another process has written one since this one looked: whoever edited the file had that
    /// one before them, unless the other one was stopped before its mirror was in its place. Then it may have been any
    /// since ours.
    fn last_of_another(
        &mut self,
        known: &KnownBefore,
        record: Option<MirrorRecord>,
        shown: &State,
    ) -> Result<Option<Shows>> {
        let is_news =
            |record: &MirrorRecord| known.placed_seen.is_none() || known.placed_seen != record.placed();
        let Some(record) = record.filter(is_news) else { return Ok(None) };
        match &mut self.history.log {
            Some(log) if record.placed().is_none() => {
                nearest_since(&mut **log, known.mirror.shows.clone(), record.log_end, shown).map(Some)
            }
            _ => Ok(Some(Shows::LogUpTo(record.log_end))),
        }
    }

    /// Takes the difference between origin and content over into the state.
    fn take_edit(&mut self, id: MirrorId, shown: State, origin: Origin) -> Result<()> {
        let Origin { shows, is_placed, is_older } = origin;
        let before = match (&shows, &mut self.history.log) {
            (Shows::Content(before), _) => before.clone(),
            (Shows::LogUpTo(position), Some(log)) => replay(&mut **log, *position)?.state,
            (Shows::LogUpTo(_), None) => State::default(),
        };
        let mut edits = difference(&before, &shown);
        if !is_placed {
            edits.retain(|edit| matches!(edit, Edit::Set(_)));
        }
        let is_recovered = self.is_recovered(id, &edits);
        let mut ambiguous = ambiguous_keys(&self.loaded.state, &before, &edits);
        if is_older && !edits.is_empty() {
            ambiguous.extend(keys_left_alone(&self.loaded.state, &shown, &edits));
        }
        let edits = apply_edits(&mut self.loaded.state, edits);
        if edits.is_empty() {
            // Nothing was edited, or all of it is there already.
            let shows = if difference(&before, &shown).is_empty() { shows } else { Shows::Content(shown) };
            self.know(id, shows, false);
            return Ok(());
        }
        let is_of_old = !difference(&self.loaded.state, &shown).is_empty();
        let tag = EditTag { mirror_hash: id.hash, is_of_old };
        self.loaded.pending =
            Some(PendingEdit { edits, tag, shown, is_in_log: false, is_recovered, ambiguous });
        // Until the edit is logged, a further change is again compared with the same base.
        self.know(id, shows, false);
        Ok(())
    }

    /// Whether the edits are what damaged lines of the log have lost, and nobody's doing.
    fn is_recovered(&self, id: MirrorId, edits: &[Edit]) -> bool {
        let damages = &self.loaded.file.mending().damages;
        if damages.is_empty() {
            return false;
        }
        let has_checkpoint = damages.iter().any(|damage| damage.is_checkpoint);
        let is_lost = |edit: &Edit| {
            let Edit::Set(member) = edit else { return false };
            let key = member.key();
            let key = json::key_for_people(&key[1..key.len() - 1]);
            damages.iter().any(|damage| damage.key.as_ref() == Some(&key))
                || (has_checkpoint && self.loaded.state.get(member.key()).is_none())
        };
        // The damage may have moved the offsets, so that the record does not fit any more.
        let is_ours = self.loaded.record_seen.is_some_and(|record| record.mirror.hash == id.hash);
        is_ours || edits.iter().all(is_lost)
    }
}

/// Keys that an edit changes although they have changed since what it was made from: both may be meant.
fn ambiguous_keys(newest: &State, origin: &State, edits: &[Edit]) -> Vec<String> {
    edits.iter().map(Edit::key).filter(|key| newest.get(key) != origin.get(key)).map(str::to_owned).collect()
}

/// Keys that the content shows as they were, and that are left as they are now.
fn keys_left_alone(newest: &State, shown: &State, edits: &[Edit]) -> Vec<String> {
    let edited: HashSet<&str> = edits.iter().map(Edit::key).collect();
    let differing = difference(newest, shown);
    differing.iter().map(Edit::key).filter(|key| !edited.contains(key)).map(str::to_owned).collect()
}

/// The nearest of what mirrors have shown since one showed `known`, up to one that shows the log up to `end`.
fn nearest_since(log: &mut (dyn File + 'static), known: Shows, end: u64, shown: &State) -> Result<Shows> {
    let from = if let Shows::LogUpTo(position) = known { position } else { 0 };
    let of_known = match &known {
        Shows::Content(before) => difference(before, shown).len(),
        Shows::LogUpTo(position) => difference(&replay(log, *position)?.state, shown).len(),
    };
    Ok(match nearest(log, from.min(end)..=end, shown, 0)? {
        Some(found) if found.differing <= of_known => Shows::LogUpTo(found.position),
        _ => known,
    })
}

/// Whether a mirror with this hash holds the edit that was logged last. Once a mirror was written behind
/// that, the same content is a new edit; `proves` tells whether a record proves that its mirror was there.
pub fn is_logged(
    last_edit: Option<LoggedEdit>,
    mirror_hash: u64,
    record: Option<&MirrorRecord>,
    proves: impl Fn(&MirrorRecord) -> bool,
) -> bool {
    last_edit.is_some_and(|edit| {
        let is_behind = |record: &MirrorRecord| proves(record) && record.log_end >= edit.log_end;
        edit.mirror_hash == mirror_hash && !record.is_some_and(is_behind)
    })
}
