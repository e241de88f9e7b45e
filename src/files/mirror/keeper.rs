//! When and how the mirror of a log is brought up to date, and what is known of the file in its place.
//!
//! | state                     | mirror is written                                   | synced        |
//! |---------------------------|-----------------------------------------------------|---------------|
//! | small (up to 64 KiB)      | in the commit, before the promise resolves          | beside the log, before the rename; its name at a clean end or compaction |
//! | larger                    | by a job, within a second; later where writing takes over half of it | before the rename |
//! | any                       | at `finish`: flush, close, exit                     | always        |
//!
//! A mirror that cannot be written never fails the call: the log has the data. A person is notified once, and the mirror
//! is tried again.
//!
//! Invariant: a mirror is moved into its place only while the file there is the one that was taken into account
//! (`seen`), no edit waits to be logged, and the log has all that memory has.

use std::path::PathBuf;

use crate::data::state::State;
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::bytes::log_mark;
use crate::files::log::paths::{LogPaths, free_name};
use crate::files::log::replay::LoggedEdit;
use crate::files::mirror::content::{
    Durable, FreshMirror, MirrorContent, SMALL_MIRROR_BYTES, SmallMirror, small_text, write_large,
};
use crate::files::mirror::edit::{Edit, apply_changes};
use crate::files::mirror::job::{MirrorDone, MirrorJob};
use crate::files::mirror::known::{
    Before, FoundMirror, KnownBefore, KnownMirror, MirrorFile, PendingEdit, Shows, is_logged, is_settled,
};
use crate::files::mirror::place::{Way, place, settle};
use crate::files::mirror::record::{MirrorId, MirrorRecord, PlacedMirror, RecordStage};
use crate::files::policy::{RETRY_DELAY_MS, mirror_delay_ms};
use crate::files::shelf::Shelf;
use crate::files::syncing::Syncing;
use crate::files::temporary::Pace;
use crate::vfs::{File, Stamp};

/// What the keeper must know of the log.
#[derive(Clone, Copy)]
pub struct LogFacts<'a> {
    /// Where the files are.
    pub paths: &'a LogPaths,
    /// The published state, and what is counted.
    pub shelf: &'a Shelf,
    /// Offset behind its last line.
    pub end: u64,
    /// `LogFile::mark` there.
    pub mark: u64,
    /// Memory has more than the log.
    pub is_behind_memory: bool,
}

/// See the header of this file.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the file")]
#[derive(Default)]
pub struct MirrorKeeper {
    /// The log has a mirror.
    is_wanted: bool,
    /// The file that was checked last.
    seen: Option<Stamp>,
    /// What was last taken into account. Stays when the file goes missing.
    known: Option<KnownMirror>,
    /// The mirror in its place of which the record spoke when it was last read or written.
    placed_seen: Option<PlacedMirror>,
    /// The record that was last read or written.
    record_seen: Option<MirrorRecord>,
    /// This process has seen one.
    was_seen: bool,
    /// The file is not a JSON object.
    is_broken: bool,
    /// A sync of the file failed: that a later one succeeds proves nothing.
    is_doubtful: bool,
    /// The edit that was found in it and is not logged yet.
    pending: Option<PendingEdit>,
    /// The edit that was logged last.
    last_edit: Option<LoggedEdit>,
    /// When the next large mirror is to be written.
    due_ms: Option<u64>,
    /// A large mirror is being written.
    is_being_written: bool,
    /// How long the last one took.
    last_duration_ms: u64,
}

/// What is known.
impl MirrorKeeper {
    /// Whether the log has a mirror.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// From now on the log has a mirror. False where it has one already.
    pub fn want(&mut self) -> bool {
        !std::mem::replace(&mut self.is_wanted, true)
    }

    /// The file in its place; `None` where the log has no mirror.
    pub fn find(&self, context: &Context, paths: &LogPaths) -> Result<Option<Stamp>> {
        if self.is_wanted { context.files.stamp(&paths.mirror) } else { Ok(None) }
    }

    /// Whether the file that was found is the one that is known.
    pub fn is_as_seen(&self, found: Option<Stamp>) -> bool {
        !self.is_wanted || (found == self.seen && self.is_settled())
    }

    /// Whether a further change of the file would show in its stamp.
    pub fn is_settled(&self) -> bool {
        self.known.as_ref().is_none_or(|known| known.is_settled)
    }

    /// The file that was checked last.
    pub fn seen(&self) -> Option<Stamp> {
        self.seen
    }

