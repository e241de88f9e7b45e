//! The writer of one log: what memory has more than the log is logged first, damage is mended before anything is
//! appended, and what is synced when.
//!
//! ```text
//! append_and_publish:   mend │ edit by hand, caller's lines │ sync, by the user's mode │ publish │ mirror
//! ```
//!
//! Invariant: after `append_and_publish` gave `Alone` or `Interleaved`, the lines are synced as the user chose and part
//! of the published state, and the log has all that memory has. After an error, log and published state are as before.

use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::encoder::Lines;
use crate::files::log::file::{Appended, SyncOf};
use crate::files::log::mending::Mended;
use crate::files::mirror::edit::Edit;
use crate::files::mirror::job::MirrorJob;
use crate::files::open::open_log::OpenLog;
use crate::files::options::FsyncMode;
use crate::files::policy::RETRY_DELAY_MS;
use crate::files::write::edit_lines::edit_lines;

/// So often a log is read anew because somebody wrote to it while it was mended.
const MENDS_MAX: usize = 10;

/// See the header of this file.
pub struct LogWriter {
    log: OpenLog,
    /// When `fsync: 'interval'` wants the next sync.
    sync_due_ms: Option<u64>,
}

impl LogWriter {
    /// The writer of a log.
    pub fn new(log: OpenLog) -> Self {
        Self { log, sync_due_ms: None }
    }

    /// The log.
    pub fn log(&self) -> &OpenLog {
        &self.log
    }

    /// The log, to be kept in step with its files.
    pub fn log_mut(&mut self) -> &mut OpenLog {
        &mut self.log
    }

    /// Appends lines, which change the state so, behind what memory has more than the log.
    pub fn append_and_publish(
        &mut self,
        context: &Context,
        lines: &Lines,
        changes: &[Edit],
    ) -> Result<Appended> {
        self.mend(context)?;
        let with_edit = edit_lines(context, &self.log, self.log.end())?.map(|mut edit| {
            // Its values are in the state already.
            edit.values.clear();
            edit.append(lines);
            edit
        });
        let lines = with_edit.as_ref().unwrap_or(lines);
        let sync = match context.options.fsync {
            FsyncMode::Never => SyncOf::Nothing,
            // What only the mirror has for certain is about to lose its place there.
            FsyncMode::Interval(_)
                if !self.log.has_to_log_first() && !self.log.file().has_unsynced_edit() =>
            {
                SyncOf::Barriers
            }
            _ => SyncOf::All,
        };
        let (appended, begun) = self.log.append(context, lines, changes, sync)?;
        if appended == Appended::Outdated {
            return Ok(appended);
        }
        if let (FsyncMode::Interval(interval_ms), None) = (context.options.fsync, self.sync_due_ms) {
            self.sync_due_ms = Some(context.files.monotonic_ms() + interval_ms);
        }
        if appended == Appended::Interleaved {
            // What was written is safe; should reading fail, the next call tries again and gets the error.
            let _ = self.log.catch_up(context);
            if self.log.is_memory_ahead() {
                // What was acknowledged before was cut from the log in the very moment of the append.
                return self.append_and_publish(context, &Lines::default(), &[]);
            }
        }
        self.log.write_mirror(context, begun);
        Ok(appended)
    }

    /// All that the log has is whole and on disk, and it has all that memory has.
    pub fn make_even(&mut self, context: &Context) -> Result<()> {
        self.mend(context)?;
        self.log_pending_edit(context)?;
        if self.log.file().stamp().is_some() { self.sync_what_was_appended(context) } else { Ok(()) }
    }

    /// Appends the lines of a transaction that is committed, and syncs them by whatever mode. Where they cannot be appended
    /// now, they count all the same.
    pub fn append_committed(&mut self, context: &Context, lines: &Lines, changes: &[Edit]) -> Result<()> {
        let mut last = Ok(Appended::Outdated);
        for _ in 0..MENDS_MAX {
            last = match last {
                // What others wrote meanwhile comes before them.
                Ok(Appended::Outdated) => self.log.catch_up(context).and_then(|()| {
                    if self.log.unfinished().is_some() {
                        // The files were read anew, and the lines with them.
                        return self.append_and_publish(context, &Lines::default(), &[]);
                    }
                    self.append_and_publish(context, lines, changes)
                }),
                settled => settled,
            };
        }
        let appended = match last {
            Ok(Appended::Outdated) => {
                Err(Error::log_replaced(&self.log.paths().log, "a transaction was logged"))
            }
            appended => appended.map(|_| ()),
        };
        if appended.is_err() {
            self.log.leave_unfinished(context, lines);
            return appended;
        }
        self.sync_what_was_appended(context)
    }

