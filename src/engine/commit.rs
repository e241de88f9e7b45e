//! A commit: append, sync, publish, answer; of what one log's requests staged (`stage`), while the lock is
//! held and memory is in step with the files (`batch`, `catch_up`).
//!
//! All that is staged goes to the log in one append with one sync, behind the edit by hand that was found
//! in the mirror, if there is one.
//!
//! Invariant: a write is answered with success only after its lines were synced (by the mode that the
//! user chose) and are part of the published state. One that found nothing to change has no lines; what it
//! found is made as durable as lines are (`keep_what_was_found`). When that or the append fails, the log and the published state are
//! as before, and every write of the batch gets the error.

use super::catch_up::Log;
use super::context::Context;
use super::entry::Lines;
use super::log::{Appended, Mended, SyncOf, replaced};
use super::mirror::Edit;
use super::options::FsyncMode;
use super::request::Answer;
use super::stage::{Batch, Run, Waiting};
use super::state::Member;
use crate::error::Result;

/// Size of a checkpoint's lines.
pub const CHECKPOINT_LINE_BYTES: usize = 1 << 20;
/// So often a log is read anew because somebody wrote to it while it was mended.
const MENDS_MAX: usize = 10;

impl Log {
    /// Writes what is staged, publishes it and answers. Where the lock files were removed, another process may have
    /// written on: then nothing is written, and what was asked is in `run.again`.
    pub(super) fn commit(&mut self, context: &Context, run: &mut Run) {
        let batch = std::mem::take(&mut run.batch);
        if batch.waiting.is_empty() {
            return;
        }
        let is_write = batch.waiting.iter().any(|(_, waiting)| waiting.is_write());
        // What was asked behind calls that are made anew is made anew as well.
        if !run.again.is_empty() || (is_write && !run.lock.is_in_place(&*context.files)) {
            run.again.extend(batch.into_requests(&self.paths.name));
            return;
        }
        let written = match (batch.lines.bytes.is_empty(), is_write) {
            (false, _) => self.append_and_publish(context, &batch),
            (true, true) => self.keep_what_was_found(context).map(|()| Appended::Alone),
            (true, false) => Ok(Appended::Alone),
        };
        if written == Ok(Appended::Outdated) {
            run.again.extend(batch.into_requests(&self.paths.name));
            return;
        }
        let written = written.map(|_| ());
        let mut now_us = None;
        for (ticket, waiting) in batch.waiting {
            if let (Some(asked_us), true, Ok(())) = (ticket.asked_us(), waiting.is_write(), &written) {
                let now_us = *now_us.get_or_insert_with(|| context.files.monotonic_us());
                self.shelf.metrics.ack.record(now_us.saturating_sub(asked_us));
            }
            let answer = match (waiting, &written) {
                (Waiting::Appended(open), Ok(())) => Ok(Answer::Written(open)),
                (Waiting::Read(answer, _), Ok(())) => Ok(answer),
                (Waiting::Written(answer @ Err(_), _), _) | (Waiting::Written(answer, _), Ok(())) => answer,
                (Waiting::Appended(_) | Waiting::Written(..), Err(error)) => Err(error.clone()),
                (Waiting::Read(_, read), Err(_)) => Ok(self.view(&Batch::default(), |view| read(view))),
            };
            run.answer(ticket, answer);
        }
    }

    /// A removal that finds nothing is acknowledged without a line. Neither an edit that is not logged yet,
    /// nor lines that a power cut may undo, nor rejected lines that another process would take for written
    /// may change that afterwards.
    fn keep_what_was_found(&mut self, context: &Context) -> Result<()> {
        self.log_pending_edit(context)?;
        if self.file.has_failed_append() || self.file.mending().is_doubtful {
            self.mend(context)?;
            self.publish_stamps();
        }
        if self.file.is_unsynced && context.options.fsync == FsyncMode::Always {
            self.file.sync(&*context.files, &self.paths)?;
        }
        Ok(())
    }

