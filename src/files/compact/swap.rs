//! Replacing a log by its checkpoint while appends go on.
//!
//! ```text
//! writer   snapshot at X ──┐               ┌─ lock: copy tail, link backup, rename, sync folder
//! worker                   └ checkpoint, mirror ┘
//! log      ════════X═══════════════════════E        new log: CHECKPOINT… ║ entries X..E
//! ```
//!
//! The new log appears by one rename, after it was synced; at no instant is there no whole log. The
//! old one stays, by a second name, as `NAME.log.backup.N`.
//!
//! Invariant: before the log is replaced, the mirror on disk is at least as new as the checkpoint, and
//! synced. Else an older mirror could no longer be told from an edit (see `load`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::compact::job::{CompactDone, CompactJob, CompactStep, Compacted, Job, JobDone, copy_tail};
use crate::files::context::Context;
use crate::files::folder::Folder;
use crate::files::lock::Purpose;
use crate::files::log::file::{LogFile, Mending};
use crate::files::log::late::rescue_late;
use crate::files::mirror::content::{FreshMirror, Shows};
use crate::files::mirror::record::{RecordStage, log_mark};
use crate::files::open::catch_up::Log;
use crate::files::past::old_logs::{Kind, free_old};
use crate::store::answer::Answer;
use crate::store::event::Details;
use crate::store::patience::WAIT_US_MAX;
use crate::store::ticket::Ticket;
use crate::vfs::{File, FileSystem};

/// What arrived meanwhile is copied beside until less than this is left for the last step.
const LAST_TAIL_BYTES_MAX: u64 = 1 << 20;
const ROUNDS_MAX: u32 = 10;
const TRIES_MAX: u32 = 5;

/// The compaction of one log.
#[derive(Default)]
pub struct Compaction {
    running: Option<Running>,
    /// Who asked while one was running: for them another one is made.
    waiting: Vec<Ticket>,
}

struct Running {
    tickets: Vec<Ticket>,
    tries: u32,
    rounds: u32,
    /// Offset of the snapshot in the old log, and the lines before it.
    snapshot_end: u64,
    snapshot_lines: u64,
    checkpoint_lines: u64,
    /// Behind the copied tail: a line break that the last line lacked.
    added_bytes: u64,
    mirror: Option<FreshMirror>,
    started_us: u64,
    /// What the old log becomes.
    kind: Kind,
}

impl Compaction {
    /// True while one is under way.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// After a panic: where none is under way, nobody would come back to those who wait for the next one.
    pub fn dismiss_stranded(&mut self) {
        if !self.is_running() {
            self.waiting.clear();
        }
    }
}

impl Folder {
    /// Takes the result of a job, under the lock.
    pub(crate) fn take_result(&mut self, done: JobDone) {
        let name = match &done {
            JobDone::Mirror(done) => done.log.clone(),
            JobDone::Compact(done) => done.log.clone(),
            JobDone::Compress(done) => done.log.clone(),
        };
        let acquired = self.acquire(Purpose::Write, WAIT_US_MAX);
        let Some(log) = self.logs.get_mut(&name) else { return };
        let ready = acquired.and_then(|()| {
            // A panic here must not take the result along: somebody waits for it.
            catch_unwind(AssertUnwindSafe(|| log.catch_up(&self.context))).unwrap_or_else(|_| {
                log.distrust();
                Err(Error::internal("the files could not be looked at"))
            })
        });
        match done {
            JobDone::Compress(done) => log.compress_done(&self.context, done, ready, &mut self.jobs),
            JobDone::Mirror(done) => log.mirror_done(&self.context, done, ready),
            JobDone::Compact(done) => {
                let answered = log.compact_done(&self.context, done, ready, &mut self.jobs);
                for (ticket, answer) in answered {
                    let outlet = ticket.answer(answer);
                    self.answered(outlet);
                }
            }
        }
    }
}

type Answered = Vec<(Ticket, Result<Answer>)>;

impl Log {
    /// Starts a compaction, or another one after the one that is running.
    pub(crate) fn compact(
        &mut self,
        context: &Context,
        kind: Kind,
        ticket: Option<Ticket>,
        jobs: &mut Vec<Job>,
    ) {
        if self.compaction.is_running() {
            self.compaction.waiting.extend(ticket);
        } else {
            self.start_compaction(context, kind, ticket.into_iter().collect(), 0, jobs);
        }
    }

