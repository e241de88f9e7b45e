//! When and how the mirror of a log is brought up to date.
//!
//! | state                     | mirror is written                                   | synced        |
//! |---------------------------|-----------------------------------------------------|---------------|
//! | small (up to 64 KiB)      | in the commit, before the promise resolves          | beside the log, before the rename; its name at a clean end or compaction |
//! | larger                    | by a job, within a second; later where writing takes over half of it | before the rename |
//! | any                       | at `finish`: flush, close, exit                     | with its name |
//! | any, with `mirror: 'close'` | at `finish` and by a compaction, never because of a change; and after a log was lost | with its name |
//!
//! With `fsync: 'never'` nothing is synced.
//!
//! A mirror that cannot be written never fails a write: the log has the data. An event reports it each time, and the
//! mirror is tried again after five seconds. It does fail a compaction and `finish`, which need it.
//!
//! A lost log is written anew as a checkpoint. As in a compaction, a mirror as new as that has to stand beside it: else an
//! older one could no longer be recognised.
//!
//! Invariant: a mirror is moved into its place only while the file there is the one that was taken into account
//! (`MirrorTracker::seen`), no edit waits to be logged, and the log has all that memory has.

use std::path::PathBuf;

use crate::data::state::{Kept, Slot, State};
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::bytes::log_mark;
use crate::files::log::paths::free_name;
use crate::files::mirror::content::{FreshMirror, SMALL_MIRROR_BYTES, SmallMirror, small_text, write_large};
use crate::files::mirror::cost::MirrorCost;
use crate::files::mirror::edit::{Edit, apply_changes};
use crate::files::mirror::job::{MirrorDone, MirrorJob};
use crate::files::mirror::place::{Way, place, settle};
use crate::files::mirror::record::{MirrorRecord, RecordStage};
use crate::files::mirror::tracker::{LogFacts, MirrorTracker};
use crate::files::options::MirrorMode;
use crate::files::policy::{RETRY_DELAY_MS, mirror_delay_ms};
use crate::files::shelf::Shelf;
use crate::files::temporary::Pace;

/// See the header of this file.
#[derive(Default)]
pub struct MirrorKeeper {
    tracker: MirrorTracker,
    /// A sync of the file failed: that a later one succeeds proves nothing.
    is_doubtful: bool,
    /// When the next large mirror is to be written.
    due_ms: Option<u64>,
    /// A large mirror is being written.
    is_being_written: bool,
    /// How long the last one took.
    last_duration_ms: u64,
    /// What all of them cost.
    cost: MirrorCost,
}

impl MirrorKeeper {
    /// What is known of the mirror in its place.
    pub fn tracker(&self) -> &MirrorTracker {
        &self.tracker
    }

    /// The same, to take what happened to the files into account.
    pub fn tracker_mut(&mut self) -> &mut MirrorTracker {
        &mut self.tracker
    }