    fn sync_what_was_appended(&mut self, context: &Context) -> Result<()> {
        if !self.log.file().is_unsynced() || !context.syncing().is_on() {
            return Ok(());
        }
        self.log.sync(context)
    }

    /// Logs what the state has more than the log, before something is done that must not come first.
    pub fn log_pending_edit(&mut self, context: &Context) -> Result<()> {
        if !self.log.has_to_log_first() {
            return Ok(());
        }
        match self.append_and_publish(context, &Lines::default(), &[])? {
            Appended::Outdated => {
                Err(Error::log_replaced(&self.log.paths().log, "what memory has more was logged"))
            }
            Appended::Alone | Appended::Interleaved => Ok(()),
        }
    }

    /// A removal that finds nothing is acknowledged without a line. Neither an edit that is not logged yet,
    /// nor lines that a power cut may undo, nor rejected lines that another process would take for written
    /// may change that afterwards.
    pub fn keep_what_was_found(&mut self, context: &Context) -> Result<()> {
        self.log_pending_edit(context)?;
        if self.log.has_doubtful_end() {
            self.mend(context)?;
            self.log.publish_stamps();
        }
        if self.log.file().is_unsynced() && context.options.fsync == FsyncMode::Always {
            self.log.sync(context)?;
        }
        Ok(())
    }

    /// Sets damage aside and cuts what is not in use.
    ///
    /// An edit goes into the log that is written anew: once the damage is gone from there, nothing shows any
    /// more that the mirror held what was lost.
    pub fn mend(&mut self, context: &Context) -> Result<()> {
        for _ in 0..MENDS_MAX {
            let mending = self.log.file().mending();
            let edit = if mending.needs_rewrite() {
                edit_lines(context, &self.log, mending.moved(self.log.end()))?
            } else {
                None
            };
            if self.log.mend(context, &edit.unwrap_or_default())? == Mended::Whole {
                return Ok(());
            }
            self.log.distrust();
            self.log.catch_up(context)?;
        }
        Err(Error::log_replaced(&self.log.paths().log, "it was mended"))
    }

    /// When `tick` has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        [self.log.mirror_due_ms(), self.sync_due_ms].into_iter().flatten().min()
    }

    /// Does what is due; gives a large mirror that is to be written. `ready` says whether the lock is held.
    pub fn tick(&mut self, context: &Context, now_ms: u64, ready: &Result<()>) -> Option<MirrorJob> {
        if self.sync_due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.sync_due_ms = None;
            if let Err(error) = self.sync_at_interval(context, ready) {
                context.notify(self.log.paths(), &Event::SyncFailed { error: &error });
                self.sync_due_ms = Some(now_ms + RETRY_DELAY_MS);
            }
        }
        if !self.log.take_mirror_due(now_ms) {
            return None;
        }
        if self.log.is_ahead_of_files()
            && let Err(error) = ready.clone().and_then(|()| self.log_memory(context))
        {
            self.log.mirror_failed(context, &error);
            return None;
        }
        self.log.start_mirror(context)
    }

    fn sync_at_interval(&mut self, context: &Context, ready: &Result<()>) -> Result<()> {
        // Should the log have to be written anew, it is with what others have appended since, and with
        // the edit that stands in for its damage.
        let may_rewrite = self.log.has_to_log_first() || self.log.file().mending().is_doubtful;
        let synced = ready
            .clone()
            .and_then(|()| if may_rewrite { self.log.catch_up(context) } else { Ok(()) })
            .and_then(|()| self.log_pending_edit(context))
            .and_then(|()| self.log.sync(context));
        self.log.note_sync(context);
        synced
    }

    /// Logs what memory has more than the log, if that is still so.
    fn log_memory(&mut self, context: &Context) -> Result<()> {
        self.log.catch_up(context)?;
        if self.log.is_ahead_of_files() { self.log_pending_edit(context) } else { Ok(()) }
    }

    /// Everything durable, the mirror current, and the record of a clean end. Under the lock.
    pub fn finish(&mut self, context: &Context) -> Result<()> {
        self.log.catch_up(context)?;
        self.log_pending_edit(context)?;
        if self.log.file().is_unsynced() && context.syncing().is_on() {
            self.log.sync(context)?;
            self.sync_due_ms = None;
        }
        self.log.finish(context)
    }
}