    /// Whether this process has ever seen one.
    pub fn was_seen(&self) -> bool {
        self.was_seen
    }

    /// The record that was last read or written.
    pub fn record_seen(&self) -> Option<MirrorRecord> {
        self.record_seen
    }

    /// The mirror that was last taken into account.
    pub fn known(&self) -> Option<&KnownMirror> {
        self.known.as_ref()
    }

    /// The edit that is not logged yet.
    pub fn pending(&self) -> Option<&PendingEdit> {
        self.pending.as_ref()
    }

    /// The edit that was logged last.
    pub fn last_edit(&self) -> Option<LoggedEdit> {
        self.last_edit
    }

    /// Whether the file on disk is one of ours, and shows the log up to another offset than `end`.
    pub fn is_stale(&self, end: u64) -> bool {
        let is_ours = !self.is_broken && self.pending.is_none() && self.seen.is_some();
        is_ours && self.shown_log_end().is_some_and(|shown| shown != end)
    }

    /// Whether a checkpoint of the log up to `end` needs a mirror beside it: the one on disk is older, or not synced.
    pub fn needs_one_for_checkpoint(&self, log: LogFacts) -> bool {
        let is_new =
            self.shown_log_end() == Some(log.end) && self.known.as_ref().is_some_and(|known| known.is_synced);
        self.is_wanted && !is_new && !self.has_nothing_to_show(log)
    }

    /// There is no mirror, and no data that would be in it: nobody is to find one that the old module would not have
    /// made.
    pub fn has_nothing_to_show(&self, log: LogFacts) -> bool {
        self.seen.is_none() && log.shelf.with_state(State::is_empty)
    }

    /// The offset of the log that the mirror on disk shows.
    fn shown_log_end(&self) -> Option<u64> {
        match &self.known {
            Some(KnownMirror { shows: Shows::LogUpTo(end), id, .. }) if self.seen == Some(id.stamp) => {
                Some(*end)
            }
            _ => None,
        }
    }

    fn know(&mut self, context: &Context, id: MirrorId, shows: Shows) {
        let is_settled = is_settled(id.stamp, context.files.now_ms());
        self.seen = Some(id.stamp);
        self.was_seen = true;
        self.is_broken = false;
        self.known = Some(KnownMirror { id, shows, is_settled, is_synced: false });
    }
}

/// What others did to the files.
impl MirrorKeeper {
    /// Checks a mirror that is not the one seen before. False when somebody edited it.
    pub fn recognise(&mut self, context: &Context, log: LogFacts, found: Option<Stamp>) -> Result<bool> {
        let files = &*context.files;
        let Some(found) = found else {
            self.seen = None;
            self.is_broken = false;
            // An edit that was seen in it and is not logged went with it.
            return Ok(self.pending.is_none());
        };
        let record = MirrorRecord::read(files, log.paths)?;
        self.record_seen = record;
        let record = match record {
            Some(record) if is_of_log(context, log, &record)? => Some(record),
            _ => None,
        };
        let placed = record.as_ref().and_then(MirrorRecord::placed);
        let is_untouched = self.seen.is_some_and(|seen| seen.is_same_content(&found));
        if let Some(record) = &record
            && record.is_of_file(&found)
            && !is_untouched
        {
            let id = MirrorId { stamp: found, ..record.mirror };
            self.know(context, id, Shows::LogUpTo(record.log_end));
            self.placed_seen = placed;
            return Ok(self.pending.is_none());
        }
        let Some(content) = MirrorContent::read(files, log.paths)? else { return Ok(false) };
        Ok(self.recognise_content(context, &content, record))
    }

    /// The same for its content. `record` is the record, if it is of this log.
    fn recognise_content(
        &mut self,
        context: &Context,
        content: &MirrorContent,
        record: Option<MirrorRecord>,
    ) -> bool {
        let placed = record.as_ref().and_then(MirrorRecord::placed);
        // Another process has written a mirror since this one checked.
        let is_news = placed.is_some() && placed != self.placed_seen;
        if let Some(known) = &self.known
            && known.id.hash == content.id.hash
            && !is_news
        {
            let shows = known.shows.clone();
            self.know(context, content.id, shows);
            return true;
        }
        if self.pending.is_some() {
            return false;
        }
        if let Some(record) = &record
            && record.mirror.hash == content.id.hash
        {
            self.know(context, content.id, Shows::LogUpTo(record.log_end));
            self.placed_seen = placed;
            return true;
        }
        let proves = |record: &MirrorRecord| record.placed().is_some();
        if is_logged(self.last_edit, content.id.hash, record.as_ref(), proves)
            && let Some(shown) = content.parse()
        {
            self.placed_seen = placed;
            self.know(context, content.id, Shows::Content(shown));
            return true;
        }
        false
    }

