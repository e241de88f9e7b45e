//! Compressing an old log beside its place, beside the writer.

use std::path::PathBuf;

use crate::data::name::LogName;
use crate::error::Result;
use crate::files::past::gzip::compress;
use crate::files::past::old_logs::OldLog;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem};

/// An old log that is to be compressed.
pub struct CompressJob {
    /// Whose old log.
    pub log: LogName,
    /// Where to write.
    pub temporary: PathBuf,
    /// What to compress.
    pub old: OldLog,
    /// Whether it must be on disk in the end.
    pub syncing: Syncing,
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
    /// Compresses it.
    pub fn run(self, files: &dyn FileSystem) -> CompressDone {
        let Self { log, temporary, old, syncing } = self;
        let result = compress(files, &old.path, &temporary, syncing);
        CompressDone { log, old, temporary, result }
    }
}