    /// Where the lines were cut off again, since others had written, nothing is published.
    fn append_and_publish(&mut self, context: &Context, batch: &Batch) -> Result<Appended> {
        self.mend(context)?;
        let with_edit = self.edit_lines(context, self.file.end()).map(|mut lines| {
            lines.append(&batch.lines);
            lines
        });
        let lines = with_edit.as_ref().unwrap_or(&batch.lines);
        let sync = match context.options.fsync {
            FsyncMode::Never => SyncOf::Nothing,
            // What only the mirror has for certain is about to lose its place there.
            FsyncMode::Interval(_) if self.pending.is_none() && !self.file.has_unsynced_edit => {
                SyncOf::Barriers
            }
            _ => SyncOf::All,
        };
        let appended = self.file.append(&*context.files, &self.paths, lines, sync)?;
        if appended == Appended::Outdated {
            self.distrust();
            return Ok(appended);
        }
        if let Some(duration_us) = self.file.take_sync_us() {
            context.sync_took(&self.paths, duration_us);
            self.shelf.metrics.fsync.record(duration_us);
        }
        self.shelf.metrics.entries.add(lines.count);
        self.shelf.metrics.bytes.add(lines.bytes.len() as u64);
        self.is_touched = true;
        if let (FsyncMode::Interval(interval_ms), None) = (context.options.fsync, self.sync_due_ms) {
            self.sync_due_ms = Some(context.files.monotonic_ms() + interval_ms);
        }
        if let Some(pending) = self.pending.take() {
            self.edit_was_logged(pending);
        }
        {
            let mut published = self.shelf.published.write();
            for change in &batch.changes {
                match change {
                    Edit::Set(member) => published.state.set(member.clone()),
                    Edit::Delete(key) => {
                        published.state.remove(key);
                    }
                }
            }
            published.log = self.file.stamp();
        }
        if appended == Appended::Interleaved {
            self.distrust();
            // What was written is safe; should reading fail, the next call tries again and reports it.
            let _ = self.catch_up(context);
        }
        self.mirror_after_commit(context);
        Ok(appended)
    }

    /// Logs an edit that was found, before something is done that must not come first.
    pub(super) fn log_pending_edit(&mut self, context: &Context) -> Result<()> {
        if self.pending.is_none() {
            return Ok(());
        }
        match self.append_and_publish(context, &Batch::default())? {
            Appended::Outdated => Err(replaced(&self.paths, "an edit of its mirror was logged")),
            Appended::Alone | Appended::Interleaved => Ok(()),
        }
    }

    /// Sets damage aside and cuts what is not in use, keeping the known offsets right.
    ///
    /// An edit goes into the log that is written anew: once the damage is gone from there, nothing tells any
    /// more that the mirror held what was lost.
    pub(super) fn mend(&mut self, context: &Context) -> Result<()> {
        for _ in 0..MENDS_MAX {
            if self.try_mend(context)? == Mended::Whole {
                return Ok(());
            }
            self.distrust();
            self.catch_up(context)?;
        }
        Err(replaced(&self.paths, "it was mended"))
    }

    fn try_mend(&mut self, context: &Context) -> Result<Mended> {
        let before = self.file.mending().clone();
        let is_rewritten = before.needs_rewrite();
        let edit = if is_rewritten { self.edit_lines(context, before.moved(self.file.end())) } else { None };
        let edit = edit.unwrap_or_default();
        let mended = self.file.mend(&*context.files, &self.paths, context.sync_ever(), &edit);
        if is_rewritten && !self.file.mending().needs_rewrite() {
            self.generation += 1;
            self.mirror_offsets_moved(|offset| before.moved(offset));
            if let Some(pending) = &mut self.pending {
                pending.is_in_log = true;
            }
        }
        mended
    }

    /// The lines by which a foreign edit enters the log of `log_end` bytes; `None` when there is none to enter.
    fn edit_lines(&self, context: &Context, log_end: u64) -> Option<Lines> {
        let pending = self.pending.as_ref().filter(|pending| !pending.is_in_log)?;
        let mut lines = Lines::default();
        let (now_ms, edit) = (context.files.now_ms(), Some(pending.tag));
        if log_end == 0 {
            // Old data without a log: the log begins with all of it.
            let parts = chunks(self.shelf.published.read().state.snapshot(), CHECKPOINT_LINE_BYTES);
            lines.operation(edit, parts.iter(), |encoder, part, more| {
                encoder.checkpoint(now_ms, part.iter().map(Member::text), more);
            });
        } else {
            lines.operation(edit, pending.edits.iter(), |encoder, edit, more| match edit {
                Edit::Set(member) => encoder.set(now_ms, member.key(), member.value(), more),
                Edit::Delete(key) => encoder.delete(now_ms, key, more),
            });
        }
        Some(lines)
    }
}

/// Cuts members into runs of about `bytes_max`, at least one member each.
pub fn chunks(members: Vec<Member>, bytes_max: usize) -> Vec<Vec<Member>> {
    let mut chunks: Vec<Vec<Member>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = member.text().len() + 1;
        match chunks.last_mut() {
            Some(chunk) if bytes + size <= bytes_max => {
                chunk.push(member);
                bytes += size;
            }
            _ => {
                bytes = size;
                chunks.push(vec![member]);
            }
        }
    }
    chunks
}
