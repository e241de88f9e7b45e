//! A log that another program removed, cut or replaced while its process runs: memory is the newest truth, and is logged
//! again.
//!
//! ```text
//! log of this process   ════════X═════Y        X: up to here another process knew it, Y: this one
//! it is gone; new log   (nothing, or anything else)
//! the other one writes  CHECKPOINT of its memory "_memory":"X…" │ its entry
//! this one looks        what it knew behind X, in keys that nobody has changed since, is logged on top
//! ```
//!
//! 1. Is the log that was found made by a process of ours from the known one (a *successor*)? Then it is loaded.
//! 2. Did somebody put log and mirror there together? Then both are loaded.
//! 3. Otherwise memory is kept. Where the log has only lost its name, what others had appended is read from the file
//!    that is still open. A mirror that another process wrote from a later state is newer than memory.
//! 4. The next write logs all of it as a checkpoint, with tombstones for keys that only the log has.
//!
//! A log is a successor if it has our last line (another file, as a mended log is), or only more behind it (the same
//! file), or the known log is among the old logs, or a record that this process has not seen fits it. Where another
//! process has logged its memory already, it is one if that process knew the lost log at least as far.
//!
//! Invariant: `is_memory_ahead` from the moment in which a lost log is noticed until memory is on disk.

use crate::error::Result;
use crate::files::context::Context;
use crate::files::log::entry::MemoryTag;
use crate::files::log::replay::{LoggedMemory, Replayed, continue_replay, replay};
use crate::files::mirror::content::{KnownMirror, MirrorContent, Shows, apply_edits, difference};
use crate::files::mirror::record::{MirrorRecord, log_mark};
use crate::files::open::catch_up::Log;
use crate::files::open::load::{Before, KnownBefore, LoadedMirror, load_log, reconcile};
use crate::files::past::old_logs::old_logs;
use crate::store::event::Details;
use crate::vfs::Stamp;

impl Log {
    /// Whether the log has less than memory, through the doing of another program.
    pub(crate) fn is_memory_newest(
        &mut self,
        context: &Context,
        found_log: Option<Stamp>,
        found_mirror: Option<Stamp>,
    ) -> Result<bool> {
        if self.file.end() == 0 && !self.is_memory_ahead {
            return Ok(false);
        }
        if found_mirror.is_none() && !self.has_only_the_log_gone(context) {
            return Ok(false);
        }
        if found_log.is_none() {
            return Ok(true);
        }
        match self.memory_logged_by_another(context)? {
            Some(other) => return Ok(other.tag.known_end < self.known_end()),
            None if self.is_successor(context)? => return Ok(false),
            None => {}
        }
        Ok(found_mirror == self.mirror.seen || !self.is_pair(context)?)
    }

    /// The mirror, which is missing, never was there, as far as this process and the record know: a large one is written
    /// some time after the log. Where the folder of the logs is gone as well, somebody removed the data.
    pub(crate) fn has_only_the_log_gone(&self, context: &Context) -> bool {
        let is_there = |path| context.files.stamp(path).is_ok_and(|found| found.is_some());
        self.is_loaded
            && self.mirror.is_wanted
            && !self.mirror.was_seen
            && !is_there(&self.paths.record)
            && is_there(&self.paths.logs_folder)
    }

    /// Up to where this process knows the log, or knew the one that was lost.
    fn known_end(&self) -> u64 {
        if self.is_memory_ahead { self.lost_end } else { self.file.end() }
    }

    /// What another process of ours has logged from memory in the log that was found: the first of it, with the
    /// farthest end that any of them knew.
    fn memory_logged_by_another(&self, context: &Context) -> Result<Option<LoggedMemory>> {
        let Some(mut log) = context.files.open_read(&self.paths.log)? else { return Ok(None) };
        let found = replay(&mut *log, u64::MAX)?.memories;
        let news = found.iter().filter(|memory| !self.memories.contains(&memory.tag));
        let known_end = news.clone().map(|memory| memory.tag.known_end).max();
        Ok(news.clone().next().zip(known_end).map(|(first, known_end)| {
            let tag = MemoryTag { known_end, ..first.tag };
            LoggedMemory { tag, log_end: first.log_end }
        }))
    }

