//! Long work that runs beside the writer, from snapshots and files of its own, and comes back to it
//! as a result.
//!
//! Invariant: a job makes and changes only files that no other process knows (temporary ones), and
//! removes them when it fails; a copy of the folder, in the folder that was given for it.

use crate::data::name::LogName;
use crate::error::Error;
use crate::files::compact::job::{CompactDone, CompactJob};
use crate::files::folder_copy::FolderCopy;
use crate::files::index::index_job::{IndexDone, IndexJob};
use crate::files::mirror::job::{MirrorDone, MirrorJob};
use crate::files::numbers_read::ReadNumbers;
use crate::files::past::compress::{CompressDone, CompressJob};
use crate::files::read_job::{HeldMembers, ReadAgain, ReadDone, ReadJob};
use crate::store::ticket::Ticket;
use crate::vfs::FileSystem;

/// Work for another thread.
pub enum Job {
    /// Answer a read.
    Read(ReadJob, Ticket),
    /// Copy the folder.
    Copy(FolderCopy, Ticket),
    /// Write a mirror beside its place.
    Mirror(MirrorJob),
    /// Write a compacted log beside its place.
    Compact(CompactJob),
    /// Compress an old log beside its place.
    Compress(CompressJob),
    /// Write an index beside its place.
    Index(IndexJob),
}

/// The result of a job, for the writer.
pub enum JobDone {
    /// A mirror was written, and took this long.
    Mirror(MirrorDone),
    /// A step of a compaction was taken.
    Compact(CompactDone),
    /// An old log was compressed.
    Compress(CompressDone),
    /// An index was written.
    Index(IndexDone),
    /// What was read may stay in memory.
    Held(HeldMembers),
    /// The numbers of a field were read, and may be kept.
    Numbers(ReadNumbers),
    /// A read has to be made anew.
    Read(ReadAgain, Ticket),
}

impl Job {
    /// Does the work. Answers reads and copies; other results go to the writer.
    pub fn run(self, files: &dyn FileSystem) -> Option<JobDone> {
        match self {
            Self::Read(job, ticket) => {
                match job.run(files) {
                    ReadDone::Answered(answer) => ticket.answer(answer).flush(),
                    ReadDone::Held(answer, held) => {
                        ticket.answer(answer).flush();
                        return Some(JobDone::Held(held));
                    }
                    ReadDone::Numbers(answer, numbers) => {
                        ticket.answer(Ok(answer)).flush();
                        return Some(JobDone::Numbers(numbers));
                    }
                    ReadDone::Moved(again) => return Some(JobDone::Read(again, ticket)),
                }
                None
            }
            Self::Copy(copy, ticket) => {
                ticket.answer(copy.run(files)).flush();
                None
            }
            Self::Mirror(job) => Some(JobDone::Mirror(job.run(files))),
            Self::Compact(job) => Some(JobDone::Compact(job.run(files))),
            Self::Compress(job) => Some(JobDone::Compress(job.run(files))),
            Self::Index(job) => Some(JobDone::Index(job.run(files))),
        }
    }

    /// What the writer hears of this job should it panic; a ticket answers for itself.
    #[must_use]
    pub fn lost(&self) -> Option<JobDone> {
        let error = || Error::internal("work beside the calls was broken off");
        match self {
            Self::Read(..) | Self::Copy(..) => None,
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
            Self::Index(job) => Some(JobDone::Index(IndexDone {
                log: job.paths.name.clone(),
                generation: job.generation,
                temporary: job.temporary.clone(),
                end: 0,
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

impl JobDone {
    /// Whether it is of a read: for no file.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Read(..) | Self::Numbers(_) | Self::Held(_))
    }

    /// Whose job it was.
    #[must_use]
    pub fn log(&self) -> &LogName {
        match self {
            Self::Mirror(done) => &done.log,
            Self::Compact(done) => &done.log,
            Self::Compress(done) => &done.log,
            Self::Index(done) => &done.log,
            Self::Held(held) => &held.log,
            Self::Numbers(numbers) => &numbers.log,
            Self::Read(again, _) => &again.log,
        }
    }
}
