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

use crate::data::state::{Member, State};
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::log::entry::{Lines, MemoryTag, Tag};
use crate::files::log::file::{Appended, Mended, SyncOf};
use crate::files::log::replay::replay;
use crate::files::mirror::content::{Edit, LoggedEdit, apply_changes};
use crate::files::open::catch_up::Log;
use crate::files::options::FsyncMode;
use crate::files::write::stage::{Batch, Run, Waiting};
use crate::store::answer::Answer;

/// Size of a checkpoint's lines.
pub const CHECKPOINT_LINE_BYTES: usize = 1 << 20;
/// So often a log is read anew because somebody wrote to it while it was mended.
const MENDS_MAX: usize = 10;

impl Log {
    /// Writes what is staged, publishes it and answers. Where the lock files were removed, another process may have
    /// written on: then nothing is written, and what was asked is in `run.again`.
    pub(crate) fn commit(&mut self, context: &Context, run: &mut Run) {
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
                (Waiting::Read(_, query), Err(_)) => Ok(self.answer_of_key(&Batch::default(), &query)),
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
        let with_edit = self.edit_lines(context, self.file.end())?.map(|mut lines| {
            lines.append(&batch.lines);
            lines
        });
        let lines = with_edit.as_ref().unwrap_or(&batch.lines);
        let sync = match context.options.fsync {
            FsyncMode::Never => SyncOf::Nothing,
            // What only the mirror has for certain is about to lose its place there.
            FsyncMode::Interval(_) if !self.has_to_log_first() && !self.file.has_unsynced_edit => {
                SyncOf::Barriers
            }
            _ => SyncOf::All,
        };
        let begun = self.begin_small_mirror(context, &batch.changes);
        let appended = match self.file.append(&*context.files, &self.paths, lines, sync) {
            Ok(Appended::Outdated) => {
                if let Some(Ok(small)) = begun {
                    small.discard(&*context.files);
                }
                if !self.is_memory_ahead {
                    self.distrust();
                }
                return Ok(Appended::Outdated);
            }
            Ok(appended) => appended,
            Err(error) => {
                if let Some(Ok(small)) = begun {
                    small.discard(&*context.files);
                }
                return Err(error);
            }
        };
        if let Some(duration_us) = self.file.take_sync_us() {
            context.sync_took(&self.paths, duration_us);
            self.shelf.metrics.fsync.record(duration_us);
        }
        self.shelf.metrics.entries.add(lines.count);
        self.shelf.metrics.bytes.add(lines.bytes.len() as u64);
        self.is_touched = true;
        self.has_written = true;
        if let (FsyncMode::Interval(interval_ms), None) = (context.options.fsync, self.sync_due_ms) {
            self.sync_due_ms = Some(context.files.monotonic_ms() + interval_ms);
        }
        if std::mem::take(&mut self.is_memory_ahead) {
            let tag = self.memory_tag();
            self.last_edit = Some(LoggedEdit { mirror_hash: tag.mirror_hash, log_end: self.file.end() });
            self.memories.push(tag);
        }
        if let Some(pending) = self.pending.take() {
            self.edit_was_logged(pending);
        }
        {
            let mut published = self.shelf.published.write();
            apply_changes(&mut published.state, &batch.changes);
            published.log = self.file.stamp();
        }
        if appended == Appended::Interleaved {
            if let Some(Ok(small)) = begun {
                small.discard(&*context.files);
            }
            // What was written is safe; should reading fail, the next call tries again and reports it.
            let _ = self.catch_up(context);
            if self.is_memory_ahead {
                // What was acknowledged before was cut from the log in the very moment of the append.
                return self.append_and_publish(context, &Batch::default());
            }
            self.mirror_after_commit(context, None);
        } else {
            self.mirror_after_commit(context, begun);
        }
        Ok(appended)
    }

    /// Whether the state has something that the log has not: an edit that was found, or all of it.
    pub(crate) fn has_to_log_first(&self) -> bool {
        self.pending.is_some() || self.is_memory_ahead
    }

    /// Logs what the state has more than the log, before something is done that must not come first.
    pub(crate) fn log_pending_edit(&mut self, context: &Context) -> Result<()> {
        if !self.has_to_log_first() {
            return Ok(());
        }
        match self.append_and_publish(context, &Batch::default())? {
            Appended::Outdated => {
                Err(Error::log_replaced(&self.paths.log, "what memory has more was logged"))
            }
            Appended::Alone | Appended::Interleaved => Ok(()),
        }
    }

