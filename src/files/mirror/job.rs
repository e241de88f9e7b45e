//! Writing a large mirror beside its place, from a snapshot and beside the writer.
//!
//! Invariant: only a file that no other process knows is made; it is removed when writing it fails.

use std::path::PathBuf;

use crate::data::name::LogName;
use crate::error::Result;
use crate::files::mirror::content::{FreshMirror, write_large};
use crate::files::temporary::Pace;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::vfs::FileSystem;
use crate::vfs::Syncing;

/// A mirror that is to be written.
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
    pub snapshot: SlotSnapshot,
    /// The log's offset that it shows.
    pub log_end: u64,
    /// `LogFile::mark` at that offset.
    pub log_mark: u64,
    /// Whether it must be on disk in the end.
    pub syncing: Syncing,
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

impl MirrorJob {
    /// Writes it.
    pub fn run(self, files: &dyn FileSystem) -> MirrorDone {
        let started_ms = files.monotonic_ms();
        let result = write_large(
            files,
            self.temporary,
            &self.mirror,
            &mut self.snapshot.members(),
            self.log_end,
            Pace::beside(self.syncing),
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
