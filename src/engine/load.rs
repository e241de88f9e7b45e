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

use super::entry::EditTag;
use super::log::{LogFile, LogPaths};
use super::mirror::{
    Edit, KnownMirror, LoggedEdit, MirrorContent, PendingEdit, Shows, apply_edits, difference, is_settled,
};
use super::nearest::{nearest, nearest_base};
use super::record::{MirrorId, MirrorRecord, PlacedMirror, log_mark};
use super::replay::{Replayed, replay};
use super::same_mirror::same_mirror;
use super::state::State;
use crate::error::Result;
use crate::vfs::{File, FileSystem};

/// What this process knows from before.
#[derive(Clone)]
pub enum Before {
    /// Nothing: it starts.
    Nothing,
    /// It has been running, but the log is not the one that it knew. The hash of the mirror, if that seems to be
    /// the file that it knew, and there was no edit in it.
    OtherLog(Option<u64>),
    /// It has been running on this log, and knew this mirror; and the placed mirror of which the record
    /// spoke when it last looked.
    SameLog(Box<KnownMirror>, Option<PlacedMirror>),
}

impl Before {
    /// The mirror that was known.
    pub fn known(self) -> Option<KnownMirror> {
        match self {
            // Its file is gone, so there is nothing about it that could go unnoticed.
            Self::SameLog(known, _) => Some(KnownMirror { is_settled: true, ..*known }),
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
    /// The mirror of which the record speaks, if there is one in its place.
    pub placed_seen: Option<PlacedMirror>,
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
    let replayed = match &mut log {
        Some(log) => replay(&mut **log, u64::MAX)?,
        None => Replayed::default(),
    };
    let mut file = match &mut log {
        Some(log) => LogFile::at(&mut **log, replayed.end, replayed.lines, replayed.mending)?,
        None => LogFile::default(),
    };
    file.has_unsynced_edit = replayed.last_edit.is_some();
    // Where lines before its last one are lost, a part of the edit may be among them: then the mirror itself
    // is looked at.
    let is_behind = |edit: &LoggedEdit| file.mending().damages.iter().all(|it| it.offset >= edit.log_end);
    let last_edit = replayed.last_edit.filter(is_behind);
    let mut loaded = Loaded {
        state: replayed.state,
        file,
        pending: None,
        mirror: LoadedMirror::Missing,
        last_edit,
        placed_seen: None,
    };
    if is_mirrored {
        reconcile(files, paths, &mut loaded, log.as_deref_mut(), before)?;
    }
    Ok(loaded)
}

/// Decides by the table above.
fn reconcile(
    files: &dyn FileSystem,
    paths: &LogPaths,
    loaded: &mut Loaded,
    mut log: Option<&mut (dyn File + 'static)>,
    before: Before,
) -> Result<()> {
    let Some(stamp) = files.stamp(&paths.mirror)? else { return Ok(()) };
    let end = loaded.file.end();
    let mut record = MirrorRecord::read(files, paths)?;
    loaded.placed_seen = record.as_ref().and_then(MirrorRecord::placed);
    record = record.filter(|record| record.log_end <= end);
    if let Some(found) = &record {
        let is_of_this_log = match &mut log {
            Some(log) => log_mark(&mut **log, found.log_end)? == found.log_mark,
            None => false,
        };
        record = record.filter(|_| is_of_this_log);
    }
    let now_ms = files.now_ms();
    let take = |loaded: &mut Loaded, id, shows, is_synced| {
        let is_settled = is_settled(stamp, now_ms);
        loaded.mirror = LoadedMirror::Known(KnownMirror { id, shows, is_settled, is_synced });
    };
    let is_damaged = record.as_ref().is_some_and(|record| {
        loaded.file.mending().damages.iter().any(|damage| damage.offset < record.log_end)
    });
    if let Some(record) = &record
        && record.is_clean()
        && record.mirror.stamp == stamp
        && matches!(before, Before::Nothing)
        && !is_damaged
    {
        let id = MirrorId { stamp, ..record.mirror };
        take(loaded, id, Shows::LogUpTo(record.log_end), record.is_clean());
        return Ok(());
    }
    if !is_damaged
        && record.is_none()
        && let Some(id) = same_mirror(files, paths, &loaded.state)?
    {
        // No edit, whatever it showed before.
        take(loaded, id, Shows::LogUpTo(end), false);
        return Ok(());
    }
    let Some(content) = MirrorContent::read(files, paths)? else { return Ok(()) };
    let is_ours = |record: &MirrorRecord| record.mirror.hash == content.id.hash;
    if let Some(record) = &record
        && is_ours(record)
        && !is_damaged
    {
        take(loaded, content.id, Shows::LogUpTo(record.log_end), false);
        return Ok(());
    }
    let Some(shown) = content.parse() else {
        loaded.mirror = LoadedMirror::Broken(content);
        return Ok(());
    };
    // A process that starts may do so after a power cut, which can have taken the mirror of a record.
    let is_start = matches!(before, Before::Nothing);
    let proves = |record: &MirrorRecord| {
        if is_start { record.is_clean() } else { record.placed().is_some() }
    };
    if is_logged(loaded.last_edit, content.id.hash, record.as_ref(), proves) {
        take(loaded, content.id, Shows::Content(shown), false);
        return Ok(());
    }
    if difference(&loaded.state, &shown).is_empty() {
        take(loaded, content.id, Shows::LogUpTo(end), false);
        return Ok(());
    }
    let is_whole = loaded.file.mending().damages.is_empty();
    if matches!(before, Before::OtherLog(Some(hash)) if hash == content.id.hash)
        && is_whole
        && record.as_ref().is_some_and(|record| record.placed().is_some())
    {
        take(loaded, content.id, Shows::Content(shown), false);
        return Ok(());
    }
    // No record, or one of a mirror that may never have come: another process may have written this one since.
    let later = match (&before, &record, &mut log) {
        (Before::SameLog(known, _), record, Some(log))
            if record.as_ref().is_none_or(|record| record.placed().is_none())
                && let Shows::LogUpTo(from) = known.shows =>
        {
            Some(nearest(&mut **log, 0..=end, &shown)?)
                .filter(|found| found.differing == 0 && found.position > from)
        }
        _ => None,
    };
    let base = match (before, record) {
        (_, Some(record)) if is_ours(&record) => Shows::LogUpTo(record.log_end),
        _ if let Some(later) = &later => Shows::LogUpTo(later.position),
        // Another process has written a mirror since. Whoever edited the file had that one before him, unless
        // the other one was stopped before its mirror was in its place: then it may have been any since ours.
        (Before::SameLog(known, seen), Some(record)) if seen.is_none() || seen != record.placed() => {
            match &mut log {
                Some(log) if record.placed().is_none() => {
                    nearest_since(&mut **log, known.shows, record.log_end, &shown)?
                }
                _ => Shows::LogUpTo(record.log_end),
            }
        }
        (Before::OtherLog(_), Some(record)) if record.placed().is_some() => Shows::LogUpTo(record.log_end),
        (Before::SameLog(known, _), _) => known.shows,
        (Before::Nothing, Some(record)) if record.is_clean() && record.log_end == end => Shows::LogUpTo(end),
        _ => match &mut log {
            Some(log) => nearest_base(&mut **log, end, &shown, is_whole.then_some(content.id.hash))?,
            None => Shows::LogUpTo(0),
        },
    };
    let edits = edits_since(&base, log, &shown)?;
    if edits.is_empty() {
        take(loaded, content.id, base, false);
        return Ok(());
    }
    let edits = apply_edits(&mut loaded.state, edits);
    if edits.is_empty() {
        // All of it is there already, so it is over.
        take(loaded, content.id, Shows::Content(shown), false);
    } else {
        let is_of_old = !difference(&loaded.state, &shown).is_empty();
        let tag = EditTag { mirror_hash: content.id.hash, is_of_old };
        loaded.pending = Some(PendingEdit { edits, tag, shown, is_in_log: false });
        // Until the edit is logged, a further change is again compared with the same base.
        take(loaded, content.id, base, false);
    }
    Ok(())
}

/// The nearest of what mirrors have shown since one showed `known`, up to one that shows the log up to `end`.
fn nearest_since(log: &mut (dyn File + 'static), known: Shows, end: u64, shown: &State) -> Result<Shows> {
    let from = if let Shows::LogUpTo(position) = known { position } else { 0 };
    let found = nearest(log, from.min(end)..=end, shown)?;
    let from_known = edits_since(&known, Some(log), shown)?.len();
    Ok(if from_known < found.differing { known } else { Shows::LogUpTo(found.position) })
}

/// What was done to a mirror that showed `base` to make it show `shown`.
fn edits_since(base: &Shows, log: Option<&mut (dyn File + 'static)>, shown: &State) -> Result<Vec<Edit>> {
    Ok(match (base, log) {
        (Shows::Content(before), _) => difference(before, shown),
        (Shows::LogUpTo(position), Some(log)) => difference(&replay(log, *position)?.state, shown),
        (Shows::LogUpTo(_), None) => difference(&State::default(), shown),
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
