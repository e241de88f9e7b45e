//! A log that was opened, and the mirror beside it: whose is the mirror, and what did somebody change in it?
//!
//! The log is the truth, the mirror may hold somebody's edit. To distinguish an edit from a mirror that is
//! merely old, we ask what the mirror showed before the edit (its *base*); the edit is the difference
//! between base and content, and is applied on top of the log's final state.
//!
//! | mirror                         | log                    | base                          | result                          |
//! |--------------------------------|------------------------|-------------------------------|---------------------------------|
//! | missing                        | any                    | -                             | log's state; mirror rebuilt when it is written next |
//! | missing                        | missing                | -                             | no data                         |
//! | not a JSON object              | any                    | -                             | log's state; mirror set aside when it is written next |
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
//! 1. Collect the `Facts`: stamp, record, what the process knew.
//! 2. `plan` says what to read or decide next; do it, until it is decided.
//! 3. An edit: find its base, and apply the difference to the log's state.
//!
//! Invariant: nothing is written here.

use std::collections::HashSet;

use crate::data::json;
use crate::data::state::{Kept, Slot, State};
use crate::error::Result;
use crate::files::log::bytes::log_mark;
use crate::files::log::entry::EditTag;
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::replay;
use crate::files::mirror::content::MirrorContent;
use crate::files::mirror::edit::{Edit, apply_edits, edits_in, with_expiries};
use crate::files::mirror::known::{
    Before, KnownBefore, KnownMirror, MirrorFile, PendingEdit, Shows, is_settled,
};
use crate::files::mirror::record::{MirrorId, MirrorRecord};
use crate::files::mirror::same::same_mirror;
use crate::files::open::loaded::Loaded;
use crate::files::open::nearest::{History, Nearest, Origin, nearest};
use crate::files::open::reconcile_plan::{Base, Facts, Knowledge, MirrorPlan, Seen, plan};
use crate::vfs::{File, FileSystem, Stamp};

/// Takes the mirror into account for what was loaded of the log.
pub fn reconcile(
    files: &dyn FileSystem,
    paths: &LogPaths,
    loaded: &mut Loaded,
    log: Option<&mut (dyn File + 'static)>,
    before: Before,
) -> Result<()> {
    let Some(stamp) = files.stamp(&paths.mirror)? else { return Ok(()) };
    let record = MirrorRecord::read(files, paths)?;
    loaded.mirror.placed_seen = record.as_ref().and_then(MirrorRecord::placed);
    loaded.mirror.record_seen = record;
    let is_whole = loaded.file.mending().damages.is_empty();
    let mut history = History { files, paths, log, end: loaded.file.end(), is_whole };
    let record = of_this_log(&mut history, record)?;
    let facts = facts(loaded, stamp, record, &before);
    Reconciliation { history, loaded, facts, before }.run()
}

/// The record, if the log is the one that it speaks of.
fn of_this_log(history: &mut History, record: Option<MirrorRecord>) -> Result<Option<MirrorRecord>> {
    let (Some(record), Some(log)) = (record, &mut history.log) else { return Ok(None) };
    let fits = record.log_end <= history.end && log_mark(&mut **log, record.log_end)? == record.log_mark;
    Ok(fits.then_some(record))
}

fn facts(loaded: &Loaded, stamp: Stamp, record: Option<MirrorRecord>, before: &Before) -> Facts {
    let damages = &loaded.file.mending().damages;
    let is_before = |record: MirrorRecord| damages.iter().any(|damage| damage.offset < record.log_end);
    Facts {
        knowledge: match before {
            Before::Nothing => Knowledge::Starts,
            Before::OtherLog(hash) => Knowledge::KnewOtherLog(*hash),
            Before::SameLog(_) => Knowledge::KnewLog,
        },
        stamp,
        record,
        log_end: loaded.file.end(),
        is_whole: damages.is_empty(),
        is_damaged_before_record: record.is_some_and(is_before),
        last_edit: loaded.mirror.last_edit,
    }
}

/// A mirror that was found, and what is known of it.
struct Reconciliation<'a> {
    history: History<'a>,
    loaded: &'a mut Loaded,
    facts: Facts,
    before: Before,
}