    /// Whether a checkpoint of the log up to `end` needs a mirror beside it: the one on disk is older, or not synced.
    pub fn needs_one_for_checkpoint(&self, log: LogFacts) -> bool {
        let is_new = self.tracker.shown_log_end() == Some(log.end) && self.tracker.is_synced();
        self.tracker.is_wanted() && !is_new && !self.tracker.has_nothing_to_show(log)
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
        let is_current = self.tracker.shown_log_end() == Some(log.end);
        if self.tracker.has_to_wait(log) || self.is_being_written || is_current {
            return None;
        }
        self.is_being_written = true;
        Some(MirrorJob {
            log: log.paths.name.clone(),
            generation,
            temporary: context.temporary(&log.paths.mirror),
            mirror: log.paths.mirror.clone(),
            snapshot: log.shelf.snapshot(|state| state.live_places(context.files.now_ms())),
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
        if let Ok(fresh) = &result {
            self.note_cost(context, log, fresh.id.stamp.size_bytes, duration_ms);
        }
        let published = match (ready, result) {
            (Ok(()), Ok(fresh)) => {
                let is_newer = self.tracker.shown_log_end().is_none_or(|shown| shown < fresh.log_end);
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
        } else if follows(context) && self.tracker.shown_log_end() != Some(log.end) {
            self.is_due(context);
        }
    }

    /// A person is to know of a mirror that takes much of the disk's time.
    fn note_cost(&mut self, context: &Context, log: LogFacts, size_bytes: u64, duration_ms: u64) {
        let per_minute_ms = self.cost.wrote(context.files.monotonic_ms(), duration_ms);
        if let Some(per_minute_ms) = per_minute_ms.filter(|_| follows(context)) {
            context.notify(log.paths, &Event::MirrorCostly { size_bytes, duration_ms, per_minute_ms });
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
        if !self.tracker.is_wanted() || self.tracker.shown_log_end() == Some(log.end) {
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
        if !follows(context) || !self.tracker.is_wanted() || self.tracker.is_broken() {
            return None;
        }
        let text = match small_text_of(log.shelf, changes, context.files.now_ms()) {
            Ok(text) => text?,
            Err(error) => return Some(Err(error)),
        };
        let temporary = context.temporary(&log.paths.mirror);
        Some(SmallMirror::begin(&*context.files, temporary, &log.paths.mirror, &text, context.syncing()))
    }

    /// After a commit, where the mirror follows: a small one at once, a large one soon. `begun` shows what was committed.
    pub fn after_commit(&mut self, context: &Context, log: LogFacts, begun: Option<Result<SmallMirror>>) {
        if follows(context) && self.tracker.is_wanted() {
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
        if self.tracker.shown_log_end().is_some_and(|shown| shown >= log_end) {
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
        let is_stale = self.tracker.shown_log_end() != Some(log.end);
        if (is_stale && !self.tracker.has_nothing_to_show(log)) || self.is_doubtful {
            let temporary = context.temporary(&log.paths.mirror);
            let snapshot = log.shelf.snapshot(|state| state.live_places(context.files.now_ms()));
            let pace = Pace::awaited(context.syncing());
            let files = &*context.files;
            let fresh =
                write_large(files, temporary, &log.paths.mirror, &mut snapshot.members(), log.end, pace)?;
            self.publish(context, log, fresh, log.mark)?;
        }
        self.due_ms = None;
        if let Some(mirror) = self.tracker.known().map(|known| known.id)
            && self.tracker.shown_log_end() == Some(log.end)
        {
            self.sync(context, log)?;
            let stage = RecordStage::Clean;
            let is_synced = self.tracker.is_synced();
            let record = MirrorRecord { log_end: log.end, log_mark: log.mark, mirror, stage, is_synced };
            self.tracker.write_record(context, log, record)?;
        }
        self.note_age(context, log, 0);
        Ok(())
    }

    fn set_broken_aside(&mut self, context: &Context, log: LogFacts) -> Result<()> {
        if self.tracker.is_broken() {
            let files = &*context.files;
            let name = |number| PathBuf::from(format!("{}.corrupt.{number}", log.paths.mirror.display()));
            files.rename(&log.paths.mirror, &free_name(files, files.now_ms(), name)?)?;
            self.tracker.broken_was_set_aside();
        }
        Ok(())
    }

    /// Makes the mirror in its place durable.
    fn sync(&mut self, context: &Context, log: LogFacts) -> Result<()> {
        if self.tracker.known().is_some() && !self.tracker.is_synced() && context.syncing().is_on() {
            let (mut file, _) = context.files.open_append(&log.paths.mirror)?;
            if let Err(error) = file.sync_data() {
                self.is_doubtful = true;
                return Err(error);
            }
            context.files.sync_dir(&log.paths.data_folder)?;
            self.tracker.note_synced();
        }
        Ok(())
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
            is_synced: fresh.durable.has_content(),
        };
        let mut way = None;
        let published = self.announce_and_place(context, log, &mut fresh, announced, &mut way);
        if published == Ok(true) {
            let is_synced = fresh.durable.has_content();
            let stage = RecordStage::Placed;
            let record = MirrorRecord { mirror: fresh.id, stage, is_synced, ..announced };
            // Should this fail, the record says less than it could, and that is all.
            let _ = self.tracker.write_record(context, log, record);
            self.tracker.was_placed(context, &fresh);
            self.is_doubtful = false;
        } else {
            // Swept up later if this fails.
            let _ = context.files.remove(&fresh.temporary);
            if way.is_none() {
                self.tracker.restore_record(context, log);
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
        let seen = self.tracker.seen();
        let is_as_seen = || Ok::<_, Error>(context.files.stamp(&log.paths.mirror)? == seen);
        if self.tracker.has_to_wait(log) || self.tracker.is_broken() || !is_as_seen()? {
            return Ok(false);
        }
        self.tracker.write_record(context, log, announced)?;
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
}

/// The mirror of the state with these changes, where that is small.
fn small_text_of(shelf: &Shelf, changes: &[Edit], now_ms: i64) -> Result<Option<String>> {
    let is_small = |state: &State<Slot>| state.live_bytes() <= SMALL_MIRROR_BYTES as u64;
    let in_memory = |state: &State<Slot>| {
        let mut state = state.clone();
        apply_changes(&mut state, changes);
        small_text(state.live(now_ms).filter_map(Kept::held), SMALL_MIRROR_BYTES)
    };
    let is_in_memory = |state: &State<Slot>| !is_small(state) || state.is_all_held();
    let text = shelf.with_state(|state| {
        is_in_memory(state).then(|| if is_small(state) { in_memory(state) } else { None })
    });
    match text {
        Some(text) => Ok(text),
        None => Ok(in_memory(&shelf.whole_state()?.into_slots(None))),
    }
}

/// Whether changes have mirrors written.
fn follows(context: &Context) -> bool {
    context.options.mirror == MirrorMode::Follow
}
