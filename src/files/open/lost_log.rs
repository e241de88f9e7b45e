//! A log that another program removed, cut or replaced while its process runs: memory is the newest truth, and is logged
//! again.
//!
//! ```text
//! log of this process   ════════X═════Y        X: up to here another process knew it, Y: this one
//! it is gone; new log   (nothing, or anything else)
//! the other one writes  CHECKPOINT of its memory "_memory":"X…" │ its entry
//! this one checks       what it knew behind X, in keys that nobody has changed since, is logged on top
//! ```
//!
//! 1. Is the log that was found made by a process of ours from the known one (a *successor*)? Then it is loaded.
//! 2. Did somebody put log and mirror there together? Then both are loaded.
//! 3. Otherwise memory is kept. Where the log has only lost its name, what others appended is read from the file
//!    that is still open. A mirror that another process wrote from a later state is newer than memory.
//! 4. The next write logs all of it as a checkpoint, with tombstones for keys that only the log has.
//!
//! A log is a successor if it has our last line (another file, as a mended log is), or only more behind it (the same
//! file), or the known log is among the old logs, or a record that this process has not seen fits it. Where another
//! process has logged its memory already, it is one if that process knew the lost log at least as far.
//!
//! Invariant: `LostLog::is_memory_ahead` from the moment in which a lost log is noticed until memory is on disk.

use crate::data::state::{Kept, Member, State};
use crate::error::Result;
use crate::files::context::Context;
use crate::files::index::index_file::{How, Trust};
use crate::files::log::bytes::log_mark;
use crate::files::log::entry::MemoryTag;
use crate::files::log::file::LogFile;
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::{LoggedMemory, Replayed, continue_replay, replay};
use crate::files::mirror::content::MirrorContent;
use crate::files::mirror::edit::{apply_edits, difference, edits_in};
use crate::files::mirror::known::{Before, KnownBefore, KnownMirror, MirrorFile, Shows};
use crate::files::mirror::record::MirrorRecord;
use crate::files::mirror::tracker::MirrorTracker;
use crate::files::open::loaded::{Loaded, load_log};
use crate::files::open::reconcile::reconcile;
use crate::files::past::old_logs::old_logs;
use crate::files::shelf::Shelf;
use crate::files::transaction::unfinished::Unfinished;
use crate::vfs::{File, Stamp};

/// What memory has more than the log, and what was logged of it.
#[derive(Default)]
pub struct LostLog {
    is_memory_ahead: bool,
    /// Up to where this process knew the log that was lost last.
    known_end: u64,
    /// What processes remembered of lost logs, as far as this process has seen it in this log or logged it.
    memories: Vec<MemoryTag>,
}

impl LostLog {
    /// Another program removed, cut or replaced the log: memory has what was acknowledged, the next write logs it.
    pub fn is_memory_ahead(&self) -> bool {
        self.is_memory_ahead
    }

    /// A log that was known up to `known_end` is lost.
    pub fn noticed(&mut self, known_end: u64) {
        self.is_memory_ahead = true;
        self.known_end = known_end;
    }

    /// Whether the log holds what a process remembered.
    pub fn has_memories(&self) -> bool {
        !self.memories.is_empty()
    }

    /// What is to be logged with memory; `mirror_hash` is the hash of the known mirror.
    pub fn tag(&self, mirror_hash: u64) -> MemoryTag {
        MemoryTag { known_end: self.known_end, mirror_hash }
    }

    /// Memory is in the log now.
    pub fn was_logged(&mut self, tag: MemoryTag) {
        self.is_memory_ahead = false;
        self.note(tag);
    }

    /// The log holds what a process remembered, or what damaged lines had lost.
    pub fn note(&mut self, tag: MemoryTag) {
        if !self.memories.contains(&tag) {
            self.memories.push(tag);
        }
    }

    /// Memory is what the log holds: it was read anew, or there is no data.
    pub fn forget(&mut self) {
        self.is_memory_ahead = false;
    }

    /// The log was read, and these are all the memories in it.
    pub fn take(&mut self, memories: &[LoggedMemory]) {
        self.memories.clear();
        self.add(memories);
    }

    /// These came behind the known end.
    pub fn add(&mut self, memories: &[LoggedMemory]) {
        self.memories.extend(memories.iter().map(|memory| memory.tag));
    }
}

