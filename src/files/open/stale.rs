//! Which mirrors on disk are behind their logs, whoever left them so: a process that was killed before a large mirror
//! was written, or one that only appended.
//!
//! A mirror is current if its record says so: it shows the log up to its end, and is the file that the record speaks
//! of. Anything else is checked by `finish`.
//!
//! Invariant: nothing is read but names, stamps and records.

use crate::data::name::LogName;
use crate::error::Result;
use crate::files::log::paths::LogPaths;
use crate::files::mirror::record::MirrorRecord;
use crate::vfs::FileSystem;

/// Which logs have a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// This one, in any case.
    Always,
    /// This one, if its record says so.
    ByRecord,
}

/// Whether the mirror of a log may be behind it.
pub fn is_stale(files: &dyn FileSystem, paths: &LogPaths, mirrored: Mirrored) -> Result<bool> {
    let Some(log) = files.stamp(&paths.log)? else { return Ok(false) };
    let mirror = files.stamp(&paths.mirror)?;
    Ok(match MirrorRecord::read(files, paths)? {
        Some(record) => {
            record.log_end != log.size_bytes
                || record.placed().is_none()
                || !mirror.is_some_and(|found| record.mirror.stamp.is_same_content(&found))
        }
        None => mirrored == Mirrored::Always && mirror.is_some(),
    })
}

/// The logs of a data folder.
pub fn logs_in(files: &dyn FileSystem, logs_folder: &std::path::Path) -> Result<Vec<LogName>> {
    let names = files.list(logs_folder)?;
    Ok(names.iter().filter_map(|name| LogName::new(name.strip_suffix(".log")?).ok()).collect())
}
