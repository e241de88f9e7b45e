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
//! synced. Else an older mirror could no longer be distinguished from an edit (see `reconcile`).

use std::path::{Path, PathBuf};

use crate::data::slots::MovedPlaces;
use crate::data::state::State;
use crate::error::{Error, Result};
use crate::files::compact::job::{CompactDone, CompactJob, CompactStep, Compacted, copy_tail};
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::late::rescue_late;
use crate::files::mirror::content::FreshMirror;
use crate::files::open::open_log::{OpenLog, Replacement};
use crate::files::past::old_logs::{OldLogKind, free_old};
use crate::files::past::retain::Retainer;
use crate::files::temporary::Pace;
use crate::files::write::log_writer::LogWriter;
use crate::store::answer::Answer;
use crate::store::ticket::Ticket;
use crate::vfs::File;

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
    /// Its members, each with the offsets of its value in the old log and in the new one.
    places: MovedPlaces,
    mirror: Option<FreshMirror>,
    started_us: u64,
    /// What the old log becomes.
    kind: OldLogKind,
}

/// What follows from a step.
#[derive(Default)]
pub struct StepOutcome {
    /// Calls that are answered.
    pub answered: Vec<(Ticket, Result<Answer>)>,
    /// The next step.
    pub job: Option<CompactJob>,
}

enum Step {
    Done,
    /// More was appended meanwhile, from this offset on; it goes to this file.
    CopyMore(u64, Box<dyn File>),
    /// The log is not the one that the snapshot was taken from.
    Again,
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

    /// Starts a compaction, or another one after the one that is running.
    pub fn ask(
        &mut self,
        context: &Context,
        log: &OpenLog,
        kind: OldLogKind,
        ticket: Ticket,
    ) -> Option<CompactJob> {
        if self.is_running() {
            self.waiting.push(ticket);
            return None;
        }
        Some(self.start(context, log, kind, vec![ticket], 0))
    }

    fn start(
        &mut self,
        context: &Context,
        log: &OpenLog,
        kind: OldLogKind,
        tickets: Vec<Ticket>,
        tries: u32,
    ) -> CompactJob {
        let paths = log.paths();
        let job = CompactJob {
            log: paths.name.clone(),
            generation: log.generation(),
            temporary: context.temporary(&paths.log),
            step: CompactStep::Checkpoint {
                snapshot: log.shelf().snapshot(State::all_places),
                log_end: log.end(),
                now_ms: context.files.now_ms(),
                mirror: log.needs_mirror_for_checkpoint().then(|| context.temporary(&paths.mirror)),
                folders: paths.clone(),
            },
            syncing: context.syncing(),
        };
        // Not before there is a job: without one nobody would come back to this compaction.
        self.running = Some(Running {
            tickets,
            tries,
            rounds: 0,
            snapshot_end: log.end(),
            snapshot_lines: log.file().lines(),
            checkpoint_lines: 0,
            places: MovedPlaces::default(),
            mirror: None,
            started_us: context.files.monotonic_us(),
            kind,
        });
        job
    }

    /// Takes the result of a step. `ready` says whether the log is in step with its files, under the lock.
    pub fn step_done(
        &mut self,
        context: &Context,
        writer: &mut LogWriter,
        done: CompactDone,
        ready: Result<()>,
    ) -> StepOutcome {
        let Some(mut running) = self.running.take() else { return StepOutcome::default() };
        let CompactDone { generation, temporary, mut result, .. } = done;
        if let Ok(compacted) = &mut result {
            // Before anything else can go wrong: what is known here is removed in the end.
            running.mirror = compacted.mirror.take().or(running.mirror.take());
        }
        let is_same_log = generation == writer.log().generation();
        let step = ready.and(result).and_then(|compacted| {
            if is_same_log { running.next(context, writer, &temporary, compacted) } else { Ok(Step::Again) }
        });
        let answer = match step {
            Ok(Step::CopyMore(start, file)) => {
                running.rounds += 1;
                let job = copy_more(context, writer.log(), temporary, start, file);
                self.running = Some(running);
                return StepOutcome { answered: Vec::new(), job: Some(job) };
            }
            Ok(Step::Done) => {
                Retainer::remove_old(context, writer.log().paths(), &writer.log().shelf().metrics);
                Ok(())
            }
            Ok(Step::Again) if running.tries < TRIES_MAX => {
                remove_temporaries(context, &temporary, running.mirror.take());
                match writer.mend(context).and_then(|()| writer.log_pending_edit(context)) {
                    Ok(()) => {
                        let Running { kind, tickets, tries, .. } = running;
                        let job = self.start(context, writer.log(), kind, tickets, tries + 1);
                        return StepOutcome { answered: Vec::new(), job: Some(job) };
                    }
                    Err(error) => Err(error),
                }
            }
            Ok(Step::Again) => Err(Error::log_changed_in_compaction(&writer.log().paths().log)),
            Err(error) => Err(error),
        };
        if let Err(error) = &answer {
            remove_temporaries(context, &temporary, running.mirror.take());
            failed(context, writer.log(), error);
        }
        let next = std::mem::take(&mut self.waiting);
        let job = (!next.is_empty()).then(|| self.start(context, writer.log(), OldLogKind::Backup, next, 0));
        let answer = |ticket| (ticket, answer.clone().map(|()| Answer::Bool(true)));
        StepOutcome { answered: running.tickets.into_iter().map(answer).collect(), job }
    }
}

