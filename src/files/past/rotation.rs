//! Whether a log is to be rotated: the hour has struck since the last rotation and something was written since, or the
//! log is over a size and half of it is dead.
//!
//! A rotation is a compaction whose old log becomes an archive: the state stays whole. It is checked where
//! somebody asks (`Work::Maintain`, the scheduler); nothing wakes up for it.

use crate::data::json;
use crate::error::Result;
use crate::files::log::lines::LineReader;
use crate::files::log::paths::LogPaths;
use crate::files::past::old_logs::{OldLog, OldLogKind, old_logs};
use crate::files::past::schedule::is_rotation_due;
use crate::files::policy::is_compaction_due;
use crate::store::request::Maintenance;
use crate::vfs::{FileSystem, Stamp};

/// A log that may be rotated.
pub struct Rotated<'a> {
    /// Where its files are.
    pub paths: &'a LogPaths,
    /// Offset behind its last line.
    pub end: u64,
    /// Bytes of the state in it.
    pub live_bytes: u64,
    /// Its file, if there is one.
    pub stamp: Option<Stamp>,
}

impl Rotated<'_> {
    /// What a scheduler's question comes to: the kind that the log becomes, if it is to be replaced.
    pub fn due(&self, files: &dyn FileSystem, wanted: Maintenance) -> Result<Option<OldLogKind>> {
        if self.is_rotation_due(files, wanted)? {
            return Ok(Some(OldLogKind::Archive));
        }
        let is_due = is_compaction_due(self.end, self.live_bytes, wanted.threshold_bytes);
        Ok(is_due.then_some(OldLogKind::Backup))
    }

    fn is_rotation_due(&self, files: &dyn FileSystem, wanted: Maintenance) -> Result<bool> {
        if wanted
            .rotate_over_bytes
            .is_some_and(|limit_bytes| is_compaction_due(self.end, self.live_bytes, limit_bytes))
        {
            return Ok(true);
        }
        let (Some(boundary_ms), Some(stamp)) = (wanted.boundary_ms, self.stamp) else { return Ok(false) };
        let old = old_logs(files, self.paths)?;
        let mut last_rotation_ms = None;
        for archive in old.iter().filter(|old| old.kind == OldLogKind::Archive) {
            last_rotation_ms = last_rotation_ms.max(archive.made_ms(files)?);
        }
        let begins_ms = match last_rotation_ms {
            Some(_) => None,
            None => self.begins_ms(files, &old)?,
        };
        Ok(is_rotation_due(last_rotation_ms, begins_ms, stamp.modified_ns.div_euclid(1_000_000), boundary_ms))
    }

    /// Since when there is something to rotate, for a log that never was: the oldest record says so. One in the future
    /// says nothing but that the clock was ahead.
    fn begins_ms(&self, files: &dyn FileSystem, old: &[OldLog]) -> Result<Option<i64>> {
        let first_ms = match old.first() {
            Some(oldest) => Some(oldest.number),
            None => self.first_entry_ms(files)?,
        };
        let now_ms = files.now_ms();
        Ok(first_ms.map(|first_ms| if first_ms > now_ms { i64::MIN } else { first_ms }))
    }

    fn first_entry_ms(&self, files: &dyn FileSystem) -> Result<Option<i64>> {
        let Some(mut log) = files.open_read(&self.paths.log)? else { return Ok(None) };
        let mut reader = LineReader::new(&mut *log, 0, self.end, 1);
        while let Some(line) = reader.next_line()? {
            if let Some(entry) = line.entry()
                && let Some(time_ms) = entry.time().and_then(json::time_ms)
            {
                return Ok(Some(time_ms));
            }
        }
        Ok(None)
    }
}
