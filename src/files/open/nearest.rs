//! What was a mirror made from that somebody edited?
//!
//! ```text
//! backup   a=1 │ b=1 │ CHECKPOINT …
//! log      CHECKPOINT a=1 b=1 │ b=2 │ edit c=1 │ d=1
//!                             P₁    P₂         P₃    P₄      a mirror that was written shows one of these
//!                             └── + e=5                      one that was edited was made from one of these
//! ```
//!
//! The last mirror is what a person usually had before them. An editor that was open for an hour holds an older
//! one. The rule, for a running process and for a start alike:
//!
//! 1. Candidates are the last mirror, and each position in the log, and in its backups if it goes on from them, from
//!    whose state at least half of the content's keys come unchanged.
//! 2. The candidate from which the fewest keys differ is the origin. Of several: the last mirror, then the
//!    latest position.
//! 3. Content that is exactly an older state is a copy that somebody put back where the last mirror is known
//!    for certain: the origin is the last mirror. After a crash it is a stale mirror: there is no edit.
//! 4. Without any candidate, where the last mirror is not known for certain (after a crash or in a copy), the nearest
//!    position is taken, and the edit removes nothing: keys that the content lacks may have joined later.
//!
//! A key whose time is over by now is no difference where the content lacks it: it was left out of a mirror that was written
//! since. Where the content has it, the mirror is older than that.
//!
//! An edit that was logged names the mirror it was found in by its hash. Where it is this very mirror, as when
//! a power cut has brought an older file back, nothing in it is new.
//!
//! Invariant: memory is that of the states, whatever the number of lines.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::data::entry_text::KeyChange;
use crate::data::state::{Member, Slot, State};
use crate::error::Result;
use crate::files::log::entry::Entry;
use crate::files::log::lines::{LineReader, for_each_entry};
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{Replayed, continue_replay, replay};
use crate::files::mirror::edit::{Edit, edits_in};
use crate::files::mirror::known::{EditedBefore, Shows};
use crate::files::past::old_logs::{OldLog, OldLogKind, old_logs};
use crate::vfs::{File, FileSystem};

/// The files that show what a mirror may have shown.
pub struct History<'a> {
    /// Where they are.
    pub files: &'a dyn FileSystem,
    /// Their names.
    pub paths: &'a LogPaths,
    /// The log, if there is one.
    pub log: Option<&'a mut (dyn File + 'static)>,
    /// Offset behind its last whole line.
    pub end: u64,
    /// None of its lines is damaged.
    pub is_whole: bool,
}

/// What the record says of the last mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMirror {
    /// The offset of the log that it shows.
    pub position: u64,
    /// It is the very file that is there now, written over.
    pub is_proven: bool,
}

/// What an edited mirror was made from.
pub struct Origin {
    /// What it showed then.
    pub shows: Shows,
    /// False where nothing is certain: then an edit removes nothing, but what an edit before it held.
    pub is_placed: bool,
    /// It is an older state than the last mirror's.
    pub is_older: bool,
}

impl Origin {
    /// There is no doubt about it.
    pub fn exactly(shows: Shows) -> Self {
        Self { shows, is_placed: true, is_older: false }
    }
}

/// A position in a log, and how many keys differ there.
pub struct Nearest {
    /// Offset behind an operation.
    pub position: u64,
    /// Keys in which the state differs there from what the mirror shows.
    pub differing: usize,
    /// Keys of the mirror that are the same there.
    pub unchanged: usize,
}