/// Counts a compaction that failed, and notifies of it.
pub fn failed(context: &Context, log: &OpenLog, error: &Error) {
    log.shelf().metrics.compacted(context.files.now_ms(), None);
    context.notify(log.paths(), &Event::CompactionFailed { error });
}

fn copy_more(
    context: &Context,
    log: &OpenLog,
    temporary: PathBuf,
    start: u64,
    file: Box<dyn File>,
) -> CompactJob {
    CompactJob {
        log: log.paths().name.clone(),
        generation: log.generation(),
        temporary,
        step: CompactStep::Tail { log: log.paths().log.clone(), start, end: log.end(), file },
        syncing: context.syncing(),
    }
}

impl Running {
    /// Copies more beside, or takes the last step.
    fn next(
        &mut self,
        context: &Context,
        writer: &mut LogWriter,
        temporary: &Path,
        compacted: Compacted,
    ) -> Result<Step> {
        let Compacted { copied_to, lines, places, file, .. } = compacted;
        self.checkpoint_lines += lines;
        if let Some(places) = places {
            self.places = places;
        }
        if writer.log().unfinished().is_some() {
            // In the new log nobody would know any more that it lacks something.
            writer.log_pending_edit(context)?;
        }
        let Some(left) = writer.log().end().checked_sub(copied_to) else { return Ok(Step::Again) };
        if left > LAST_TAIL_BYTES_MAX && self.rounds < ROUNDS_MAX {
            return Ok(Step::CopyMore(copied_to, file));
        }
        self.swap(context, writer.log_mut(), temporary, file, copied_to)
    }

    /// The last step, under the lock.
    fn swap(
        &mut self,
        context: &Context,
        log: &mut OpenLog,
        temporary: &Path,
        file: Box<dyn File>,
        copied_to: u64,
    ) -> Result<Step> {
        let files = &*context.files;
        let old_end = log.end();
        let Some(new) = self.complete(context, log, file, copied_to)? else { return Ok(Step::Again) };
        if log.file().is_unsynced() && context.syncing().is_on() {
            // A mirror must not be newer than what is on disk of the log.
            log.sync(context)?;
        }
        if !log.bring_mirror_to(context, self.snapshot_end, self.mirror.take())? {
            return Ok(Step::Again);
        }
        let backup = keep_backup(context, log, self.kind)?;
        log.close();
        // Without a backup, this is its last name.
        let _old = if backup.is_none() { files.free_beside(&log.paths().log) } else { None };
        let renamed = log.is_log_as_known(context).and_then(|is_as_known| {
            if is_as_known { files.rename(temporary, &log.paths().log).map(|()| true) } else { Ok(false) }
        });
        if renamed != Ok(true) {
            if let Some(backup) = &backup {
                // The old log is still in its place, so its second name is of no use.
                let _ = files.remove(backup);
            }
            return renamed.map(|_| Step::Again);
        }
        if let Some(backup) = &backup {
            rescue_late_lines(context, log, backup, old_end)?;
        }
        log.was_replaced(context, &new)?;
        self.notify(context, log, old_end, backup.as_deref());
        if context.syncing().is_on() {
            // Until this succeeds, the next append tries it again before it is acknowledged.
            log.sync_folder(context)?;
        }
        Ok(Step::Done)
    }

    /// Copies the last lines to the new log, so that it has all. `None` where the old or the new one has become shorter
    /// meanwhile: what it had is not known any more.
    fn complete(
        &mut self,
        context: &Context,
        log: &OpenLog,
        mut file: Box<dyn File>,
        copied_to: u64,
    ) -> Result<Option<Replacement>> {
        let syncing = context.syncing();
        let old_end = log.end();
        let Some(copied_bytes) = old_end.checked_sub(self.snapshot_end) else { return Ok(None) };
        if old_end > copied_to {
            let pace = Pace::awaited(syncing);
            copy_tail(&*context.files, &log.paths().log, &mut *file, copied_to..old_end, pace)?;
        }
        let mut added_bytes = 0;
        if copied_bytes > 0 && log.file().mending().is_unterminated {
            file.append(b"\n")?;
            if syncing.is_on() {
                file.sync_data()?;
            }
            added_bytes = 1;
        }
        // The file is closed here: some systems do not let others read a locked one, and the folder's lock is ours.
        let end = file.stamp()?.size_bytes;
        let lines = self.checkpoint_lines + log.file().lines().saturating_sub(self.snapshot_lines);
        let checkpoint_end = end.checked_sub(copied_bytes + added_bytes);
        let snapshot_end = self.snapshot_end;
        let checkpoint = std::mem::take(&mut self.places);
        Ok(checkpoint_end.map(|checkpoint_end| Replacement {
            snapshot_end,
            checkpoint_end,
            end,
            lines,
            checkpoint,
        }))
    }

