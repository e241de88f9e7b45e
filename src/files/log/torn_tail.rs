//! What a crash leaves of an append: bytes behind the last whole line. They are kept aside and cut off.
//!
//! ```text
//! log      ├──────────── whole lines ─────────────┤ end │ torn tail
//! aside                                                  └───────────> NAME.log.torn.N
//! ```
//!
//! 1. Copy the tail to `NAME.log.torn.N`, and sync that.
//! 2. Cut the log at its end, if nobody has appended to the tail since.
//! 3. Remove what is aside but for the newest.
//!
//! Invariant: no byte of the tail is cut off before it is aside.

use std::path::Path;

use crate::error::Result;
use crate::files::log::bytes::{copy_range, end_of_content};
use crate::files::log::mending::Mended;
use crate::files::log::paths::LogPaths;
use crate::vfs::FileSystem;
use crate::vfs::Syncing;

/// So many torn tails are kept.
const KEPT_MAX: usize = 3;

/// See the header of this file.
#[derive(Clone, Copy, Debug)]
pub struct TornTail {
    /// Offset behind the last whole line.
    pub end: u64,
    /// Bytes behind that.
    pub bytes: u64,
}

impl TornTail {
    /// Moves the tail to `NAME.log.torn.N`, unless somebody has appended to it since.
    pub fn set_aside(self, files: &dyn FileSystem, paths: &LogPaths, syncing: Syncing) -> Result<Mended> {
        let aside = paths.free_sibling(files, "torn")?;
        let cut = self.copy_to(files, paths, syncing, &aside).and_then(|()| {
            // The last check comes just before the cut: no system call does both at once.
            let found = files.stamp(&paths.log)?;
            let is_as_read = found.is_none_or(|found| found.size_bytes == self.end + self.bytes);
            if is_as_read {
                files.truncate(&paths.log, self.end, syncing)?;
            }
            Ok(is_as_read)
        });
        if cut != Ok(true) {
            // Each further try keeps it again, so one that is still in the log is not kept beside it.
            let found = files.stamp(&paths.log);
            if found.is_ok_and(|found| found.is_some_and(|found| found.size_bytes > self.end)) {
                let _ = files.remove(&aside);
            }
            return cut.map(|_| Mended::Outdated);
        }
        // One too many does no harm.
        let _ = paths.prune(files, "torn", KEPT_MAX);
        Ok(Mended::Whole)
    }

    fn copy_to(self, files: &dyn FileSystem, paths: &LogPaths, syncing: Syncing, aside: &Path) -> Result<()> {
        let Some(mut log) = files.open_read(&paths.log)? else { return Ok(()) };
        let mut kept = files.create_like(aside, &paths.log)?;
        let torn_end = self.end + self.bytes;
        let content_end = end_of_content(&mut *log, self.end, torn_end)?;
        copy_range(&mut *log, &mut *kept, self.end, content_end)?;
        if content_end < torn_end {
            // Zeros that were never written take no room on the disk, and need none here.
            files.truncate(aside, self.bytes, Syncing::Off)?;
        }
        if syncing.is_on() {
            kept.sync_data()?;
            files.sync_dir(&paths.logs_folder)?;
        }
        Ok(())
    }
}
