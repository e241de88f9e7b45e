//! What programs that take no lock append to a log while another file takes its place.
//!
//! ```text
//! old log    ══════════════╪── late ──╪─ later ─       a program that opened it before the rename
//! new log    ═ compacted ══╪── late ──┤ rename ├─ later ─
//! ```
//!
//! 1. Before the rename: what stands behind the end that was copied is copied as well, until nothing more comes.
//! 2. After the rename: the old file is checked once more, and what came between is appended to the new log.
//!
//! In the new log such lines stand behind the known end and are found there like any foreign line.
//!
//! Invariant: nothing that was in the old file at its last check is missing from the new log.

use std::path::Path;

use crate::error::Result;
use crate::files::log::bytes::copy_range;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem};

/// So often more is copied before the rename; whatever comes then is found after it.
const CHECKS_MAX: usize = 10;

/// Step 1: copies from `old` to `fresh` what stands behind `copied_to`; gives the offset up to which it has all.
pub fn copy_late(old: &mut dyn File, fresh: &mut dyn File, mut copied_to: u64) -> Result<u64> {
    for _ in 0..CHECKS_MAX {
        let end = old.stamp()?.size_bytes;
        if end <= copied_to {
            break;
        }
        copy_range(old, fresh, copied_to, end)?;
        copied_to = end;
    }
    Ok(copied_to)
}

/// Step 2: appends to the log at `path` what `old`, which was there before, has behind `copied_to`.
pub fn rescue_late(
    files: &dyn FileSystem,
    old: &mut dyn File,
    path: &Path,
    copied_to: u64,
    syncing: Syncing,
) -> Result<()> {
    if old.stamp()?.size_bytes <= copied_to {
        return Ok(());
    }
    let (mut log, _) = files.open_append(path)?;
    copy_late(old, &mut *log, copied_to)?;
    if syncing.is_on() { log.sync_data() } else { Ok(()) }
}