    /// What is known when both files are read anew, and the log still is the known one, maybe with more behind it.
    pub fn before_same_log(&mut self) -> Before {
        let Some(mirror) = self.known.take() else { return Before::Nothing };
        Before::SameLog(Box::new(KnownBefore {
            mirror,
            placed_seen: self.placed_seen,
            edited: self.pending.as_ref().map(|pending| pending.shown.clone()),
        }))
    }

    /// The same where the log is another one.
    pub fn before_other_log(&mut self, found: Option<Stamp>) -> Before {
        let known = self.known.take();
        let is_edited = self.pending.is_some() || self.is_broken;
        let is_as_seen = found.is_some() && found == self.seen;
        Before::OtherLog(known.filter(|_| is_as_seen && !is_edited).map(|known| known.id.hash))
    }

    /// Nothing is known: the process starts, or trusts nothing that it knew.
    pub fn before_start(&mut self) -> Before {
        self.known = None;
        Before::Nothing
    }

    /// From now on what was found counts.
    pub fn take(&mut self, found: FoundMirror, before: Before) {
        let FoundMirror { file, pending, last_edit, placed_seen, record_seen } = found;
        self.placed_seen = placed_seen;
        self.record_seen = record_seen;
        self.pending = pending;
        self.last_edit = last_edit;
        (self.seen, self.known, self.is_broken) = match file {
            // What was there before is what a further change is compared with.
            MirrorFile::Missing => (None, before.known(), false),
            MirrorFile::Broken(id) => (Some(id.stamp), before.known(), true),
            MirrorFile::Known(known) => (Some(known.id.stamp), Some(known), false),
        };
        self.was_seen |= self.seen.is_some();
    }

    /// Lines were replayed that another process appended. True when an edit is among them.
    pub fn replayed(&mut self, last_edit: Option<LoggedEdit>) -> bool {
        std::mem::replace(&mut self.last_edit, last_edit) != last_edit
    }
}

/// What becomes of the log.
impl MirrorKeeper {
    /// All that memory had more than the log is in the log now, up to `log_end`; `memory_hash` is the hash of the mirror
    /// that stood there when the log was lost.
    pub fn was_logged(&mut self, log_end: u64, memory_hash: Option<u64>) {
        if let Some(mirror_hash) = memory_hash {
            self.last_edit = Some(LoggedEdit { mirror_hash, log_end });
        }
        let Some(pending) = self.pending.take() else { return };
        self.last_edit = Some(LoggedEdit { mirror_hash: pending.tag.mirror_hash, log_end });
        if let Some(known) = &mut self.known {
            known.shows = Shows::Content(pending.shown);
        }
    }

    /// The log was written anew: what the mirror shows, and the last edit, now stand at other offsets. The edit that was
    /// not logged is in it, though maybe not durable.
    pub fn log_was_mended(&mut self, moved: impl Fn(u64) -> u64) {
        self.offsets_moved(moved);
        if let Some(pending) = &mut self.pending {
            pending.is_in_log = true;
        }
    }

    /// The log was replaced by its checkpoint, and `file` is open on the new one.
    pub fn log_was_compacted(
        &mut self,
        context: &Context,
        log: LogFacts,
        moved: impl Fn(u64) -> u64,
        file: &mut dyn File,
    ) -> Result<()> {
        self.offsets_moved(moved);
        let known = self.known.as_ref().map(|known| (known.id, known.shows.clone()));
        if let Some((id, Shows::LogUpTo(offset))) = known {
            let log_mark = log_mark(file, offset)?;
            let record = MirrorRecord { log_end: offset, log_mark, mirror: id, stage: RecordStage::Placed };
            // Without the record, the log itself says what the mirror shows.
            let _ = self.write_record(context, log, record);
        }
        Ok(())
    }