    /// Whether the log that was found was made from the known one by a process of ours (see the header), or has all
    /// that is known.
    fn is_successor(&mut self, context: &Context) -> Result<bool> {
        let files = &*context.files;
        let Some(mut log) = files.open_read(&self.paths.log)? else { return Ok(false) };
        let found = log.stamp()?;
        // What is known of the log now is not the one that was lost.
        let known = self.file.stamp().filter(|_| !self.is_memory_ahead);
        if known.is_some_and(|known| known.id == found.id && found.size_bytes < self.file.end()) {
            return Ok(false);
        }
        if let Some(known) = known {
            if known == found {
                return Ok(true);
            }
            if known.id == found.id {
                if found.size_bytes > self.file.end() && self.file.is_beginning_of(&mut *log)? {
                    return Ok(true);
                }
                // Written over in place: by nobody of ours. Touched, if all is there.
                let state = replay(&mut *log, u64::MAX)?.state;
                return Ok(difference(&state, &self.shelf.published.read().state).is_empty());
            }
            if self.file.mending().needs_rewrite() || self.file.is_in(&mut *log)? {
                return Ok(true);
            }
        }
        let record = MirrorRecord::read(files, &self.paths)?;
        if let Some(record) = record.filter(|_| record != self.mirror.record_seen)
            && (1..=found.size_bytes).contains(&record.log_end)
            && log_mark(&mut *log, record.log_end)? == record.log_mark
        {
            return Ok(true);
        }
        let Some(known) = known else { return Ok(false) };
        for old in old_logs(files, &self.paths)? {
            if files.stamp(&old.path)?.is_some_and(|old| old.id == known.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the mirror shows just what the log comes to: somebody put both there.
    fn is_pair(&self, context: &Context) -> Result<bool> {
        let files = &*context.files;
        let (Some(mut log), Some(content)) =
            (files.open_read(&self.paths.log)?, MirrorContent::read(files, &self.paths)?)
        else {
            return Ok(false);
        };
        let Some(shown) = content.parse() else { return Ok(false) };
        Ok(difference(&replay(&mut *log, u64::MAX)?.state, &shown).is_empty())
    }

    /// Memory has what was acknowledged, the log has not: the next write logs it. With `is_grown`, lines that
    /// another program has appended since that was noticed count.
    pub(crate) fn keep_memory(&mut self, context: &Context, is_grown: bool) -> Result<()> {
        let files = &*context.files;
        let mut memory = self.shelf.published.read().state.clone();
        let mut known_end = self.known_end();
        let mut log = files.open_read(&self.paths.log)?;
        let end = self.file.end();
        if !self.is_memory_ahead
            && let Some(witness) = self.file.witness()
        {
            // The log has lost its name, and others had appended to it before.
            let mut replayed = Replayed { end, state: memory, ..Replayed::default() };
            continue_replay(witness, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
            (memory, known_end) = (replayed.state, replayed.end);
        }
        let other = self.memory_logged_by_another(context)?;
        if let (Some(log), Some(other)) = (&mut log, other) {
            // It knew less. What it did not know, and nobody has changed since, still counts.
            let theirs = replay(&mut **log, other.log_end)?.state;
            let mut merged = replay(&mut **log, u64::MAX)?.state;
            let mut ours = difference(&theirs, &memory);
            ours.retain(|edit| merged.get(edit.key()) == theirs.get(edit.key()));
            apply_edits(&mut merged, ours);
            memory = merged;
        } else if let Some(log) = log.as_mut().filter(|_| is_grown && self.is_memory_ahead) {
            let mut replayed = Replayed { end: self.file.end(), state: memory, ..Replayed::default() };
            continue_replay(&mut **log, u64::MAX, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
            memory = replayed.state;
        }
        // What the mirror shows stood at a place in a log that is gone.
        let content = MirrorContent::read(files, &self.paths)?;
        let record = MirrorRecord::read(files, &self.paths)?;
        let mut shows = match self.mirror.known.as_ref().map(|known| &known.shows) {
            Some(Shows::Content(shown)) => Shows::Content(shown.clone()),
            _ => Shows::Content(memory.clone()),
        };
        if let Some(content) = &content {
            let is_known = self.mirror.known.as_ref().is_some_and(|known| known.id.hash == content.id.hash);
            // Another process of ours has written it since, from a log that went on.
            let is_newer = record.is_some_and(|record| {
                Some(record) != self.mirror.record_seen
                    && record.mirror.hash == content.id.hash
                    && record.log_end > self.file.end()
                    && !self.is_memory_ahead
            });
            if let Some(shown) = content.parse().filter(|_| is_known || is_newer) {
                if let Some(record) = record.filter(|_| is_newer) {
                    memory = shown.clone();
                    known_end = record.log_end;
                }
                shows = Shows::Content(shown);
            }
        }
        let before = match self.mirror.known.clone() {
            Some(known) => {
                let mirror = KnownMirror { shows, ..known };
                Before::SameLog(Box::new(KnownBefore { mirror, placed_seen: None, edited: None }))
            }
            None => Before::Nothing,
        };
        let mut loaded = load_log(log.as_deref_mut())?;
        let is_all_there = difference(&loaded.state, &memory).is_empty();
        loaded.state = memory;
        loaded.last_edit = None;
        // Should this fail, memory is still what it was.
        reconcile(files, &self.paths, &mut loaded, None, before.clone())?;
        self.distrust();
        self.generation += 1;
        if let LoadedMirror::Known(known) = &mut loaded.mirror
            && matches!(known.shows, Shows::LogUpTo(_))
        {
            known.shows = Shows::Content(loaded.state.clone());
        }
        if !is_all_there && !self.is_memory_ahead {
            self.tell_log_lost(context);
        }
        self.tell(context, &loaded);
        self.lost_end = known_end;
        self.is_memory_ahead = true;
        if self.has_written {
            self.is_touched = true;
            self.mirror_is_due(context);
        }
        self.take(loaded, before);
        Ok(())
    }

    fn tell_log_lost(&self, context: &Context) {
        let log = self.paths.log.display();
        context.tell(
            "PS_LOG_LOST",
            &format!("{log} {} {}", self.generation, context.unique),
            format!(
                "The log '{log}' was removed, cut or replaced by another program while it was in use. This process \
                 has all data in memory; the next write logs it again. Do not rotate, move or edit this file \
                 while the bot runs"
            ),
            &Details::of_log(&self.paths.name)
                .path("path", &self.paths.log)
                .number("keys", self.shelf.published.read().state.len() as u64),
        );
    }
}
