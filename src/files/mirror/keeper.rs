//! When and how the mirror of a log is brought up to date.
//!
//! | state                     | mirror is written                                   | synced        |
//! |---------------------------|-----------------------------------------------------|---------------|
//! | small (up to 64 KiB)      | in the commit, before the promise resolves          | beside the log, before the rename; its name at a clean end or compaction |
//! | larger                    | by a job, within a second; later where writing takes over half of it | before the rename |
//! | any                       | at `finish`: flush, close, exit                     | always        |
//!
//! A mirror that cannot be written never fails the call: the log has the data. It is reported once
//! and tried again.

use std::path::PathBuf;

use crate::error::{Code, Error, Result};
use crate::files::compact::job::{Job, MirrorDone, MirrorJob};
use crate::files::context::Context;
use crate::files::log::file::free_name;
use crate::files::mirror::content::{
    Durable, Edit, FreshMirror, LoggedEdit, Pace, PendingEdit, SMALL_MIRROR_BYTES, Shows, SmallMirror,
    apply_changes, small_text, write_large,
};
use crate::files::mirror::record::{MirrorId, MirrorRecord, RecordStage, log_mark, read_all};
use crate::files::open::catch_up::Log;
use crate::files::policy::{RETRY_DELAY_MS, mirror_delay_ms};
use crate::store::event::Details;

impl Log {
    /// True while a job of this log is under way.
    pub fn is_busy(&self) -> bool {
        self.compaction.is_running() || self.mirror.is_being_written
    }