    fn offsets_moved(&mut self, moved: impl Fn(u64) -> u64) {
        if let Some(edit) = &mut self.last_edit {
            edit.log_end = moved(edit.log_end);
        }
        if let Some(known) = &mut self.known
            && let Shows::LogUpTo(offset) = &mut known.shows
        {
            *offset = moved(*offset);
            let shown_end = *offset;
            // The mirror in which it was found is gone: should it come back, it is a new one.
            self.last_edit = self.last_edit.filter(|edit| edit.log_end > shown_end);
        }
    }

    /// Both files were removed: there is nothing to write.
    pub fn forget(&mut self) {
        self.due_ms = None;
    }
}

/// When a large mirror is written.
impl MirrorKeeper {
    /// True while a job of `start` is under way.
    pub fn is_being_written(&self) -> bool {
        self.is_being_written
    }

    /// When `start` is to be called.
    pub fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// Whether it is due; it is not any more from now on.
    pub fn take_due(&mut self, now_ms: u64) -> bool {
        self.due_ms.take_if(|due_ms| *due_ms <= now_ms).is_some()
    }

    /// The mirror is behind: it is due soon.
    pub fn is_due(&mut self, context: &Context) {
        if self.due_ms.is_none() && !self.is_being_written {
            self.due_ms = Some(context.files.monotonic_ms() + mirror_delay_ms(self.last_duration_ms));
        }
    }

    /// Begins to write a mirror beside the writer; `None` where that need not or must not be.
    pub fn start(&mut self, context: &Context, log: LogFacts, generation: u64) -> Option<MirrorJob> {
        let is_current = self.shown_log_end() == Some(log.end);
        if self.has_to_wait(log) || self.is_being_written || is_current {
            return None;
        }
        self.is_being_written = true;
        Some(MirrorJob {
            log: log.paths.name.clone(),
            generation,
            temporary: context.temporary(&log.paths.mirror),
            mirror: log.paths.mirror.clone(),
            snapshot: log.shelf.with_state(State::snapshot),
            log_end: log.end,
            log_mark: log.mark,
            syncing: context.syncing(),
        })
    }

    /// Takes a mirror that a job wrote from the log of `generation`. `ready` says whether the log is in step with its
    /// files.
    pub fn job_done(
        &mut self,
        context: &Context,
        log: LogFacts,
        generation: u64,
        done: MirrorDone,
        ready: Result<()>,
    ) {
        let MirrorDone { generation: begun, log_mark, duration_ms, result, .. } = done;
        self.is_being_written = false;
        self.last_duration_ms = duration_ms;
        let published = match (ready, result) {
            (Ok(()), Ok(fresh)) => {
                let is_newer = self.shown_log_end().is_none_or(|shown| shown < fresh.log_end);
                if begun == generation && is_newer {
                    // Else the broken one would stay, and the next mirror be written in vain as well.
                    let _ = self.set_broken_aside(context, log);
                    self.publish(context, log, fresh, log_mark).map(|_| ())
                } else {
                    context.files.remove(&fresh.temporary)
                }
            }
            (Err(error), Ok(fresh)) => context.files.remove(&fresh.temporary).and(Err(error)),
            (_, Err(error)) => Err(error),
        };
        log.shelf.metrics.mirror_is_current();
        self.note_age(context, log, duration_ms);
        if let Err(error) = published {
            self.failed(context, log, &error);
        } else if self.shown_log_end() != Some(log.end) {
            self.is_due(context);
        }
    }

    /// The mirror could not be written.
    pub fn failed(&mut self, context: &Context, log: LogFacts, error: &Error) {
        log.shelf.metrics.mirrors_failed.add(1);
        context.notify(log.paths, &Event::MirrorFailed { error });
        self.due_ms = Some(context.files.monotonic_ms() + RETRY_DELAY_MS);
    }

    /// Notes since when the mirror has been behind: `ago_ms` at least.
    fn note_age(&self, context: &Context, log: LogFacts, ago_ms: u64) {
        let metrics = &log.shelf.metrics;
        if !self.is_wanted || self.shown_log_end() == Some(log.end) {
            metrics.mirror_is_current();
        } else {
            metrics.mirror_is_behind(context.files.monotonic_ms().saturating_sub(ago_ms));
        }
    }
}