    fn start_compaction(
        &mut self,
        context: &Context,
        kind: Kind,
        tickets: Vec<Ticket>,
        tries: u32,
        jobs: &mut Vec<Job>,
    ) {
        let snapshot = self.shelf.published.read().state.snapshot();
        let log_end = self.file.end();
        let is_mirror_new = self.mirror.shown_log_end() == Some(log_end)
            && self.mirror.known.as_ref().is_some_and(|known| known.is_synced);
        let needs_mirror = self.mirror.is_wanted && !is_mirror_new && !self.has_nothing_to_mirror();
        jobs.push(Job::Compact(CompactJob {
            log: self.paths.name.clone(),
            generation: self.generation,
            temporary: context.temporary(&self.paths.log),
            step: CompactStep::Checkpoint {
                snapshot,
                log_end,
                now_ms: context.files.now_ms(),
                mirror: needs_mirror.then(|| context.temporary(&self.paths.mirror)),
                folders: self.paths.clone(),
            },
            sync: context.sync_ever(),
        }));
        self.compaction.running = Some(Running {
            tickets,
            tries,
            rounds: 0,
            snapshot_end: log_end,
            snapshot_lines: self.file.lines(),
            checkpoint_lines: 0,
            added_bytes: 0,
            mirror: None,
            started_us: context.files.monotonic_us(),
            kind,
        });
    }

    fn compact_done(
        &mut self,
        context: &Context,
        done: CompactDone,
        ready: Result<()>,
        jobs: &mut Vec<Job>,
    ) -> Answered {
        let Some(mut running) = self.compaction.running.take() else { return Vec::new() };
        let CompactDone { generation, temporary, mut result, .. } = done;
        if let Ok(compacted) = &mut result {
            // Before anything else can go wrong: what is known here is removed in the end.
            running.mirror = compacted.mirror.take().or(running.mirror.take());
        }
        let step = ready.and(result).and_then(|compacted| {
            if generation != self.generation {
                return Ok(Step::Again);
            }
            let Compacted { copied_to, lines, file, .. } = compacted;
            running.checkpoint_lines += lines;
            let left = self.file.end() - copied_to;
            if left > LAST_TAIL_BYTES_MAX && running.rounds < ROUNDS_MAX {
                return Ok(Step::CopyMore(copied_to, file));
            }
            self.swap(context, &temporary, file, copied_to, &mut running)
        });
        let answer = match step {
            Ok(Step::CopyMore(start, file)) => {
                running.rounds += 1;
                jobs.push(Job::Compact(CompactJob {
                    log: self.paths.name.clone(),
                    generation,
                    temporary,
                    step: CompactStep::Tail {
                        log: self.paths.log.clone(),
                        start,
                        end: self.file.end(),
                        file,
                    },
                    sync: context.sync_ever(),
                }));
                self.compaction.running = Some(running);
                return Vec::new();
            }
            Ok(Step::Done) => {
                self.remove_old(context);
                Ok(())
            }
            Ok(Step::Again) if running.tries < TRIES_MAX => {
                remove_temporaries(context, &temporary, running.mirror.take());
                match self.mend(context).and_then(|()| self.log_pending_edit(context)) {
                    Ok(()) => {
                        self.start_compaction(
                            context,
                            running.kind,
                            running.tickets,
                            running.tries + 1,
                            jobs,
                        );
                        return Vec::new();
                    }
                    Err(error) => Err(error),
                }
            }
            Ok(Step::Again) => Err(Error::log_changed_in_compaction(&self.paths.log)),
            Err(error) => Err(error),
        };
        if let Err(error) = &answer {
            remove_temporaries(context, &temporary, running.mirror.take());
            self.shelf.metrics.compacted(context.files.now_ms(), None);
            context.compaction_failed(&self.paths, error);
        }
        let next = std::mem::take(&mut self.compaction.waiting);
        if !next.is_empty() {
            self.start_compaction(context, Kind::Backup, next, 0, jobs);
        }
        running
            .tickets
            .into_iter()
            .map(|ticket| (ticket, answer.clone().map(|()| Answer::Bool(true))))
            .collect()
    }

    /// The last step, under the lock.
    fn swap(
        &mut self,
        context: &Context,
        temporary: &Path,
        mut file: Box<dyn File>,
        copied_to: u64,
        running: &mut Running,
    ) -> Result<Step> {
        let files = &*context.files;
        let old_end = self.file.end();
        if old_end > copied_to {
            copy_tail(files, &self.paths.log, &mut *file, copied_to, old_end, context.sync_ever())?;
        }
        if old_end > running.snapshot_end && self.file.mending().is_unterminated {
            file.append(b"\n")?;
            if context.sync_ever() {
                file.sync_data()?;
            }
            running.added_bytes = 1;
        }
        let new_end = file.stamp()?.size_bytes;
        // Some systems do not let others read a locked file; the folder's lock is ours.
        drop(file);
        if self.file.is_unsynced && context.sync_ever() {
            // A mirror must not be newer than what is on disk of the log.
            self.file.sync(files, &self.paths)?;
        }
        if self.mirror.is_wanted
            && (running.mirror.is_some() || !self.has_nothing_to_mirror())
            && !self.bring_mirror_to(context, running.snapshot_end, running.mirror.take())?
        {
            return Ok(Step::Again);
        }
        let backup = self.keep_backup(context, running.kind)?;
        self.file.close();
        let renamed = self.is_log_as_known(files).and_then(|is_as_known| {
            if is_as_known { files.rename(temporary, &self.paths.log).map(|()| true) } else { Ok(false) }
        });
        if renamed != Ok(true) {
            if let Some(backup) = &backup {
                // The old log is still in its place, so its second name is of no use.
                let _ = files.remove(backup);
            }
            return renamed.map(|_| Step::Again);
        }
        if let Some(backup) = &backup {
            self.rescue_late_lines(context, backup, old_end)?;
        }
        self.log_was_replaced(context, old_end, new_end, running)?;
        self.tell_compaction(context, old_end, running, backup.as_deref());
        if context.sync_ever() {
            // Until this succeeds, the next append tries it again before it is acknowledged.
            self.file.sync_folder(files, &self.paths)?;
        }
        Ok(Step::Done)
    }