    /// Sets damage aside and cuts what is not in use, keeping the known offsets right.
    ///
    /// An edit goes into the log that is written anew: once the damage is gone from there, nothing tells any
    /// more that the mirror held what was lost.
    pub(crate) fn mend(&mut self, context: &Context) -> Result<()> {
        for _ in 0..MENDS_MAX {
            if self.try_mend(context)? == Mended::Whole {
                return Ok(());
            }
            self.distrust();
            self.catch_up(context)?;
        }
        Err(Error::log_replaced(&self.paths.log, "it was mended"))
    }

    fn try_mend(&mut self, context: &Context) -> Result<Mended> {
        let before = self.file.mending().clone();
        let is_rewritten = before.needs_rewrite();
        let edit = if is_rewritten { self.edit_lines(context, before.moved(self.file.end()))? } else { None };
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

    /// The lines by which what the state has more than the log of `log_end` bytes enters it: all of the state where
    /// memory is ahead, then a foreign edit. `None` when there is nothing to enter.
    fn edit_lines(&self, context: &Context, log_end: u64) -> Result<Option<Lines>> {
        let mut lines = Lines::default();
        if self.is_memory_ahead {
            self.push_state(context, Tag::Memory(self.memory_tag()), &mut lines)?;
        }
        if let Some(pending) = self.pending.as_ref().filter(|pending| !pending.is_in_log) {
            let now_ms = context.files.now_ms();
            let tag = if pending.is_recovered {
                Tag::Memory(MemoryTag { known_end: 0, mirror_hash: pending.tag.mirror_hash })
            } else {
                Tag::Edit(pending.tag)
            };
            if log_end == 0 && !self.is_memory_ahead {
                // Old data without a log: the log begins with all of it.
                self.push_state(context, tag, &mut lines)?;
            } else {
                lines.operation(tag, pending.edits.iter(), |encoder, edit, more| match edit {
                    Edit::Set(member) => encoder.set(now_ms, member.key(), member.value(), more),
                    Edit::Delete(key) => encoder.delete(now_ms, key, more),
                });
            }
        }
        Ok((!lines.bytes.is_empty()).then_some(lines))
    }

    /// What this process knew of the log that was lost.
    fn memory_tag(&self) -> MemoryTag {
        let mirror_hash = self.mirror.known.as_ref().map_or(0, |known| known.id.hash);
        MemoryTag { known_end: self.lost_end, mirror_hash }
    }

    /// The whole state as one operation: tombstones for keys that only the log has, and a checkpoint.
    fn push_state(&self, context: &Context, tag: Tag, lines: &mut Lines) -> Result<()> {
        enum Part {
            Checkpoint(Vec<Member>),
            Delete(String),
        }
        let state = self.shelf.published.read().state.clone();
        let in_log = match context.files.open_read(&self.paths.log)? {
            Some(mut log) => replay(&mut *log, self.file.end())?.state,
            None => State::default(),
        };
        let checkpoint = chunks(state.snapshot(), CHECKPOINT_LINE_BYTES).into_iter().map(Part::Checkpoint);
        let parts: Vec<Part> =
            tombstones(in_log, &state).into_iter().map(Part::Delete).chain(checkpoint).collect();
        let now_ms = context.files.now_ms();
        lines.operation(tag, parts.iter(), |encoder, part, more| match part {
            Part::Checkpoint(members) => {
                encoder.checkpoint(now_ms, members.iter().map(Member::text), more);
            }
            Part::Delete(key) => encoder.delete(now_ms, key, more),
        });
        Ok(())
    }
}

/// The keys that must go before a checkpoint of `state` is merged, so that it leads to that state in its order.
fn tombstones(mut in_log: State, state: &State) -> Vec<String> {
    let keys =
        |state: &State| -> Vec<String> { state.iter().map(|member| member.key().to_owned()).collect() };
    let all = keys(&in_log);
    let only_in_log: Vec<String> = all.iter().filter(|key| state.get(key).is_none()).cloned().collect();
    for key in &only_in_log {
        in_log.remove(key);
    }
    for member in state.iter() {
        in_log.set(member.clone());
    }
    if keys(&in_log) == keys(state) { only_in_log } else { all }
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