impl Reconciliation<'_> {
    /// Follows the plan to its end.
    fn run(mut self) -> Result<()> {
        let (files, paths) = (self.history.files, self.history.paths);
        match plan(&self.facts, Seen::Stamp) {
            MirrorPlan::Ours { log_end, is_synced } => {
                let hash = self.facts.record.map_or(0, |record| record.mirror.hash);
                self.know(MirrorId { hash, stamp: self.facts.stamp }, Shows::LogUpTo(log_end));
                if let MirrorFile::Known(known) = &mut self.loaded.mirror.file {
                    known.is_synced = is_synced;
                }
                return Ok(());
            }
            MirrorPlan::CompareWithState => {
                if let Some(id) = same_mirror(files, paths, &self.loaded.live_snapshot(files.now_ms()))? {
                    self.know(id, Shows::LogUpTo(self.facts.log_end));
                    return Ok(());
                }
            }
            _ => {}
        }
        let Some(content) = MirrorContent::read(files, paths)? else { return Ok(()) };
        let (id, hash) = (content.id, content.id.hash);
        if let MirrorPlan::Ours { log_end, .. } = plan(&self.facts, Seen::Bytes(hash)) {
            self.know(id, Shows::LogUpTo(log_end));
            return Ok(());
        }
        let Some(shown) = content.parse() else {
            self.loaded.mirror.file = MirrorFile::Broken(id);
            return Ok(());
        };
        if plan(&self.facts, Seen::Object(hash)) == MirrorPlan::Logged {
            self.know(id, Shows::Content(shown));
            return Ok(());
        }
        if edits_in(&self.loaded.state, &shown, files.now_ms()).is_empty() {
            self.know(id, Shows::LogUpTo(self.facts.log_end));
            return Ok(());
        }
        let MirrorPlan::Edited(base) = plan(&self.facts, Seen::OtherObject(hash)) else { return Ok(()) };
        let origin = self.origin(base, hash, &shown)?;
        self.take_edit(id, shown, origin)
    }

    fn know(&mut self, id: MirrorId, shows: Shows) {
        let is_settled = is_settled(self.facts.stamp, self.history.files.now_ms());
        self.loaded.mirror.file = MirrorFile::Known(KnownMirror { id, shows, is_settled, is_synced: false });
    }

    /// What the content was made from (see `nearest`).
    fn origin(&mut self, base: Base, hash: u64, shown: &State) -> Result<Origin> {
        match base {
            Base::Exactly(position) => Ok(Origin::exactly(Shows::LogUpTo(position))),
            Base::Last(position) => self.history.origin(Shows::LogUpTo(position), None, shown),
            Base::Nearest { last, is_whole } => {
                self.history.origin_after_crash(last, shown, is_whole.then_some(hash))
            }
            Base::Known => match self.before.clone() {
                Before::SameLog(known) => self.origin_of_known(*known, shown),
                _ => Ok(Origin::exactly(Shows::LogUpTo(self.facts.log_end))),
            },
        }
    }

    /// The same where this process knew the mirror, and another one may have written it since.
    fn origin_of_known(&mut self, known: KnownBefore, shown: &State) -> Result<Origin> {
        let record = self.facts.record;
        if let Some(later) = self.shown_by_another(&known.mirror, record, shown)? {
            return Ok(Origin::exactly(later));
        }
        let last = self.last_of_another(&known, record, shown)?;
        let is_known_last = last.is_none() || record.is_none_or(|record| record.placed().is_none());
        let edited = known.edited.filter(|_| is_known_last);
        let last = last.unwrap_or(known.mirror.shows);
        if self.facts.log_end == 0 && matches!(last, Shows::LogUpTo(_)) {
            return Ok(Origin::exactly(last));
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
        let now_ms = self.history.files.now_ms();
        let exact = nearest(&mut **log, 0..=self.history.end, shown, 0, now_ms)?;
        let is_later = |found: &Nearest| found.differing == 0 && found.position > *from;
        Ok(exact.filter(is_later).map(|found| Shows::LogUpTo(found.position)))
    }

    /// The last mirror, where another process has written one since this one checked: whoever edited the file saw that
    /// one, unless the other one was stopped before its mirror was in its place. Then it may have been any
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
        let now_ms = self.history.files.now_ms();
        match &mut self.history.log {
            Some(log) if record.placed().is_none() => {
                nearest_since(&mut **log, known.mirror.shows.clone(), record.log_end, (shown, now_ms))
                    .map(Some)
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
        let now_ms = self.history.files.now_ms();
        let edits = edits_in(&before, &shown, now_ms);
        let mut edits = with_expiries(edits, &self.loaded.state, &before);
        self.history.leave_what_is_over(&mut edits, &self.loaded.state)?;
        if !is_placed {
            edits.retain(|edit| matches!(edit, Edit::Set(_)) || self.was_held_before(edit.key()));
        }
        let is_recovered = self.is_recovered(id, &edits);
        let mut ambiguous = ambiguous_keys(&self.loaded.state, &before, &edits);
        if is_older && !edits.is_empty() {
            ambiguous.extend(keys_left_alone(&self.loaded.state, &shown, &edits, now_ms));
        }
        let edits = apply_edits(&mut self.loaded.state, edits);
        if edits.is_empty() {
            // Nothing was edited, or all of it is there already.
            let shows =
                if edits_in(&before, &shown, now_ms).is_empty() { shows } else { Shows::Content(shown) };
            self.know(id, shows);
            return Ok(());
        }
        let is_of_old = !edits_in(&self.loaded.state, &shown, now_ms).is_empty();
        let tag = EditTag { mirror_hash: id.hash, is_of_old };
        self.loaded.mirror.pending =
            Some(PendingEdit { edits, tag, shown, is_placed, is_in_log: false, is_recovered, ambiguous });
        // Until the edit is logged, a further change is again compared with the same base.
        self.know(id, shows);
        Ok(())
    }

    /// Whether the mirror held this key when an edit of it was found that is not logged yet.
    fn was_held_before(&self, key: &str) -> bool {
        let Before::SameLog(known) = &self.before else { return false };
        known.edited.as_ref().is_some_and(|edited| edited.shown.get(key).is_some())
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
        let is_ours = self.loaded.mirror.record_seen.is_some_and(|record| record.mirror.hash == id.hash);
        is_ours || edits.iter().all(is_lost)
    }
}

/// Keys that an edit changes although they have changed since what it was made from: both may be meant.
fn ambiguous_keys(newest: &State<Slot>, origin: &State, edits: &[Edit]) -> Vec<String> {
    let has_changed = |key: &&str| match (newest.get(key), origin.get(key)) {
        (Some(newest), Some(origin)) => !newest.is_member(origin),
        (newest, origin) => newest.is_some() || origin.is_some(),
    };
    edits.iter().map(Edit::key).filter(has_changed).map(str::to_owned).collect()
}

/// Keys that the content shows as they were, and that are left as they are now.
fn keys_left_alone(newest: &State<Slot>, shown: &State, edits: &[Edit], now_ms: i64) -> Vec<String> {
    let edited: HashSet<&str> = edits.iter().map(Edit::key).collect();
    let differing = edits_in(newest, shown, now_ms);
    differing.iter().map(Edit::key).filter(|key| !edited.contains(key)).map(str::to_owned).collect()
}

/// The nearest of what mirrors have shown since one showed `known`, up to one that shows the log up to `end`.
fn nearest_since(
    log: &mut (dyn File + 'static),
    known: Shows,
    end: u64,
    (shown, now_ms): (&State, i64),
) -> Result<Shows> {
    let from = if let Shows::LogUpTo(position) = known { position } else { 0 };
    let of_known = match &known {
        Shows::Content(before) => edits_in(before, shown, now_ms).len(),
        Shows::LogUpTo(position) => edits_in(&replay(log, *position)?.state, shown, now_ms).len(),
    };
    Ok(match nearest(log, from.min(end)..=end, shown, 0, now_ms)? {
        Some(found) if found.differing <= of_known => Shows::LogUpTo(found.position),
        _ => known,
    })
}