/// All that shows whether a log was lost, and what to do then.
pub struct Evidence<'a> {
    /// Files and choices.
    pub context: &'a Context,
    /// The published state.
    pub shelf: &'a Shelf,
    /// The log that is known.
    pub file: &'a mut LogFile,
    /// The mirror that is known.
    pub mirror: &'a MirrorTracker,
    /// What is known of losses.
    pub lost: &'a LostLog,
    /// What the log lacks of a transaction.
    pub unfinished: Option<&'a Unfinished>,
}

/// Memory, to be logged again.
pub struct Remembered {
    /// All of it, with the log and the mirror that are there now.
    pub loaded: Loaded,
    /// What was known of the mirror.
    pub before: Before,
    /// Up to where the lost log is known.
    pub known_end: u64,
    /// The log that is there has all of it.
    pub is_all_there: bool,
    /// Of so many keys the newest value was in no memory, and is lost with the log.
    pub lost_keys: u64,
}

/// What memory comes to.
struct Memory {
    state: State,
    known_end: u64,
    lost_keys: u64,
}

/// Lines that another program appended to the log that is there now, since a loss was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesSince {
    /// They count.
    Count,
    /// There are none, or they stand in another log.
    None,
}

impl Evidence<'_> {
    /// Whether the log that was found has less than memory, through the doing of another program.
    pub fn is_memory_newest(&self, found_log: Option<Stamp>, found_mirror: Option<Stamp>) -> Result<bool> {
        if self.file.end() == 0 && !self.lost.is_memory_ahead {
            return Ok(false);
        }
        if found_mirror.is_none() && !self.has_only_the_log_gone() {
            return Ok(false);
        }
        if found_log.is_none() {
            return Ok(true);
        }
        match self.memory_logged_by_another()? {
            Some(other) => return Ok(other.tag.known_end < self.known_end()),
            None if self.is_successor()? => return Ok(false),
            None => {}
        }
        Ok(found_mirror == self.mirror.seen() || !self.is_pair()?)
    }

    /// The mirror, which is missing, never was there, as far as this process and the record know: a large one is written
    /// some time after the log. Where the folder of the logs is gone as well, somebody removed the data.
    pub fn has_only_the_log_gone(&self) -> bool {
        let is_there = |path| self.context.files.stamp(path).is_ok_and(|found| found.is_some());
        self.mirror.is_wanted()
            && !self.mirror.was_seen()
            && !is_there(&self.paths().record)
            && is_there(&self.paths().logs_folder)
    }

    /// Memory has what was acknowledged, the log has not: what is to be logged.
    pub fn remember(&mut self, since: LinesSince) -> Result<Remembered> {
        let files = &*self.context.files;
        let mut log = files.open_read(&self.paths().log)?;
        let Memory { state: memory, known_end, lost_keys } = self.memory_with_lost_lines()?;
        let memory = self.with_lines_of_others(memory, log.as_deref_mut(), since)?;
        let Shown { memory, known_end, shows } = self.shown_by_mirror(memory, known_end)?;
        let before = match self.mirror.known() {
            Some(known) => {
                let mirror = KnownMirror { shows, ..known.clone() };
                Before::SameLog(Box::new(KnownBefore { mirror, placed_seen: None, edited: None }))
            }
            None => Before::Nothing,
        };
        let mut loaded = load_log(files, self.paths(), log.as_deref_mut(), self.how())?;
        let is_all_there = loaded.state.is_same(&memory);
        loaded.state = memory.clone().into_slots(self.context.options.cache_bytes);
        loaded.mirror.last_edit = None;
        reconcile(files, self.paths(), &mut loaded, None, before.clone())?;
        if let MirrorFile::Known(known) = &mut loaded.mirror.file
            && matches!(known.shows, Shows::LogUpTo(_))
        {
            known.shows = Shows::Content(memory);
        }
        Ok(Remembered { loaded, before, known_end, is_all_there, lost_keys })
    }

    fn paths(&self) -> &LogPaths {
        self.file.paths()
    }

    fn how(&self) -> How {
        How { trust: Trust::Unchanged, cache_bytes: self.context.options.cache_bytes }
    }

    /// Up to where this process knows the log, or knew the one that was lost.
    fn known_end(&self) -> u64 {
        if self.lost.is_memory_ahead { self.lost.known_end } else { self.file.end() }
    }

    /// What another process of ours has logged from memory in the log that was found: the first of it, with the
    /// farthest end that any of them knew.
    fn memory_logged_by_another(&self) -> Result<Option<LoggedMemory>> {
        let Some(mut log) = self.context.files.open_read(&self.paths().log)? else { return Ok(None) };
        let found = replay(&mut *log, u64::MAX)?.memories;
        let news = found.iter().filter(|memory| !self.lost.memories.contains(&memory.tag));
        let known_end = news.clone().map(|memory| memory.tag.known_end).max();
        Ok(news.clone().next().zip(known_end).map(|(first, known_end)| {
            let tag = MemoryTag { known_end, ..first.tag };
            LoggedMemory { tag, log_end: first.log_end }
        }))
    }

    /// Whether the log that was found was made from the known one by a process of ours (see the header), or has all
    /// that is known.
    fn is_successor(&self) -> Result<bool> {
        let files = &*self.context.files;
        let Some(mut log) = files.open_read(&self.paths().log)? else { return Ok(false) };
        let found = log.stamp()?;
        // What is known of the log now is not the one that was lost.
        let known = self.file.stamp().filter(|_| !self.lost.is_memory_ahead);
        if let Some(known) = known {
            if known == found {
                return Ok(true);
            }
            if known.id == found.id {
                return self.has_all_in_place(&mut *log, found);
            }
            if self.file.mending().needs_rewrite() || self.file.is_in(&mut *log)? {
                return Ok(true);
            }
        }
        let record = MirrorRecord::read(files, self.paths())?;
        if let Some(record) = record.filter(|_| record != self.mirror.record_seen())
            && (1..=found.size_bytes).contains(&record.log_end)
            && log_mark(&mut *log, record.log_end)? == record.log_mark
        {
            return Ok(true);
        }
        let Some(known) = known else { return Ok(false) };
        for old in old_logs(files, self.paths())? {
            if files.stamp(&old.path)?.is_some_and(|old| old.id == known.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same for the file that is known, which has another stamp now.
    fn has_all_in_place(&self, log: &mut dyn File, found: Stamp) -> Result<bool> {
        if found.size_bytes < self.file.end() {
            return Ok(false);
        }
        if found.size_bytes > self.file.end() && self.file.is_beginning_of(log)? {
            return Ok(true);
        }
        // Written over in place: by nobody of ours. Touched, if all is there.
        let mut state = replay(log, u64::MAX)?.state;
        if let Some(unfinished) = self.unfinished {
            unfinished.apply(&mut state, |_| false);
        }
        Ok(self.shelf.with_state(|published| published.is_same(&state)))
    }

    /// Whether the mirror shows just what the log comes to: somebody put both there.
    fn is_pair(&self) -> Result<bool> {
        let files = &*self.context.files;
        let (Some(mut log), Some(content)) =
            (files.open_read(&self.paths().log)?, MirrorContent::read(files, self.paths())?)
        else {
            return Ok(false);
        };
        let Some(shown) = content.parse() else { return Ok(false) };
        Ok(edits_in(&replay(&mut *log, u64::MAX)?.state, &shown, files.now_ms()).is_empty())
    }

    /// Memory, and up to where the log is known. Where the log has lost its name, others may have appended to it before.
    fn memory_with_lost_lines(&mut self) -> Result<Memory> {
        let (memory, lost_keys) = self.memory()?;
        let known_end = self.known_end();
        let end = self.file.end();
        if self.lost.is_memory_ahead {
            return Ok(Memory { state: memory, known_end, lost_keys });
        }
        let Some(witness) = self.file.witness() else {
            return Ok(Memory { state: memory, known_end, lost_keys });
        };
        let mut replayed = Replayed { end, state: memory, ..Replayed::default() };
        continue_replay(witness, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
        Ok(Memory { state: replayed.state, known_end: replayed.end, lost_keys })
    }

    /// Memory with the values that are not in it. They lie in a log that may be open still, whatever its name is; where it
    /// was cut, the mirror may have them, or older ones. And of how many keys the newest value is lost.
    fn memory(&self) -> Result<(State, u64)> {
        match self.shelf.whole_state() {
            Ok(whole) => return Ok((whole, 0)),
            // A disk that cannot be read now has not lost anything.
            Err(error) if !self.shelf.is_doubted() => return Err(error),
            Err(_) => {}
        }
        let shown = MirrorContent::read(&*self.context.files, self.paths())?;
        let shown = shown.and_then(|content| content.parse()).unwrap_or_default();
        let snapshot = self.shelf.snapshot(State::all_places_as_set);
        let (mut state, mut lost_keys) = (State::default(), 0);
        for place in snapshot.places() {
            let key = place.0.key();
            let of_mirror = || Some(shown.get(key)?.clone().with_expiry(place.0.expires_ms()));
            let found = if let Ok(members) = snapshot.read(std::slice::from_ref(place)) {
                members.into_iter().next()
            } else {
                let found = of_mirror();
                lost_keys += u64::from(!found.as_ref().is_some_and(|member| place.0.is_member(member)));
                found
            };
            if let Some(member) = found {
                state.set(member);
            }
        }
        Ok((state, lost_keys))
    }

    /// Memory with what others have logged in the log that is there now.
    fn with_lines_of_others(
        &self,
        memory: State,
        log: Option<&mut (dyn File + 'static)>,
        since: LinesSince,
    ) -> Result<State> {
        let other = self.memory_logged_by_another()?;
        match (log, other) {
            (Some(log), Some(other)) => {
                // It knew less. What it did not know, and nobody has changed since, still counts.
                let theirs = replay(log, other.log_end)?.state;
                let mut merged = replay(log, u64::MAX)?.state;
                let mut ours = difference(&theirs, &memory);
                ours.retain(|edit| merged.get(edit.key()) == theirs.get(edit.key()));
                apply_edits(&mut merged, ours);
                Ok(merged)
            }
            (Some(log), None) if since == LinesSince::Count && self.lost.is_memory_ahead => {
                let mut replayed = Replayed { end: self.file.end(), state: memory, ..Replayed::default() };
                continue_replay(log, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
                Ok(replayed.state)
            }
            _ => Ok(memory),
        }
    }

    /// What the mirror shows; that stood at a place in a log that is gone. One that another process has written since is
    /// newer than memory.
    fn shown_by_mirror(&self, memory: State, known_end: u64) -> Result<Shown> {
        let files = &*self.context.files;
        let content = MirrorContent::read(files, self.paths())?;
        let record = MirrorRecord::read(files, self.paths())?;
        let known = self.mirror.known();
        let shows = match known.map(|known| &known.shows) {
            Some(Shows::Content(shown)) => Shows::Content(shown.clone()),
            _ => Shows::Content(memory.clone()),
        };
        let memory_before = memory.clone();
        let unchanged = Shown { memory, known_end, shows };
        let Some(content) = content else { return Ok(unchanged) };
        let is_known = known.is_some_and(|known| known.id.hash == content.id.hash);
        // Another process of ours has written it since, from a log that went on.
        let newer = record.filter(|record| {
            Some(*record) != self.mirror.record_seen()
                && record.mirror.hash == content.id.hash
                && record.log_end > self.file.end()
                && !self.lost.is_memory_ahead
        });
        let is_of_ours = is_known || newer.is_some();
        Ok(match (content.parse().filter(|_| is_of_ours), newer) {
            (Some(shown), Some(record)) => {
                let shown = with_expiries_of(&shown, &memory_before);
                Shown { memory: shown.clone(), known_end: record.log_end, shows: Shows::Content(shown) }
            }
            (Some(shown), None) => Shown { shows: Shows::Content(shown), ..unchanged },
            (None, _) => unchanged,
        })
    }
}

/// What a mirror shows, with the expiries that are known: a mirror has none.
fn with_expiries_of(shown: &State, known: &State) -> State {
    let mut state = State::default();
    for member in shown.iter() {
        let expires_ms = known.get(member.key()).and_then(Member::expires_ms);
        state.set(member.clone().with_expiry(expires_ms));
    }
    state
}

struct Shown {
    memory: State,
    known_end: u64,
    shows: Shows,
}