    fn notify(&self, context: &Context, log: &OpenLog, before_bytes: u64, backup: Option<&Path>) {
        let duration_us = context.files.monotonic_us().saturating_sub(self.started_us);
        log.shelf().metrics.compacted(context.files.now_ms(), Some(duration_us));
        let (after_bytes, duration_ms) = (log.end(), duration_us / 1000);
        context.notify(log.paths(), &Event::Compacted { before_bytes, after_bytes, duration_ms });
        if let Some(path) = backup {
            let action = if self.kind == OldLogKind::Archive { "archived" } else { "made" };
            context.notify(log.paths(), &Event::BackupMade { path, size_bytes: before_bytes, action });
        }
    }
}

/// What somebody who takes no lock appended in the last instant before the rename is behind the known end
/// of the old log, which has its second name. In the new log it is found like any foreign line.
fn rescue_late_lines(context: &Context, log: &OpenLog, backup: &Path, old_end: u64) -> Result<()> {
    let files = &*context.files;
    let Some(mut old) = files.open_read(backup)? else { return Ok(()) };
    rescue_late(files, &mut *old, &log.paths().log, old_end, context.syncing())
}

/// Gives the old log its second name.
fn keep_backup(context: &Context, log: &OpenLog, kind: OldLogKind) -> Result<Option<PathBuf>> {
    let (files, path) = (&*context.files, &log.paths().log);
    if files.stamp(path)?.is_none() {
        return Ok(None);
    }
    let backup = free_old(files, log.paths(), kind)?;
    if files.hard_link(path, &backup).is_err() {
        // File systems without second names (FAT, some network shares). What is copied in part must not pass
        // for a backup, also after a crash.
        let temporary = context.temporary(&backup);
        let copied = files.copy(path, &temporary).and_then(|()| files.rename(&temporary, &backup));
        if let Err(error) = copied {
            let _ = files.remove(&temporary);
            return Err(error);
        }
    }
    Ok(Some(backup))
}

fn remove_temporaries(context: &Context, log: &Path, mirror: Option<FreshMirror>) {
    // They are swept up later if this fails.
    let _ = context.files.remove(log);
    if let Some(mirror) = mirror {
        let _ = context.files.remove(&mirror.temporary);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::name::LogName;
    use crate::files::log::paths::LogPaths;
    use crate::files::options::Options;
    use crate::files::shelf::Shelf;
    use crate::store::event::{Notice, NoticeSink};
    use crate::vfs::RealFileSystem;

    struct Silent;

    impl NoticeSink for Silent {
        fn notify(&self, _: Notice) {}
    }

    fn running(snapshot_end: u64) -> Running {
        Running {
            tickets: Vec::new(),
            tries: 0,
            rounds: 0,
            snapshot_end,
            snapshot_lines: 1,
            checkpoint_lines: 1,
            places: MovedPlaces::default(),
            mirror: None,
            started_us: 0,
            kind: OldLogKind::Backup,
        }
    }

    /// The log here is empty: its end is 0.
    #[test]
    fn a_log_that_has_become_shorter_is_compacted_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Arc::new(RealFileSystem::new());
        let context = Context::new(files, folder.path().to_owned(), Options::default(), Arc::new(Silent));
        let paths = LogPaths::new(folder.path(), &LogName::new("players").expect("a name"));
        paths.create_folders(&*context.files, context.syncing()).expect("folders");
        let mut writer = LogWriter::new(OpenLog::new(paths.clone(), Arc::new(Shelf::new(paths.clone()))));
        let temporary = context.temporary(&paths.log);
        let fresh = || context.files.create(&temporary).expect("a file");

        let complete = |snapshot_end, file| {
            let new = running(snapshot_end).complete(&context, writer.log(), file, snapshot_end);
            new.expect("a readable log").map(|new| new.checkpoint_end)
        };
        assert_eq!(complete(0, fresh()), Some(0));
        assert_eq!(complete(1, fresh()), None, "shorter than the snapshot");

        let compacted = Compacted { copied_to: 1, mirror: None, lines: 1, places: None, file: fresh() };
        let step = running(0).next(&context, &mut writer, &temporary, compacted);
        assert!(matches!(step, Ok(Step::Again)), "shorter than what was copied");
    }
}
