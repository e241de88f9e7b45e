//! What is known of the mirror in its place: which file it is, what it shows, and whose edit it holds.
//!
//! Others replace and edit the file at any time. `recognise` distinguishes ours from an edit; where it cannot, both files are read
//! anew (`open::reconcile`).
//!
//! Invariant: `known` is what the next change of the file is compared with, also after the file went missing.

use crate::data::state::State;
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::log::bytes::log_mark;
use crate::files::log::paths::LogPaths;
use crate::files::log::replay::LoggedEdit;
use crate::files::mirror::content::{Durable, FreshMirror, MirrorContent};
use crate::files::mirror::known::{
    Before, EditedBefore, FoundMirror, KnownBefore, KnownMirror, MirrorFile, PendingEdit, Shows, is_logged,
    is_settled,
};
use crate::files::mirror::record::{MirrorId, MirrorRecord, PlacedMirror, RecordStage};
use crate::files::shelf::Shelf;
use crate::vfs::Syncing;
use crate::vfs::{File, Stamp};

/// What must be known of the log.
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
#[derive(Default)]
pub struct MirrorTracker {
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
    /// The edit that was found in it and is not logged yet.
    pending: Option<PendingEdit>,
    /// The edit that was logged last.
    last_edit: Option<LoggedEdit>,
}

/// What is known.
impl MirrorTracker {
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

    /// There is no mirror, and no data that would be in it: nobody is to find one that the old module would not have
    /// made.
    pub fn has_nothing_to_show(&self, log: LogFacts) -> bool {
        self.seen.is_none() && log.shelf.with_state(State::is_empty)
    }

    /// The offset of the log that the mirror on disk shows.
    pub fn shown_log_end(&self) -> Option<u64> {
        match &self.known {
            Some(KnownMirror { shows: Shows::LogUpTo(end), id, .. }) if self.seen == Some(id.stamp) => {
                Some(*end)
            }
            _ => None,
        }
    }

    /// Takes the file into account.
    pub fn know(&mut self, context: &Context, id: MirrorId, shows: Shows) {
        let is_settled = is_settled(id.stamp, context.files.now_ms());
        self.seen = Some(id.stamp);
        self.was_seen = true;
        self.is_broken = false;
        self.known = Some(KnownMirror { id, shows, is_settled, is_synced: false });
    }

    /// The file is not a JSON object.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether the known mirror is on disk for certain.
    pub fn is_synced(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_synced)
    }

    /// The known mirror was synced.
    pub fn note_synced(&mut self) {
        if let Some(known) = &mut self.known {
            known.is_synced = true;
        }
    }

    /// The file that is no JSON object was moved away.
    pub fn broken_was_set_aside(&mut self) {
        self.is_broken = false;
        self.seen = None;
    }
}

/// What others did to the files.
impl MirrorTracker {
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
            edited: self
                .pending
                .as_ref()
                .map(|pending| EditedBefore { shown: pending.shown.clone(), is_placed: pending.is_placed }),
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
impl MirrorTracker {
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
        if let Some(KnownMirror { id: mirror, shows: Shows::LogUpTo(log_end), is_synced, .. }) = self.known {
            let log_mark = log_mark(file, log_end)?;
            let stage = RecordStage::Placed;
            let record = MirrorRecord { log_end, log_mark, mirror, stage, is_synced };
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
}

/// The mirror that this process writes.
impl MirrorTracker {
    /// What the log lacks would be taken for an edit of the next mirror, or get lost with this one.
    pub fn has_to_wait(&self, log: LogFacts) -> bool {
        self.pending.is_some() || log.is_behind_memory
    }

    /// A mirror was moved into its place.
    pub fn was_placed(&mut self, context: &Context, fresh: &FreshMirror) {
        self.know(context, fresh.id, Shows::LogUpTo(fresh.log_end));
        // The content in which the last edit was found is gone: should it come back, it is a new one.
        self.last_edit = self.last_edit.filter(|edit| edit.log_end > fresh.log_end);
        if let Some(known) = &mut self.known {
            known.is_synced = fresh.durable == Durable::Name;
        }
    }

    /// The mirror that was announced did not come: the one in its place is still the base of an edit. Where
    /// this fails, the nearer of the two decides.
    pub fn restore_record(&mut self, context: &Context, log: LogFacts) {
        let files = &*context.files;
        let Some(known) = &self.known else { return };
        let Shows::LogUpTo(log_end) = known.shows else { return };
        let restored = (|| {
            let is_announced =
                MirrorRecord::read(files, log.paths)?.is_none_or(|record| record.placed().is_none());
            if let Some(mut file) = files.open_read(&log.paths.log)?.filter(|_| is_announced) {
                let log_mark = log_mark(&mut *file, log_end)?;
                let KnownMirror { id: mirror, is_synced, .. } = *known;
                let stage = RecordStage::Placed;
                let record = MirrorRecord { log_end, log_mark, mirror, stage, is_synced };
                record.write(files, log.paths, Syncing::Off)?;
                self.record_seen = Some(record);
            }
            Ok::<(), Error>(())
        })();
        let _ = restored;
    }

    /// Writes the record.
    pub fn write_record(&mut self, context: &Context, log: LogFacts, record: MirrorRecord) -> Result<()> {
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
