//! Long work that runs beside the writer, from snapshots and files of its own, and comes back to it
//! as a result.
//!
//! Invariant: a job makes and changes only files that no other process knows (temporary ones), and
//! removes them when it fails.

use std::path::{Path, PathBuf};

use crate::data::name::LogName;
use crate::data::state::{Member, Snapshot};
use crate::data::text::object_of;
use crate::error::{Error, Result};
use crate::files::log::entry::Encoder;
use crate::files::log::file::{LogPaths, copy_range};
use crate::files::log::read::all_entries;
use crate::files::log::replay::replay;
use crate::files::mirror::content::{FreshMirror, Pace, create_held, write_large};
use crate::files::past::history::Past;
use crate::files::past::old_logs::OldLog;
use crate::files::past::retain::compress;
use crate::files::write::commit::{CHECKPOINT_LINE_BYTES, chunks};
use crate::store::answer::Answer;
use crate::store::query::Query;
use crate::store::ticket::Ticket;
use crate::vfs::{File, FileSystem};

/// Work for another thread.
pub enum Job {
    /// Answer a read.
    Read(ReadJob, Ticket),
    /// Write a mirror beside its place.
    Mirror(MirrorJob),
    /// Write a compacted log beside its place.
    Compact(CompactJob),
    /// Compress an old log beside its place.
    Compress(CompressJob),
}

/// A read that takes long.
pub enum ReadJob {
    /// An answer that is there already.
    Answer(Answer),
    /// An answer from a whole state.
    Whole(Snapshot, Query),
    /// The object that the log up to this end comes to.
    Rebuild(Option<Box<dyn File>>, u64),
    /// The object that the log came to at this point in time.
    StateAt(Past, i64),
    /// Every recorded value of a key literal.
    History(Past, String),
    /// Every entry up to this end.
    Entries(Option<Box<dyn File>>, u64),
}

/// See `Job::Mirror`.
pub struct MirrorJob {
    /// Whose mirror.
    pub log: LogName,
    /// Generation of the log that the snapshot belongs to.
    pub generation: u64,
    /// Where to write it.
    pub temporary: PathBuf,
    /// Where it will stand.
    pub mirror: PathBuf,
    /// What to write.
    pub snapshot: Snapshot,
    /// The log's offset that it shows.
    pub log_end: u64,
    /// `LogFile::mark` at that offset.
    pub log_mark: u64,
    /// Whether it must be on disk in the end.
    pub sync: bool,
}

/// See `Job::Compact`.
pub struct CompactJob {
    /// Whose log.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// Where to write.
    pub temporary: PathBuf,
    /// What to do next.
    pub step: CompactStep,
    /// Whether it must be on disk in the end.
    pub sync: bool,
}

/// A step of a compaction.
pub enum CompactStep {
    /// Write the checkpoint, and a mirror that is as new.
    Checkpoint {
        /// The state at `log_end`.
        snapshot: Snapshot,
        /// Offset in the old log.
        log_end: u64,
        /// When the compaction began, for `compactedAt`.
        now_ms: i64,
        /// Where to write the mirror, if one is needed.
        mirror: Option<PathBuf>,
        /// The log's folders, which may be missing.
        folders: LogPaths,
    },
    /// Copy entries that arrived meanwhile.
    Tail {
        /// The old log.
        log: PathBuf,
        /// From here.
        start: u64,
        /// To here.
        end: u64,
        /// The new log.
        file: Box<dyn File>,
    },
}

/// See `Job::Compress`.
pub struct CompressJob {
    /// Whose old log.
    pub log: LogName,
    /// Where to write.
    pub temporary: PathBuf,
    /// What to compress.
    pub old: OldLog,
    /// Whether it must be on disk in the end.
    pub sync: bool,
}

/// Result of a `CompressJob`.
pub struct CompressDone {
    /// Whose old log.
    pub log: LogName,
    /// What was compressed.
    pub old: OldLog,
    /// What was written.
    pub temporary: PathBuf,
    /// The file, open and locked.
    pub result: Result<Box<dyn File>>,
}

impl CompressJob {
    fn run(self, files: &dyn FileSystem) -> CompressDone {
        let Self { log, temporary, old, sync } = self;
        let result = compress(files, &old, &temporary, sync);
        CompressDone { log, old, temporary, result }
    }
}

/// The result of a job, for the writer.
pub enum JobDone {
    /// A mirror was written, and took this long.
    Mirror(MirrorDone),
    /// A step of a compaction was taken.
    Compact(CompactDone),
    /// An old log was compressed.
    Compress(CompressDone),
}

/// Result of a `MirrorJob`.
pub struct MirrorDone {
    /// Whose mirror.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// `LogFile::mark` at its offset.
    pub log_mark: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// The mirror.
    pub result: Result<FreshMirror>,
}

/// Result of a `CompactJob`.
pub struct CompactDone {
    /// Whose log.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// What was written.
    pub temporary: PathBuf,
    /// The new log so far.
    pub result: Result<Compacted>,
}

/// A new log that is being made.
pub struct Compacted {
    /// Offset in the old log up to which the new one has everything.
    pub copied_to: u64,
    /// A mirror that is at least as new as the checkpoint, if one was written.
    pub mirror: Option<FreshMirror>,
    /// Lines of checkpoint that were written.
    pub lines: u64,
    /// The file, open and locked.
    pub file: Box<dyn File>,
}