/// Writing it.
impl MirrorKeeper {
    /// Before a commit: begins to write the mirror of the state with these changes, where that is small, so that it
    /// is synced beside the log.
    pub fn begin_small(
        &self,
        context: &Context,
        log: LogFacts,
        changes: &[Edit],
    ) -> Option<Result<SmallMirror>> {
        if !self.is_wanted || self.is_broken {
            return None;
        }
        let text = log.shelf.with_state(|published| {
            if published.live_bytes() > SMALL_MIRROR_BYTES as u64 {
                return None;
            }
            let mut state: State = published.clone();
            apply_changes(&mut state, changes);
            small_text(state.iter(), SMALL_MIRROR_BYTES)
        })?;
        let temporary = context.temporary(&log.paths.mirror);
        Some(SmallMirror::begin(&*context.files, temporary, &log.paths.mirror, &text, context.syncing()))
    }

    /// After a commit: a small mirror at once, a large one soon. `begun` shows what was committed.
    pub fn after_commit(&mut self, context: &Context, log: LogFacts, begun: Option<Result<SmallMirror>>) {
        if self.is_wanted {
            match self.write_small(context, log, begun) {
                Ok(true) => self.due_ms = None,
                Ok(false) => self.is_due(context),
                Err(error) => self.failed(context, log, &error),
            }
        }
        self.note_age(context, log, 0);
    }

    /// False when the state is too large, or somebody has just changed the file.
    fn write_small(
        &mut self,
        context: &Context,
        log: LogFacts,
        begun: Option<Result<SmallMirror>>,
    ) -> Result<bool> {
        self.set_broken_aside(context, log)?;
        let begun = begun.or_else(|| self.begin_small(context, log, &[]));
        let Some(small) = begun.transpose()? else { return Ok(false) };
        let fresh = small.finish(&*context.files, log.end)?;
        self.publish(context, log, fresh, log.mark)
    }

    /// Makes sure that the mirror on disk is synced and shows the log at least up to `log_end`. `fresh` is one that
    /// does. False when somebody has just changed the file.
    pub fn bring_to(
        &mut self,
        context: &Context,
        log: LogFacts,
        log_end: u64,
        fresh: Option<FreshMirror>,
    ) -> Result<bool> {
        let files = &*context.files;
        if self.shown_log_end().is_some_and(|shown| shown >= log_end) {
            if let Some(fresh) = fresh {
                files.remove(&fresh.temporary)?;
            }
            self.sync(context, log)?;
            return Ok(true);
        }
        self.set_broken_aside(context, log)?;
        match fresh {
            Some(fresh) => {
                let mark = match files.open_read(&log.paths.log)? {
                    Some(mut file) => log_mark(&mut *file, fresh.log_end)?,
                    None => log.mark,
                };
                self.publish(context, log, fresh, mark)
            }
            None => Ok(false),
        }
    }

    /// At a clean end: the mirror is current and durable, and its record says so.
    pub fn finish(&mut self, context: &Context, log: LogFacts) -> Result<()> {
        self.set_broken_aside(context, log)?;
        let is_stale = self.shown_log_end() != Some(log.end);
        if (is_stale && !self.has_nothing_to_show(log)) || self.is_doubtful {
            let temporary = context.temporary(&log.paths.mirror);
            let snapshot = log.shelf.with_state(State::snapshot);
            let pace = Pace::awaited(context.syncing());
            let files = &*context.files;
            let fresh = write_large(files, temporary, &log.paths.mirror, &snapshot, log.end, pace)?;
            self.publish(context, log, fresh, log.mark)?;
        }
        self.due_ms = None;
        if let Some(known) = &self.known
            && self.shown_log_end() == Some(log.end)
        {
            let mirror = known.id;
            self.sync(context, log)?;
            let stage = RecordStage::Clean;
            let record = MirrorRecord { log_end: log.end, log_mark: log.mark, mirror, stage };
            self.write_record(context, log, record)?;
        }
        self.note_age(context, log, 0);
        Ok(())
    }

    fn set_broken_aside(&mut self, context: &Context, log: LogFacts) -> Result<()> {
        if self.is_broken {
            let files = &*context.files;
            let name = |number| PathBuf::from(format!("{}.corrupt.{number}", log.paths.mirror.display()));
            files.rename(&log.paths.mirror, &free_name(files, files.now_ms(), name)?)?;
            self.is_broken = false;
            self.seen = None;
        }
        Ok(())
    }

    /// Makes the mirror in its place durable.
    fn sync(&mut self, context: &Context, log: LogFacts) -> Result<()> {
        if let Some(known) = &mut self.known
            && !known.is_synced
            && context.syncing().is_on()
        {
            let (mut file, _) = context.files.open_append(&log.paths.mirror)?;
            if let Err(error) = file.sync_data() {
                self.is_doubtful = true;
                return Err(error);
            }
            context.files.sync_dir(&log.paths.data_folder)?;
            known.is_synced = true;
        }
        Ok(())
    }