impl History<'_> {
    /// The origin of an edit where it is known what the last mirror showed (rules 1 to 3). `edited` is an edit of it that is
    /// not logged yet: this one then goes on from there, and both have the same origin.
    pub fn origin(&mut self, last: Shows, edited: Option<&EditedBefore>, shown: &State) -> Result<Origin> {
        let differing = match edited {
            Some(edited) => edits_in(&edited.shown, shown, self.files.now_ms()).len(),
            None => self.edits_since(&last, shown)?,
        };
        // Nearer than one key is only content that is exactly an older state, and that is a copy put back.
        if differing > 1
            && let Some(nearer) = self.nearest_of_all(shown, differing - 1, needed(shown))?
            && nearer.differing > 0
        {
            return Ok(Origin { shows: nearer.shows, is_placed: true, is_older: true });
        }
        let is_placed = edited.is_none_or(|edited| edited.is_placed);
        Ok(Origin { shows: last, is_placed, is_older: !is_placed })
    }

    /// The origin of an edit after a crash. `last` is what the record says of the last mirror, which may not be
    /// the one that was edited: a power cut can undo its rename, and in a copied folder it may be an older one. It is
    /// for certain if `is_proven`. `hash` is that of the content, if no line is missing with which an edit of it
    /// was logged.
    pub fn origin_after_crash(
        &mut self,
        last: Option<LastMirror>,
        shown: &State,
        hash: Option<u64>,
    ) -> Result<Origin> {
        let is_proven = last.is_some_and(|last| last.is_proven);
        let last = last.map(|last| last.position);
        let last_state = match (last, &mut self.log) {
            (Some(position), Some(log)) => Some(replay(&mut **log, position)?.state),
            _ => None,
        };
        let now_ms = self.files.now_ms();
        let of_last = last_state.as_ref().map(|state| edits_in(state, shown, now_ms).len());
        let is_last_near = last_state.is_some_and(|state| unchanged(&state, shown) >= needed(shown));
        let bound = of_last.map_or(usize::MAX, |differing| differing.saturating_sub(1));
        // Damaged lines make every position seem farther away than it is.
        let unchanged_min = if hash.is_some() { needed(shown) } else { 0 };
        let found = if of_last == Some(0) { None } else { self.nearest_of_all(shown, bound, unchanged_min)? };
        let fewest = found.as_ref().map(|found| found.differing).or(of_last);
        if fewest != Some(0)
            && let Some(log) = &mut self.log
        {
            if hash.is_some() && was_logged(&mut **log, self.end, hash)? {
                return Ok(Origin { shows: Shows::Content(shown.clone()), is_placed: true, is_older: true });
            }
            if let Some(edited) = nearest_edited(&mut **log, self.end, shown, now_ms)?
                && fewest.is_none_or(|fewest| edited.fewest < fewest)
                && unchanged(&edited.state, shown) >= unchanged_min
            {
                return Ok(Origin { shows: Shows::Content(edited.state), is_placed: true, is_older: true });
            }
        }
        if let Some(found) = found {
            let is_placed = found.unchanged >= needed(shown);
            return Ok(Origin { shows: found.shows, is_placed, is_older: true });
        }
        if let Some(position) = last.filter(|_| is_proven || is_last_near || of_last == Some(0)) {
            return Ok(Origin::exactly(Shows::LogUpTo(position)));
        }
        let position = match &mut self.log {
            Some(log) => {
                nearest(&mut **log, 0..=self.end, shown, 0, now_ms)?.map_or(0, |found| found.position)
            }
            None => 0,
        };
        Ok(Origin { shows: Shows::LogUpTo(position), is_placed: false, is_older: true })
    }

    /// Takes out of an edit what only seems to be one: a key that the log removed when its time was over, and that the
    /// content shows as it was then. The content is older than that. `newest` is what the edit is applied to.
    pub fn leave_what_is_over(&mut self, edits: &mut Vec<Edit>, newest: &State<Slot>) -> Result<()> {
        let now_ms = self.files.now_ms();
        edits.retain(|edit| !matches!(edit, Edit::Set(member) if member.is_over(now_ms)));
        let is_new = |edit: &Edit| matches!(edit, Edit::Set(member) if newest.get(member.key()).is_none());
        let Some(log) = self.log.as_mut().filter(|_| edits.iter().any(is_new)) else { return Ok(()) };
        let mut ended: HashMap<String, Member> = HashMap::new();
        let mut note = |key: &str, before: Option<&Member>, after: Option<&Member>| match (before, after) {
            (Some(before), None) if before.is_over(now_ms) => {
                ended.insert(key.to_owned(), before.clone());
            }
            (_, Some(_)) if !ended.is_empty() => {
                ended.remove(key);
            }
            _ => {}
        };
        log.rewind()?;
        continue_replay(&mut **log, self.end, &mut Replayed::<Member>::default(), &mut note, &mut |_| {})?;
        let is_ended =
            |member: &Member| ended.get(member.key()).is_some_and(|ended| ended.shows_same(member));
        edits.retain(|edit| !matches!(edit, Edit::Set(member) if is_ended(member)));
        Ok(())
    }

    /// Whether the log goes on from its backups: it begins with a checkpoint, and nothing of it is lost. Otherwise what is
    /// the same in a backup and in the mirror may be missing in the log, and the mirror is what has it.
    fn has_past(&mut self) -> Result<bool> {
        let Some(log) = self.log.as_mut().filter(|_| self.is_whole) else { return Ok(false) };
        let mut reader = LineReader::new(&mut **log, 0, self.end, 1);
        let first = reader.next_line()?.and_then(|line| line.entry().map(|entry| entry.is_checkpoint()));
        Ok(first == Some(true))
    }

    /// In how many keys the content differs from what was shown.
    fn edits_since(&mut self, shows: &Shows, shown: &State) -> Result<usize> {
        let now_ms = self.files.now_ms();
        Ok(match (shows, &mut self.log) {
            (Shows::Content(before), _) => edits_in(before, shown, now_ms).len(),
            (Shows::LogUpTo(position), Some(log)) => {
                edits_in(&replay(&mut **log, *position)?.state, shown, now_ms).len()
            }
            (Shows::LogUpTo(_), None) => shown.len(),
        })
    }

    /// The nearest position of the log and its backups in which at most `differing_max` keys differ and at least
    /// `unchanged_min` of the content's keys are unchanged.
    fn nearest_of_all(
        &mut self,
        shown: &State,
        differing_max: usize,
        unchanged_min: usize,
    ) -> Result<Option<NearestState>> {
        let mut best: Option<NearestState> = None;
        if let Some(log) = &mut self.log
            && let Some(found) = nearest(&mut **log, 0..=self.end, shown, unchanged_min, self.files.now_ms())?
            && found.differing <= differing_max
        {
            let shows = Shows::LogUpTo(found.position);
            best = Some(NearestState { differing: found.differing, unchanged: found.unchanged, shows });
        }
        let backups = if self.has_past()? { old_logs(self.files, self.paths)? } else { Vec::new() };
        for backup in backups.iter().rev().filter(|old| old.kind == OldLogKind::Backup) {
            let fewest = best.as_ref().map_or(differing_max.saturating_add(1), |best| best.differing);
            if fewest == 0 {
                break;
            }
            // A backup that cannot be read must not keep anybody from their data.
            if let Ok(Some(found)) = nearest_in_backup(self.files, backup, shown, unchanged_min)
                && found.differing < fewest
            {
                best = Some(found);
            }
        }
        Ok(best)
    }
}