    /// When `tick` has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        [self.mirror.due_ms, self.sync_due_ms].into_iter().flatten().min()
    }

    /// True when there is something that a clean end has to do, be it that the log was lost and nobody has looked.
    pub fn needs_finish(&self, context: &Context) -> bool {
        let is_as_known = || match context.files.stamp(&self.paths.log) {
            Ok(found) => found == self.file.stamp(),
            Err(_) => true,
        };
        self.is_touched || (self.has_written && self.is_loaded && !is_as_known())
    }

    /// This process may not write, and has not: a stale mirror stays as it is.
    pub fn leave_mirror(&mut self) {
        self.is_touched &= self.has_written;
    }

    /// Reads the files, and if the mirror is ours and old, has the next clean end renew it. True if so. What a person
    /// did to the files waits for the next write.
    pub fn renew_mirror(&mut self, context: &Context) -> bool {
        self.want_mirror();
        // What cannot be loaded says so to who calls for it.
        let is_loaded = self.catch_up(context).is_ok();
        let is_ours = !self.mirror.is_broken && self.pending.is_none() && self.mirror.seen.is_some();
        let is_stale = self.mirror.shown_log_end().is_some_and(|shown| shown != self.file.end());
        self.is_touched |= is_loaded && is_ours && is_stale;
        self.is_touched
    }

    /// Does what is due.
    pub fn tick(&mut self, context: &Context, now_ms: u64, ready: &Result<()>, jobs: &mut Vec<Job>) {
        if self.sync_due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.sync_due_ms = None;
            // Should the log have to be written anew, it is with what others have appended since, and with
            // the edit that stands in for its damage.
            let may_rewrite = self.has_to_log_first() || self.file.mending().is_doubtful;
            let synced = ready
                .clone()
                .and_then(|()| if may_rewrite { self.catch_up(context) } else { Ok(()) })
                .and_then(|()| self.log_pending_edit(context))
                .and_then(|()| self.file.sync(&*context.files, &self.paths));
            if let Some(duration_us) = self.file.take_sync_us() {
                context.sync_took(&self.paths, duration_us);
                self.shelf.metrics.fsync.record(duration_us);
            }
            if let Err(error) = synced {
                context.tell(
                    "PS_SYNC_FAILED",
                    &format!("{} {}", self.paths.log.display(), error.code()),
                    format!("{}. What was acknowledged since the last sync may not be on disk; the log is written anew", error.message()),
                    &Details::of_log(&self.paths.name).text("reason", error.code().as_str()),
                );
                self.sync_due_ms = Some(now_ms + RETRY_DELAY_MS);
            }
        }
        if self.mirror.due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.mirror.due_ms = None;
            if self.is_memory_ahead
                && let Err(error) = ready.clone().and_then(|()| self.log_memory(context))
            {
                self.mirror_failed(context, &error);
                return;
            }
            let is_current = self.mirror.shown_log_end() == Some(self.file.end());
            if self.is_loaded && !self.has_to_log_first() && !self.mirror.is_being_written && !is_current {
                self.start_mirror(context, jobs);
            }
        }
    }

    /// Logs what memory has more than the log, if that is still so.
    fn log_memory(&mut self, context: &Context) -> Result<()> {
        self.catch_up(context)?;
        if self.is_memory_ahead { self.log_pending_edit(context) } else { Ok(()) }
    }

    fn start_mirror(&mut self, context: &Context, jobs: &mut Vec<Job>) {
        self.mirror.is_being_written = true;
        jobs.push(Job::Mirror(MirrorJob {
            log: self.paths.name.clone(),
            generation: self.generation,
            temporary: context.temporary(&self.paths.mirror),
            mirror: self.paths.mirror.clone(),
            snapshot: self.shelf.published.read().state.snapshot(),
            log_end: self.file.end(),
            log_mark: self.file.mark(),
            sync: context.sync_ever(),
        }));
    }

    /// Takes a mirror that a job wrote. `ready` tells whether the log is in step with its files.
    pub fn mirror_done(&mut self, context: &Context, done: MirrorDone, ready: Result<()>) {
        let MirrorDone { generation, log_mark, duration_ms, result, .. } = done;
        self.mirror.is_being_written = false;
        self.mirror.last_duration_ms = duration_ms;
        let published = match (ready, result) {
            (Ok(()), Ok(fresh)) => {
                let is_newer = self.mirror.shown_log_end().is_none_or(|shown| shown < fresh.log_end);
                if generation == self.generation && is_newer {
                    // Else the broken one would stay, and the next mirror be written in vain as well.
                    let _ = self.set_broken_mirror_aside(context);
                    self.publish_mirror(context, fresh, log_mark).map(|_| ())
                } else {
                    context.files.remove(&fresh.temporary)
                }
            }
            (Err(error), Ok(fresh)) => context.files.remove(&fresh.temporary).and(Err(error)),
            (_, Err(error)) => Err(error),
        };
        self.shelf.metrics.mirror_is_current();
        self.note_mirror_age(context, duration_ms);
        self.publish_stamps();
        if let Err(error) = published {
            self.mirror_failed(context, &error);
        } else if self.mirror.shown_log_end() != Some(self.file.end()) {
            self.mirror_is_due(context);
        }
    }

    pub(crate) fn mirror_is_due(&mut self, context: &Context) {
        if self.mirror.due_ms.is_none() && !self.mirror.is_being_written {
            self.mirror.due_ms =
                Some(context.files.monotonic_ms() + mirror_delay_ms(self.mirror.last_duration_ms));
        }
    }

    /// Keeps in mind since when the mirror has been behind: `ago_ms` at least.
    fn note_mirror_age(&self, context: &Context, ago_ms: u64) {
        let metrics = &self.shelf.metrics;
        if !self.mirror.is_wanted || self.mirror.shown_log_end() == Some(self.file.end()) {
            metrics.mirror_is_current();
        } else {
            metrics.mirror_is_behind(context.files.monotonic_ms().saturating_sub(ago_ms));
        }
    }

    fn mirror_failed(&mut self, context: &Context, error: &Error) {
        self.shelf.metrics.mirrors_failed.add(1);
        context.tell(
            "PS_MIRROR_FAILED",
            &format!("{} {}", self.paths.mirror.display(), error.code()),
            format!(
                "The mirror '{}' could not be written: {}. The log has all data; the mirror is tried again",
                self.paths.mirror.display(),
                error.message()
            ),
            &Details::of_log(&self.paths.name)
                .path("path", &self.paths.mirror)
                .text("reason", error.code().as_str()),
        );
        self.mirror.due_ms = Some(context.files.monotonic_ms() + RETRY_DELAY_MS);
    }

    /// Before a commit: begins to write the mirror of the state with these changes, where that is small, so that it
    /// is synced beside the log.
    pub(crate) fn begin_small_mirror(
        &mut self,
        context: &Context,
        changes: &[Edit],
    ) -> Option<Result<SmallMirror>> {
        if !self.mirror.is_wanted || self.mirror.is_broken {
            return None;
        }
        let text = {
            let published = self.shelf.published.read();
            if published.state.live_bytes() > SMALL_MIRROR_BYTES as u64 {
                return None;
            }
            let mut state = published.state.clone();
            apply_changes(&mut state, changes);
            small_text(state.iter(), SMALL_MIRROR_BYTES)?
        };
        let temporary = context.temporary(&self.paths.mirror);
        let files = &*context.files;
        Some(SmallMirror::begin(files, temporary, &self.paths.mirror, &text, context.sync_ever()))
    }

    /// After a commit: a small mirror at once, a large one soon. `begun` shows what was committed.
    pub(crate) fn mirror_after_commit(&mut self, context: &Context, begun: Option<Result<SmallMirror>>) {
        if self.mirror.is_wanted {
            match self.write_small_mirror(context, begun) {
                Ok(true) => self.mirror.due_ms = None,
                Ok(false) => self.mirror_is_due(context),
                Err(error) => self.mirror_failed(context, &error),
            }
        }
        self.note_mirror_age(context, 0);
        self.publish_stamps();
    }

    /// False when the state is too large, or somebody has just changed the file.
    fn write_small_mirror(&mut self, context: &Context, begun: Option<Result<SmallMirror>>) -> Result<bool> {
        self.set_broken_mirror_aside(context)?;
        let Some(small) = begun.or_else(|| self.begin_small_mirror(context, &[])).transpose()? else {
            return Ok(false);
        };
        let fresh = small.finish(&*context.files, self.file.end())?;
        self.publish_mirror(context, fresh, self.file.mark())
    }

    fn set_broken_mirror_aside(&mut self, context: &Context) -> Result<()> {
        if self.mirror.is_broken {
            let files = &*context.files;
            let name = |number| PathBuf::from(format!("{}.corrupt.{number}", self.paths.mirror.display()));
            files.rename(&self.paths.mirror, &free_name(files, files.now_ms(), name)?)?;
            self.mirror.is_broken = false;
            self.mirror.seen = None;
        }
        Ok(())
    }

    /// Moves a mirror into its place. False (and it is removed) when the file there is not the one
    /// that was taken into account.
    pub(crate) fn publish_mirror(
        &mut self,
        context: &Context,
        mut fresh: FreshMirror,
        log_mark: u64,
    ) -> Result<bool> {
        let files = &*context.files;
        let mut is_in_place = false;
        let published = (|| {
            let is_as_seen = |log: &Self| Ok(files.stamp(&log.paths.mirror)? == log.mirror.seen);
            if self.has_to_log_first() || self.mirror.is_broken || !is_as_seen(self)? {
                return Ok(false);
            }
            self.write_record(context, fresh.id, fresh.log_end, log_mark, RecordStage::Announced)?;
            // Some systems do not let others read a locked file.
            fresh.held = None;
            // The last look comes just before the rename: no system call does both at once.
            if !is_as_seen(self)? {
                return Ok(false);
            }
            match files.rename(&fresh.temporary, &self.paths.mirror) {
                Err(error) if error.code() == Code::Ebusy => {
                    self.write_in_place(context, &mut fresh, &error)?;
                    is_in_place = true;
                    return Ok(true);
                }
                renamed => renamed?,
            }
            is_in_place = true;
            if let Ok(Some(renamed)) = files.stamp(&self.paths.mirror)
                && renamed.is_same_content(&fresh.id.stamp)
            {
                fresh.id.stamp = renamed;
            }
            if fresh.durable == Durable::Name {
                files.sync_dir(&self.paths.data_folder)?;
            }
            Ok(true)
        })();
        if published == Ok(true) {
            // Should this fail, the record says less than it could, and that is all.
            let _ = self.write_record(context, fresh.id, fresh.log_end, log_mark, RecordStage::Placed);
            self.know_mirror(context, fresh.id, Shows::LogUpTo(fresh.log_end));
            // The content in which the last edit was found is gone: should it come back, it is a new one.
            self.last_edit = self.last_edit.filter(|edit| edit.log_end > fresh.log_end);
            if let Some(known) = &mut self.mirror.known {
                known.is_synced = fresh.durable == Durable::Name;
            }
            self.mirror.is_doubtful = false;
        } else {
            // Swept up later if this fails.
            let _ = files.remove(&fresh.temporary);
            if !is_in_place {
                self.restore_record(context);
            }
        }
        published
    }

    /// Writes over the mirror where the system refuses to replace it for good: a file that is mounted by itself. The
    /// last resort: for a moment a reader may find a part of it.
    fn write_in_place(&self, context: &Context, fresh: &mut FreshMirror, refused: &Error) -> Result<()> {
        let (files, mirror) = (&*context.files, &self.paths.mirror);
        let Some(mut written) = files.open_read(&fresh.temporary)? else { return Err(refused.clone()) };
        let bytes = read_all(&mut *written, u64::MAX)?;
        let Some(mut file) = files.open_in_place(mirror, false)? else { return Err(refused.clone()) };
        file.overwrite(&bytes)?;
        if fresh.durable != Durable::Nothing {
            file.sync_data()?;
            fresh.durable = Durable::Name;
        }
        fresh.id.stamp = file.stamp()?;
        // Swept up later if this fails.
        let _ = files.remove(&fresh.temporary);
        context.tell(
            "PS_MIRROR_IN_PLACE",
            &mirror.display().to_string(),
            format!(
                "'{}' cannot be replaced ({}), so it is written in place: a reader may find half of it for a moment, \
                 and after a power cut. Mount the data folder as a whole, not this file by itself",
                mirror.display(),
                refused.message()
            ),
            &Details::of_log(&self.paths.name).path("path", mirror).text("reason", refused.code().as_str()),
        );
        Ok(())
    }

    /// The mirror that was announced did not come: the one in its place is still the base of an edit. Where
    /// this fails, the nearer of the two decides.
    fn restore_record(&mut self, context: &Context) {
        let files = &*context.files;
        let Some(known) = &self.mirror.known else { return };
        let Shows::LogUpTo(log_end) = known.shows else { return };
        let restored = (|| {
            let is_announced =
                MirrorRecord::read(files, &self.paths)?.is_none_or(|record| record.placed().is_none());
            if let Some(mut log) = files.open_read(&self.paths.log)?.filter(|_| is_announced) {
                let log_mark = log_mark(&mut *log, log_end)?;
                let record = MirrorRecord { log_end, log_mark, mirror: known.id, stage: RecordStage::Placed };
                record.write(files, &self.paths, false)?;
                self.mirror.record_seen = Some(record);
            }
            Ok::<(), Error>(())
        })();
        let _ = restored;
    }

    pub(crate) fn write_record(
        &mut self,
        context: &Context,
        mirror: MirrorId,
        log_end: u64,
        log_mark: u64,
        stage: RecordStage,
    ) -> Result<()> {
        let record = MirrorRecord { log_end, log_mark, mirror, stage };
        record.write(&*context.files, &self.paths, record.is_clean() && context.sync_ever())?;
        self.mirror.placed_seen = record.placed().or(self.mirror.placed_seen);
        self.mirror.record_seen = Some(record);
        Ok(())
    }

    /// Sees to it that the mirror on disk is synced and shows the log at least up to `log_end`.
    /// `fresh` is one that does. False when somebody has just changed the file.
    pub(crate) fn bring_mirror_to(
        &mut self,
        context: &Context,
        log_end: u64,
        fresh: Option<FreshMirror>,
    ) -> Result<bool> {
        let files = &*context.files;
        if self.mirror.shown_log_end().is_some_and(|shown| shown >= log_end) {
            if let Some(fresh) = fresh {
                files.remove(&fresh.temporary)?;
            }
            self.sync_mirror(context)?;
            return Ok(true);
        }
        self.set_broken_mirror_aside(context)?;
        match fresh {
            Some(fresh) => {
                let mark = match files.open_read(&self.paths.log)? {
                    Some(mut log) => log_mark(&mut *log, fresh.log_end)?,
                    None => self.file.mark(),
                };
                self.publish_mirror(context, fresh, mark)
            }
            None => Ok(false),
        }
    }

    /// Makes the mirror in its place durable.
    fn sync_mirror(&mut self, context: &Context) -> Result<()> {
        if let Some(known) = &mut self.mirror.known
            && !known.is_synced
            && context.sync_ever()
        {
            let (mut file, _) = context.files.open_append(&self.paths.mirror)?;
            if let Err(error) = file.sync_data() {
                self.mirror.is_doubtful = true;
                return Err(error);
            }
            context.files.sync_dir(&self.paths.data_folder)?;
            known.is_synced = true;
        }
        Ok(())
    }

    /// An edit that was found in the mirror is in the log now.
    pub(crate) fn edit_was_logged(&mut self, pending: PendingEdit) {
        self.last_edit = Some(LoggedEdit { mirror_hash: pending.tag.mirror_hash, log_end: self.file.end() });
        if let Some(known) = &mut self.mirror.known {
            known.shows = Shows::Content(pending.shown);
        }
    }

    /// The log was written anew: what the mirror shows, and the last edit, now stand at other offsets.
    pub(crate) fn mirror_offsets_moved(&mut self, moved: impl Fn(u64) -> u64) {
        if let Some(edit) = &mut self.last_edit {
            edit.log_end = moved(edit.log_end);
        }
        if let Some(known) = &mut self.mirror.known
            && let Shows::LogUpTo(offset) = &mut known.shows
        {
            *offset = moved(*offset);
            let shown_end = *offset;
            // The mirror in which it was found is gone: should it come back, it is a new one.
            self.last_edit = self.last_edit.filter(|edit| edit.log_end > shown_end);
        }
    }

    /// Where somebody removed both files there is no data, so a clean end has nothing to write.
    pub fn forget_if_removed(&mut self, context: &Context) -> Result<()> {
        let files = &*context.files;
        if files.stamp(&self.paths.log)?.is_none()
            && files.stamp(&self.paths.mirror)?.is_none()
            && !self.has_only_the_log_gone(context)
        {
            self.is_touched = false;
            self.has_written = false;
            self.is_memory_ahead = false;
            self.mirror.due_ms = None;
            self.distrust();
        }
        Ok(())
    }

    /// There is no mirror, and no data that would be in it: nobody is to find one that the old module would not have
    /// made.
    pub(crate) fn has_nothing_to_mirror(&self) -> bool {
        self.mirror.seen.is_none() && self.shelf.published.read().state.is_empty()
    }

    /// Everything durable, the mirror current, and the record of a clean end. Under the lock.
    pub fn finish(&mut self, context: &Context) -> Result<()> {
        self.catch_up(context)?;
        self.log_pending_edit(context)?;
        if self.file.is_unsynced && context.sync_ever() {
            self.file.sync(&*context.files, &self.paths)?;
            self.sync_due_ms = None;
        }
        if self.mirror.is_wanted {
            self.set_broken_mirror_aside(context)?;
            let is_stale = self.mirror.shown_log_end() != Some(self.file.end());
            if (is_stale && !self.has_nothing_to_mirror()) || self.mirror.is_doubtful {
                let temporary = context.temporary(&self.paths.mirror);
                let snapshot = self.shelf.published.read().state.snapshot();
                let fresh = write_large(
                    &*context.files,
                    temporary,
                    &self.paths.mirror,
                    &snapshot,
                    self.file.end(),
                    if context.sync_ever() { Pace::Fast } else { Pace::Unsynced },
                )?;
                self.publish_mirror(context, fresh, self.file.mark())?;
            }
            self.mirror.due_ms = None;
            if let Some(known) = &self.mirror.known
                && self.mirror.shown_log_end() == Some(self.file.end())
            {
                let id = known.id;
                self.sync_mirror(context)?;
                self.write_record(context, id, self.file.end(), self.file.mark(), RecordStage::Clean)?;
            }
            self.note_mirror_age(context, 0);
            self.publish_stamps();
        }
        self.is_touched = false;
        Ok(())
    }
}
