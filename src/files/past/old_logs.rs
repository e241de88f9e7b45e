//! The logs that a log has left behind: backups and archives, plain or compressed.
//!
//! ```text
//! NAME.log.backup.N      the log before a compaction at N (milliseconds since 1970)
//! NAME.log.archive.N     the log before a rotation at N
//!              …N.gz     the same, compressed
//! ```
//!
//! Each begins with the checkpoint that the one before it was compacted to, so together with the log they hold
//! everything that happened since the oldest of them, in the order of N.
//!
//! Invariant: where both forms of one are there (a crash between making the compressed one and removing the plain
//! one), it counts once, as the plain one.

use std::path::PathBuf;

use crate::error::Result;
use crate::files::log::paths::{COMPRESSED_ENDING, LogPaths, Sibling};
use crate::files::log::replay::replay;
use crate::files::metrics::LogMetrics;
use crate::files::past::gzip::Unzipped;
use crate::files::retention::OldFile;
use crate::vfs::{File, FileSystem};

/// What an old log was left behind by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldLogKind {
    /// A compaction.
    Backup,
    /// A rotation.
    Archive,
}

impl OldLogKind {
    /// As it stands in the file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Archive => "archive",
        }
    }
}

/// A log that was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldLog {
    /// Milliseconds since 1970, or a little more where two would get the same.
    pub number: i64,
    /// By what it was left behind.
    pub kind: OldLogKind,
    /// The plain file's path, whether it is there or not.
    pub path: PathBuf,
    /// Whether there is only the compressed one.
    pub is_compressed: bool,
}

impl OldLog {
    /// The compressed file's path.
    pub fn compressed_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(COMPRESSED_ENDING);
        PathBuf::from(path)
    }

    /// When it was left behind, in milliseconds since 1970. Its number says that, unless the clock was ahead when that or
    /// an earlier one was made; then the file's times do. `None` where they are in the future as well.
    pub fn made_ms(&self, files: &dyn FileSystem) -> Result<Option<i64>> {
        let now_ms = files.now_ms();
        if self.number <= now_ms {
            return Ok(Some(self.number));
        }
        let Some(stamp) = files.stamp(&self.found_path())? else { return Ok(None) };
        let times_ms = [stamp.changed_ns, stamp.modified_ns].map(|ns| ns.div_euclid(1_000_000));
        Ok(times_ms.into_iter().filter(|ms| *ms <= now_ms).max())
    }

    /// The path of the file that is there.
    pub fn found_path(&self) -> PathBuf {
        if self.is_compressed { self.compressed_path() } else { self.path.clone() }
    }

    /// Opens it, in whichever form it has by now; `None` when it is gone.
    pub fn open(&self, files: &dyn FileSystem) -> Result<Option<Box<dyn File>>> {
        if let Some(plain) = files.open_read(&self.path)? {
            return Ok(Some(plain));
        }
        let path = self.compressed_path();
        Ok(files.open_read(&path)?.map(|file| Unzipped::boxed(file, path)))
    }
}

/// The old logs of a log, oldest first.
pub fn old_logs(files: &dyn FileSystem, paths: &LogPaths) -> Result<Vec<OldLog>> {
    let names = files.list(&paths.logs_folder)?;
    let mut found: Vec<OldLog> = Vec::new();
    for kind in [OldLogKind::Backup, OldLogKind::Archive] {
        for sibling in names.iter().filter_map(|name| paths.parse_sibling(name, kind.name())) {
            let Sibling { number, is_compressed } = sibling;
            let path = paths.log_sibling(kind.name(), number);
            match found.iter_mut().find(|known| known.path == path) {
                Some(known) => known.is_compressed &= is_compressed,
                None => found.push(OldLog { number, kind, path, is_compressed }),
            }
        }
    }
    found.sort_by_key(|old| old.number);
    Ok(found)
}

/// The same, and what decisions need of each.
pub fn described_old_logs(files: &dyn FileSystem, paths: &LogPaths) -> Result<(Vec<OldLog>, Vec<OldFile>)> {
    let old = old_logs(files, paths)?;
    let described = old.iter().map(|old| {
        let size_bytes = files.stamp(&old.found_path())?.map_or(0, |stamp| stamp.size_bytes);
        Ok(OldFile {
            number: old.number,
            is_archive: old.kind == OldLogKind::Archive,
            is_compressed: old.is_compressed,
            size_bytes,
        })
    });
    let described = described.collect::<Result<_>>()?;
    Ok((old, described))
}

/// Counts backups and archives, for the metrics.
pub fn count_old(files: &dyn FileSystem, paths: &LogPaths, metrics: &LogMetrics) -> Result<()> {
    let (_, described) = described_old_logs(files, paths)?;
    let sum = |is_archive: bool| {
        let kind = described.iter().filter(|old| old.is_archive == is_archive);
        kind.fold((0, 0), |(count, bytes), old| (count + 1, bytes + old.size_bytes))
    };
    metrics.backups.set(sum(false));
    metrics.archives.set(sum(true));
    Ok(())
}

/// The newest old log that can be read and holds any key: what a damaged checkpoint held is in there.
pub fn newest_with_data(files: &dyn FileSystem, paths: &LogPaths) -> Option<PathBuf> {
    let olds = old_logs(files, paths).ok()?;
    let has_data = |old: &OldLog| {
        let Ok(Some(mut file)) = old.open(files) else { return false };
        replay(&mut *file, u64::MAX).is_ok_and(|replayed| !replayed.state.is_empty())
    };
    olds.iter().rev().find(|old| has_data(old)).map(OldLog::found_path)
}

/// A name that is not taken, N being the next number.
pub fn free_old(files: &dyn FileSystem, paths: &LogPaths, kind: OldLogKind) -> Result<PathBuf> {
    let newest = old_logs(files, paths)?.last().map(|old| old.number);
    paths.free_after(files, kind.name(), newest)
}
