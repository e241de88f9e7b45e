//! Writing an index beside the writer, while the log grows.
//!
//! Invariant: a job makes and changes only a temporary file of its own, which it removes when it fails.

use std::path::PathBuf;

use crate::data::name::LogName;
use crate::data::slots::Places;
use crate::error::Result;
use crate::files::index::index_bytes::{IndexedLog, append_index};
use crate::files::log::paths::LogPaths;
use crate::files::temporary::create_held;
use crate::vfs::{File, FileSystem};

/// An index that is to be written.
pub struct IndexJob {
    /// Whose log.
    pub paths: LogPaths,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// Where to write.
    pub temporary: PathBuf,
    /// The log.
    pub log: IndexedLog,
    /// What it comes to.
    pub places: Places,
}

/// Result of an `IndexJob`.
pub struct IndexDone {
    /// Whose log.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// What was written.
    pub temporary: PathBuf,
    /// Where the log ended.
    pub end: u64,
    /// The file, open and locked, and its size.
    pub result: Result<(Box<dyn File>, u64)>,
}

impl IndexJob {
    /// Writes it.
    pub fn run(self, files: &dyn FileSystem) -> IndexDone {
        let Self { paths, generation, temporary, log, places } = self;
        let written = || {
            let mut file = create_held(files, &temporary, &paths.log)?;
            let members = || places.iter().map(|(member, offset)| (member, *offset));
            let size_bytes = append_index(&mut *file, &log, places.len(), members)?;
            Ok((file, size_bytes))
        };
        let result = written();
        if result.is_err() {
            // Of no use any more; swept up later if this fails.
            let _ = files.remove(&temporary);
        }
        IndexDone { log: paths.name, generation, temporary, end: log.end, result }
    }
}