    /// What the log lacks would be taken for an edit of the next mirror, or get lost with this one.
    fn has_to_wait(&self, log: LogFacts) -> bool {
        self.pending.is_some() || log.is_behind_memory
    }

    /// Moves a mirror into its place. False (and it is removed) when the file there is not the one
    /// that was taken into account.
    fn publish(
        &mut self,
        context: &Context,
        log: LogFacts,
        mut fresh: FreshMirror,
        log_mark: u64,
    ) -> Result<bool> {
        let announced = MirrorRecord {
            log_end: fresh.log_end,
            log_mark,
            mirror: fresh.id,
            stage: RecordStage::Announced,
        };
        let mut way = None;
        let published = self.announce_and_place(context, log, &mut fresh, announced, &mut way);
        if published == Ok(true) {
            let record = MirrorRecord { mirror: fresh.id, stage: RecordStage::Placed, ..announced };
            // Should this fail, the record says less than it could, and that is all.
            let _ = self.write_record(context, log, record);
            self.know(context, fresh.id, Shows::LogUpTo(fresh.log_end));
            // The content in which the last edit was found is gone: should it come back, it is a new one.
            self.last_edit = self.last_edit.filter(|edit| edit.log_end > fresh.log_end);
            if let Some(known) = &mut self.known {
                known.is_synced = fresh.durable == Durable::Name;
            }
            self.is_doubtful = false;
        } else {
            // Swept up later if this fails.
            let _ = context.files.remove(&fresh.temporary);
            if way.is_none() {
                self.restore_record(context, log);
            }
        }
        published
    }

    /// `way` is set once the mirror is in its place, whatever fails after that.
    fn announce_and_place(
        &mut self,
        context: &Context,
        log: LogFacts,
        fresh: &mut FreshMirror,
        announced: MirrorRecord,
        way: &mut Option<Way>,
    ) -> Result<bool> {
        let seen = self.seen;
        let is_as_seen = || Ok::<_, Error>(context.files.stamp(&log.paths.mirror)? == seen);
        if self.has_to_wait(log) || self.is_broken || !is_as_seen()? {
            return Ok(false);
        }
        self.write_record(context, log, announced)?;
        // Some systems do not let others read a locked file.
        fresh.held = None;
        // The last check comes just before the rename: no system call does both at once.
        if !is_as_seen()? {
            return Ok(false);
        }
        let placed = place(context, log.paths, fresh)?;
        *way = Some(placed);
        if placed == Way::Renamed {
            settle(context, log.paths, fresh)?;
        }
        Ok(true)
    }

    /// The mirror that was announced did not come: the one in its place is still the base of an edit. Where
    /// this fails, the nearer of the two decides.
    fn restore_record(&mut self, context: &Context, log: LogFacts) {
        let files = &*context.files;
        let Some(known) = &self.known else { return };
        let Shows::LogUpTo(log_end) = known.shows else { return };
        let restored = (|| {
            let is_announced =
                MirrorRecord::read(files, log.paths)?.is_none_or(|record| record.placed().is_none());
            if let Some(mut file) = files.open_read(&log.paths.log)?.filter(|_| is_announced) {
                let log_mark = log_mark(&mut *file, log_end)?;
                let record = MirrorRecord { log_end, log_mark, mirror: known.id, stage: RecordStage::Placed };
                record.write(files, log.paths, Syncing::Off)?;
                self.record_seen = Some(record);
            }
            Ok::<(), Error>(())
        })();
        let _ = restored;
    }

    fn write_record(&mut self, context: &Context, log: LogFacts, record: MirrorRecord) -> Result<()> {
        let syncing = if record.is_clean() { context.syncing() } else { Syncing::Off };
        record.write(&*context.files, log.paths, syncing)?;
        self.placed_seen = record.placed().or(self.placed_seen);
        self.record_seen = Some(record);
        Ok(())
    }
}

/// Whether a record speaks of this log.
fn is_of_log(context: &Context, log: LogFacts, record: &MirrorRecord) -> Result<bool> {
    if record.log_end == log.end {
        return Ok(record.log_mark == log.mark);
    }
    let Some(mut file) = context.files.open_read(&log.paths.log)? else { return Ok(false) };
    Ok(record.log_end < log.end && log_mark(&mut *file, record.log_end)? == record.log_mark)
}
