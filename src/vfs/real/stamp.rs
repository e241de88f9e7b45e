//! Stamps of files, as the system has them.

use std::path::Path;
use std::{fs, io};

#[cfg(windows)]
use super::failure::HELD;
use super::failure::found;
#[cfg(windows)]
use super::failure::unless_refused;
#[cfg(unix)]
use super::kind::only_a_file;
use crate::error::Result;
use crate::vfs::Stamp;
use crate::vfs::clock::since_1970_ns;

/// Nanoseconds since 1970; 0 where the file system keeps no such time.
fn modified_ns(metadata: &fs::Metadata) -> i64 {
    metadata.modified().map_or(0, since_1970_ns)
}

#[cfg(unix)]
fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    Stamp {
        id: metadata.ino(),
        size_bytes: metadata.len(),
        modified_ns: modified_ns(metadata),
        changed_ns: metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec()),
    }
}

/// Stamp of the file at a path; `None` when there is none.
#[cfg(unix)]
pub fn stamp_at(path: &Path) -> Result<Option<Stamp>> {
    let Some(metadata) = found(fs::metadata(path), "stat", path)? else { return Ok(None) };
    only_a_file(&metadata, "stat", path)?;
    Ok(Some(stamp_of(&metadata)))
}

/// Stamp of an open file with this metadata.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on Windows it takes one more call, which can fail")]
pub fn stamp_open(_file: &fs::File, metadata: &fs::Metadata) -> io::Result<Stamp> {
    Ok(stamp_of(metadata))
}

/// Stamp of the file at a path; `None` when there is none.
#[cfg(windows)]
pub fn stamp_at(path: &Path) -> Result<Option<Stamp>> {
    let opened = unless_refused(HELD, || fs::File::open(path));
    let stamped = opened.and_then(|file| stamp_open(&file, &file.metadata()?));
    found(stamped, "stat", path)
}

/// Stamp of an open file with this metadata.
#[cfg(windows)]
pub fn stamp_open(file: &fs::File, metadata: &fs::Metadata) -> io::Result<Stamp> {
    let information = winapi_util::file::information(file)?;
    Ok(Stamp {
        id: information.file_index(),
        size_bytes: metadata.len(),
        modified_ns: modified_ns(metadata),
        changed_ns: 0,
    })
}