/// A state of the past, and how many keys differ from it.
struct NearestState {
    differing: usize,
    unchanged: usize,
    shows: Shows,
}

/// So many keys of a content come unchanged from what it was made from.
fn needed(shown: &State) -> usize {
    shown.len().div_ceil(2)
}

/// Keys of the content that are the same in `state`.
fn unchanged(state: &State, shown: &State) -> usize {
    let is_same = |member: &&Member| state.get(member.key()).is_some_and(|before| before.shows_same(member));
    shown.iter().filter(is_same).count()
}

fn nearest_in_backup(
    files: &dyn FileSystem,
    backup: &OldLog,
    shown: &State,
    unchanged_min: usize,
) -> Result<Option<NearestState>> {
    let Some(mut file) = backup.open(files)? else { return Ok(None) };
    let now_ms = files.now_ms();
    let found = nearest(&mut *file, 0..=u64::MAX, shown, unchanged_min, now_ms)?;
    let Some(found) = found else { return Ok(None) };
    file.rewind()?;
    let mut replayed = Replayed::default();
    continue_replay(&mut *file, found.position, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
    let shows = Shows::Content(replayed.state);
    Ok(Some(NearestState { differing: found.differing, unchanged: found.unchanged, shows }))
}

/// Whether an edit was logged that was found in a mirror with this hash.
fn was_logged(file: &mut dyn File, end: u64, hash: Option<u64>) -> Result<bool> {
    let mut is_found = false;
    for_each_entry(file, end, |entry| is_found |= entry.mirror_hash() == hash)?;
    Ok(is_found)
}

/// The position in a part of the log whose state is nearest to what the mirror shows, the last of several. `None`
/// where nowhere `unchanged_min` keys of the content are unchanged.
pub fn nearest(
    file: &mut dyn File,
    part: RangeInclusive<u64>,
    shown: &State,
    unchanged_min: usize,
    now_ms: i64,
) -> Result<Option<Nearest>> {
    // Keys that differ between the replayed state and the mirror, at first all of the mirror's; and how many of
    // the mirror's do not.
    let (differing, unchanged) = (Cell::new(shown.len()), Cell::new(0));
    let mut best: Option<Nearest> = None;
    let mut consider = |position: u64| {
        if part.contains(&position)
            && unchanged.get() >= unchanged_min
            && best.as_ref().is_none_or(|best| differing.get() <= best.differing)
        {
            best = Some(Nearest { position, differing: differing.get(), unchanged: unchanged.get() });
        }
    };
    consider(0);
    continue_replay(
        file,
        *part.end(),
        &mut Replayed::default(),
        &mut |key, before, after| {
            let (was, is) = (!differs(shown, key, before, now_ms), !differs(shown, key, after, now_ms));
            differing.set(differing.get() + usize::from(!is) - usize::from(!was));
            if shown.get(key).is_some() {
                unchanged.set(unchanged.get() + usize::from(is) - usize::from(was));
            }
        },
        &mut consider,
    )?;
    Ok(best)
}

fn differs(shown: &State, key: &str, member: Option<&Member>, now_ms: i64) -> bool {
    match (shown.get(key), member) {
        (Some(shown), Some(member)) => !member.shows_same(shown),
        (None, Some(member)) => !member.is_over(now_ms),
        (shown, None) => shown.is_some(),
    }
}

/// A key that edits behind a position set or remove: how many of them, and what the last one makes of it.
#[derive(Clone, Default)]
struct Edited {
    left: usize,
    member: Option<Member>,
}

struct Walk {
    /// At the last entry that was read.
    state: State,
    fewest: usize,
    /// Entries before the last place with the fewest.
    entries: usize,
}

/// Whether a line holds an edit of a mirror that was old: any other left the mirror at a state of the log.
fn is_of_old(entry: &Entry) -> bool {
    entry.edit.is_some_and(|tag| tag.is_of_old)
}

/// Of the states of the log with all edits of old mirrors that come behind them, the nearest one. `None` where
/// none was logged.
fn nearest_edited(file: &mut dyn File, end: u64, shown: &State, now_ms: i64) -> Result<Option<Walk>> {
    let mut edited: HashMap<String, Edited> = HashMap::new();
    for_each_entry(file, end, |entry| {
        if is_of_old(entry) {
            entry.changes(|change| {
                // A line that was found in a mirror is about single keys.
                for (key, member) in changed(change, &State::default()) {
                    let edited = edited.entry(key).or_default();
                    edited.left += 1;
                    edited.member = member;
                }
            });
        }
    })?;
    if edited.is_empty() {
        return Ok(None);
    }
    let found = walk(file, (end, usize::MAX), shown, edited.clone(), now_ms)?;
    walk(file, (end, found.entries), shown, edited, now_ms).map(Some)
}

/// Goes through these states, up to the one behind `entries_max`.
fn walk(
    file: &mut dyn File,
    (end, entries_max): (u64, usize),
    shown: &State,
    mut edited: HashMap<String, Edited>,
    now_ms: i64,
) -> Result<Walk> {
    let mut state = State::default();
    edited.values().filter_map(|edited| edited.member.clone()).for_each(|member| state.set(member));
    let mut differing = edits_in(&state, shown, now_ms).len();
    let (mut fewest, mut at, mut entries) = (differing, 0, 0);
    for_each_entry(file, end, |entry| {
        if entries == entries_max {
            return;
        }
        entries += 1;
        entry.changes(|change| {
            for (key, member) in changed(change, &state) {
                if let Some(later) = edited.get_mut(&key) {
                    later.left -= usize::from(is_of_old(entry));
                    if later.left == 0 {
                        edited.remove(&key);
                    }
                    continue;
                }
                differing -= usize::from(differs(shown, &key, state.get(&key), now_ms));
                differing += usize::from(differs(shown, &key, member.as_ref(), now_ms));
                match member {
                    Some(member) => state.set(member),
                    None => {
                        state.remove(&key);
                    }
                }
            }
        });
        // Behind the last line of an operation of several lines there is only its END.
        if entry.more <= 1 && differing <= fewest {
            (fewest, at) = (differing, entries);
        }
    })?;
    Ok(Walk { state, fewest, entries: at })
}

/// The keys that it changes in a state, and what they have then.
fn changed(change: KeyChange<'_>, state: &State) -> Vec<(String, Option<Member>)> {
    match change {
        KeyChange::Set(key, value, expires_ms) => {
            vec![(key.to_owned(), Some(Member::expiring(key, value, expires_ms)))]
        }
        KeyChange::Delete(key) => vec![(key.to_owned(), None)],
        KeyChange::Expire(until_ms) => {
            state.over(until_ms).map(|member| (member.key().to_owned(), None)).collect()
        }
    }
}