    /// False when somebody who takes no lock has written to the log since it was copied.
    fn is_log_as_known(&self, files: &dyn FileSystem) -> Result<bool> {
        Ok(match (files.stamp(&self.paths.log)?, self.file.stamp()) {
            (Some(found), Some(known)) => found.is_same_content(&known),
            (found, known) => found == known,
        })
    }

    /// What somebody who takes no lock appended in the last instant before the rename is behind the known end
    /// of the old log, which has its second name. In the new log it is found like any foreign line.
    fn rescue_late_lines(&self, context: &Context, backup: &Path, old_end: u64) -> Result<()> {
        let files = &*context.files;
        let Some(mut old) = files.open_read(backup)? else { return Ok(()) };
        rescue_late(files, &mut *old, &self.paths.log, old_end, context.sync_ever())
    }

    fn tell_compaction(&self, context: &Context, old_end: u64, running: &Running, backup: Option<&Path>) {
        let duration_us = context.files.monotonic_us().saturating_sub(running.started_us);
        self.shelf.metrics.compacted(context.files.now_ms(), Some(duration_us));
        let duration_ms = duration_us / 1000;
        let details = Details::of_log(&self.paths.name)
            .number("durationMs", duration_ms)
            .number("sizeBeforeBytes", old_end)
            .number("sizeAfterBytes", self.file.end());
        let message = format!(
            "The log '{}' was compacted from {old_end} to {} bytes in {duration_ms} ms",
            self.paths.name,
            self.file.end()
        );
        context.tell("PS_COMPACTION", "", message, &details);
        if let Some(backup) = backup {
            let details = Details::of_log(&self.paths.name)
                .path("path", backup)
                .number("sizeBytes", old_end)
                .text("action", if running.kind == Kind::Archive { "archived" } else { "made" });
            let message = format!("The log as it was before is kept as '{}'", backup.display());
            context.tell("PS_BACKUP", "", message, &details);
        }
    }

    /// Gives the old log its second name.
    fn keep_backup(&self, context: &Context, kind: Kind) -> Result<Option<std::path::PathBuf>> {
        let files = &*context.files;
        if files.stamp(&self.paths.log)?.is_none() {
            return Ok(None);
        }
        let backup = free_old(files, &self.paths, kind)?;
        if files.hard_link(&self.paths.log, &backup).is_err() {
            // File systems without second names (FAT, some network shares). What is copied in part must not pass
            // for a backup, also after a crash.
            let temporary = context.temporary(&backup);
            let copied =
                files.copy(&self.paths.log, &temporary).and_then(|()| files.rename(&temporary, &backup));
            if let Err(error) = copied {
                let _ = files.remove(&temporary);
                return Err(error);
            }
        }
        Ok(Some(backup))
    }

    fn log_was_replaced(
        &mut self,
        context: &Context,
        old_end: u64,
        new_end: u64,
        running: &Running,
    ) -> Result<()> {
        let files = &*context.files;
        self.generation += 1;
        self.is_touched = true;
        self.has_written = true;
        let Some(mut log) = files.open_read(&self.paths.log)? else {
            self.distrust();
            return Ok(());
        };
        let tail_bytes = old_end - running.snapshot_end;
        let lines = running.checkpoint_lines + self.file.lines().saturating_sub(running.snapshot_lines);
        self.file.replace_by(LogFile::at(&mut *log, new_end, lines, Mending::default())?);
        self.file.is_unsynced = false;
        let checkpoint_end = new_end - tail_bytes - running.added_bytes;
        self.mirror_offsets_moved(|offset| checkpoint_end + offset.saturating_sub(running.snapshot_end));
        let known = self.mirror.known.as_ref().map(|known| (known.id, known.shows.clone()));
        if let Some((id, Shows::LogUpTo(offset))) = known {
            let mark = log_mark(&mut *log, offset)?;
            // Without the record, the log itself tells what the mirror shows.
            let _ = self.write_record(context, id, offset, mark, RecordStage::Placed);
        }
        self.publish_stamps();
        Ok(())
    }
}

enum Step {
    Done,
    /// More was appended meanwhile, from this offset on; it goes to this file.
    CopyMore(u64, Box<dyn File>),
    /// The log is not the one that the snapshot was taken from.
    Again,
}

fn remove_temporaries(context: &Context, log: &Path, mirror: Option<FreshMirror>) {
    // They are swept up later if this fails.
    let _ = context.files.remove(log);
    if let Some(mirror) = mirror {
        let _ = context.files.remove(&mirror.temporary);
    }
}