impl Job {
    /// Does the work. Answers reads; other results go to the writer.
    pub fn run(self, files: &dyn FileSystem) -> Option<JobDone> {
        match self {
            Self::Read(job, ticket) => {
                ticket.answer(job.run(files)).flush();
                None
            }
            Self::Mirror(job) => Some(JobDone::Mirror(job.run(files))),
            Self::Compact(job) => Some(JobDone::Compact(job.run(files))),
            Self::Compress(job) => Some(JobDone::Compress(job.run(files))),
        }
    }

    /// What the writer hears of this job should it panic; a read's ticket answers for itself.
    #[must_use]
    pub fn lost(&self) -> Option<JobDone> {
        let error = || Error::internal("work beside the calls was broken off");
        match self {
            Self::Read(..) => None,
            Self::Mirror(job) => Some(JobDone::Mirror(MirrorDone {
                log: job.log.clone(),
                generation: job.generation,
                log_mark: job.log_mark,
                duration_ms: 0,
                result: Err(error()),
            })),
            Self::Compact(job) => Some(JobDone::Compact(CompactDone {
                log: job.log.clone(),
                generation: job.generation,
                temporary: job.temporary.clone(),
                result: Err(error()),
            })),
            Self::Compress(job) => Some(JobDone::Compress(CompressDone {
                log: job.log.clone(),
                old: job.old.clone(),
                temporary: job.temporary.clone(),
                result: Err(error()),
            })),
        }
    }

    /// Reads have a thread of their own, so that they do not wait for a compaction.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Read(..))
    }
}

impl ReadJob {
    fn run(self, files: &dyn FileSystem) -> Result<Answer> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::Whole(snapshot, query) => Ok(query.of_members(snapshot.iter())),
            Self::Rebuild(None, _) => Ok(Answer::Texts(object_of([].iter()))),
            Self::Rebuild(Some(mut log), end) => {
                let replayed = replay(&mut *log, end)?;
                Ok(Answer::Texts(object_of(replayed.state.iter())))
            }
            Self::StateAt(past, at_ms) => past.state_at(files, at_ms).map(Answer::Texts),
            Self::History(past, key) => past.of_key(files, &key).map(Answer::Texts),
            Self::Entries(log, end) => all_entries(log, end).map(Answer::Texts),
        }
    }
}

impl MirrorJob {
    fn run(self, files: &dyn FileSystem) -> MirrorDone {
        let started_ms = files.monotonic_ms();
        let result = write_large(
            files,
            self.temporary,
            &self.mirror,
            &self.snapshot,
            self.log_end,
            Pace::beside(self.sync),
        );
        MirrorDone {
            log: self.log,
            generation: self.generation,
            log_mark: self.log_mark,
            duration_ms: files.monotonic_ms() - started_ms,
            result,
        }
    }
}

impl CompactJob {
    fn run(self, files: &dyn FileSystem) -> CompactDone {
        let Self { log, generation, temporary, step, sync } = self;
        let result = match step {
            CompactStep::Checkpoint { snapshot, log_end, now_ms, mirror, folders } => {
                folders.create_folders(files, sync).and_then(|()| {
                    let (file, lines) = checkpoint(files, &temporary, &folders.log, &snapshot, now_ms, sync)?;
                    let mirror = mirror
                        .map(|path| {
                            write_large(files, path, &folders.mirror, &snapshot, log_end, Pace::beside(sync))
                        })
                        .transpose()?;
                    Ok(Compacted { copied_to: log_end, mirror, lines, file })
                })
            }
            CompactStep::Tail { log, start, end, mut file } => {
                copy_tail(files, &log, &mut *file, start, end, sync).map(|()| Compacted {
                    copied_to: end,
                    mirror: None,
                    lines: 0,
                    file,
                })
            }
        };
        if result.is_err() {
            // Of no use any more; the log itself is as it was.
            let _ = files.remove(&temporary);
        }
        CompactDone { log, generation, temporary, result }
    }
}

/// Writes the checkpoint; gives the open file and the number of lines.
fn checkpoint(
    files: &dyn FileSystem,
    path: &Path,
    log: &Path,
    snapshot: &Snapshot,
    now_ms: i64,
    sync: bool,
) -> Result<(Box<dyn File>, u64)> {
    let mut file = create_held(files, path, log)?;
    let mut parts = chunks(snapshot.clone(), CHECKPOINT_LINE_BYTES);
    if parts.is_empty() {
        parts.push(Vec::new());
    }
    let pace = Pace::beside(sync && parts.len() > 1);
    let mut line = Vec::new();
    // Each line says how many follow, so one that is missing at the end is noticed. It needs no END: all of it is synced
    // before the file is in its place.
    for (number, part) in parts.iter().enumerate() {
        let more = parts.len() - 1 - number;
        line.clear();
        Encoder::new(&mut line).checkpoint(now_ms, part.iter().map(Member::text), more as u64);
        file.append(&line)?;
        pace.rest(files, &mut *file)?;
    }
    if sync {
        file.sync_data()?;
    }
    Ok((file, parts.len() as u64))
}

/// Appends the bytes `start..end` of `log` to `to`.
///
/// # Errors
/// The system's.
pub fn copy_tail(
    files: &dyn FileSystem,
    log: &Path,
    to: &mut dyn File,
    start: u64,
    end: u64,
    sync: bool,
) -> Result<()> {
    let Some(mut from) = files.open_read(log)? else {
        return Err(Error::log_removed_in_compaction(log));
    };
    copy_range(&mut *from, to, start, end)?;
    if sync { to.sync_data() } else { Ok(()) }
}
