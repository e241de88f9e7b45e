//! The small record of the mirror that we wrote last: `.progressive-storage/NAME.mirror`.
//!
//! ```text
//! {"version":1,"log_end":1234,"log_mark":"89abcdef01234567",
//!  "mirror":{"id":5,"size_bytes":99,"modified_ns":17…,"changed_ns":17…,"hash":"0123456789abcdef"},
//!  "stage":"clean","is_synced":true}
//! 89abcdef                                 CRC-32 of the first line
//! ```
//!
//! It is written in place, and what is not written whole is no record, by its checksum. It fits into one sector.
//!
//! It is written before the mirror is renamed into place, so a mirror of ours is never unknown to
//! the other processes. Nothing depends on it being there: without it, or when it does not fit the
//! log, the log itself shows what a mirror shows (see `reconcile`).
//!
//! So one that cannot be read (no rights, a folder in its place, a fault of the disk) counts as none. One that can be
//! read and not be written must not stay, since it would speak of an older mirror: it is made anew.
//!
//! The stage is `announced` before the rename, `placed` behind it, and `clean` at a clean end.
//!
//! `is_synced` says that all of the mirror's content was on disk before the record was written (a record of 0.1.0 does not
//! say so). Then the very file needs not be read to know what it shows, not even after a power cut.
//!
//! Invariant: it is `clean` only if the mirror was synced before and the log ended at `log_end`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::files::log::bytes::read_all;
use crate::files::log::paths::{LogPaths, create_folder};
use crate::vfs::Syncing;
use crate::vfs::{FileSystem, Missing, Stamp};

const RECORD_BYTES_MAX: u64 = 4096;
/// The first line is filled up to this with spaces, so that a record is always as long as the one it takes
/// the place of.
const WRITTEN_BYTES: usize = 320;

/// A mirror file's content, known by its hash, and the file that held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorId {
    /// Hash of all bytes.
    pub hash: u64,
    /// The file.
    pub stamp: Stamp,
}

/// See the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorRecord {
    /// The mirror shows the log up to here.
    pub log_end: u64,
    /// Hash of the last bytes of the log before `log_end`, to distinguish it from another log.
    pub log_mark: u64,
    /// The mirror.
    pub mirror: MirrorId,
    /// How far the mirror was when the record was written.
    pub stage: RecordStage,
    /// All of its content was on disk then.
    pub is_synced: bool,
}

/// Tells a mirror that was placed from any other, also from one with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedMirror {
    hash: u64,
    file_id: u64,
    modified_ns: i64,
}

/// How far the writing of a mirror has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordStage {
    /// It is about to be moved into its place.
    Announced,
    /// It is in its place.
    Placed,
    /// The same, left by a clean end: it is synced, and the log ended there.
    Clean,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    log_end: u64,
    log_mark: String,
    mirror: WrittenMirror,
    stage: RecordStage,
    #[serde(default)]
    is_synced: bool,
}

#[derive(Serialize, Deserialize)]
struct WrittenMirror {
    id: u64,
    size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
    hash: String,
}

impl MirrorRecord {
    /// Whether the file with this stamp is the mirror that the record speaks of, for a process that runs: no
    /// power cut has come between, which could have lost its content. An unclean record was written before
    /// the mirror got its name, which changes `changed_ns`.
    pub fn is_of_file(&self, found: &Stamp) -> bool {
        if self.is_clean() { self.mirror.stamp == *found } else { self.mirror.stamp.is_same_content(found) }
    }

    /// The mirror, once it is in its place.
    pub fn placed(&self) -> Option<PlacedMirror> {
        let MirrorId { hash, stamp } = self.mirror;
        let placed = PlacedMirror { hash, file_id: stamp.id, modified_ns: stamp.modified_ns };
        (self.stage != RecordStage::Announced).then_some(placed)
    }

    /// True when it was left by a clean end.
    pub fn is_clean(&self) -> bool {
        self.stage == RecordStage::Clean
    }

    /// Reads the record; `None` when there is none or it cannot be read.
    #[expect(clippy::unnecessary_wraps, reason = "it is read among files whose errors count")]
    pub fn read(files: &dyn FileSystem, paths: &LogPaths) -> Result<Option<Self>> {
        Ok(Self::try_read(files, paths).unwrap_or_default())
    }

    /// The same for who wants to know why it cannot be read.
    pub fn try_read(files: &dyn FileSystem, paths: &LogPaths) -> Result<Option<Self>> {
        let Some(mut file) = files.open_read(&paths.record)? else { return Ok(None) };
        let bytes = read_all(&mut *file, RECORD_BYTES_MAX)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (json, checksum) = text.strip_suffix('\n')?.split_once('\n')?;
        if checksum != checksum_of(json) {
            return None;
        }
        let written: Written = serde_json::from_str(json).ok()?;
        if written.version != 1 {
            return None;
        }
        Some(Self {
            log_end: written.log_end,
            log_mark: u64::from_str_radix(&written.log_mark, 16).ok()?,
            mirror: MirrorId {
                hash: u64::from_str_radix(&written.mirror.hash, 16).ok()?,
                stamp: Stamp {
                    id: written.mirror.id,
                    size_bytes: written.mirror.size_bytes,
                    modified_ns: written.mirror.modified_ns,
                    changed_ns: written.mirror.changed_ns,
                },
            },
            stage: written.stage,
            is_synced: written.is_synced,
        })
    }

    /// Writes the record over the old one. Where nobody can read what stands in its place, nothing is written.
    pub fn write(&self, files: &dyn FileSystem, paths: &LogPaths, syncing: Syncing) -> Result<()> {
        match self.try_write(files, paths, syncing) {
            Err(error) if is_lasting(&error) => {
                if files.remove(&paths.record).is_ok() {
                    return self.try_write(files, paths, syncing);
                }
                if Self::try_read(files, paths).is_err() { Ok(()) } else { Err(error) }
            }
            written => written,
        }
    }

    fn try_write(&self, files: &dyn FileSystem, paths: &LogPaths, syncing: Syncing) -> Result<()> {
        let written = Written {
            version: 1,
            log_end: self.log_end,
            log_mark: format!("{:016x}", self.log_mark),
            mirror: WrittenMirror {
                id: self.mirror.stamp.id,
                size_bytes: self.mirror.stamp.size_bytes,
                modified_ns: self.mirror.stamp.modified_ns,
                changed_ns: self.mirror.stamp.changed_ns,
                hash: format!("{:016x}", self.mirror.hash),
            },
            stage: self.stage,
            is_synced: self.is_synced,
        };
        let json = format!("{:<WRITTEN_BYTES$}", serde_json::to_string(&written).unwrap_or_default());
        let text = format!("{json}\n{}\n", checksum_of(&json));
        // A small mirror comes with two of these. A file that is emptied first is sent to the disk by ext4 when it
        // is closed, and the next one waits for that: it takes longer than all the rest.
        let mut file = if let Some(file) = files.open_in_place(&paths.record, Missing::Create)? {
            file
        } else {
            // Somebody has removed the folder.
            create_folder(files, &paths.own_folder, Syncing::On)?;
            files.open_in_place(&paths.record, Missing::Create)?.ok_or_else(|| no_folder(&paths.record))?
        };
        file.overwrite(text.as_bytes())?;
        if syncing.is_on() {
            file.sync_data()?;
            files.sync_dir(&paths.own_folder)?;
        }
        Ok(())
    }
}

/// Whether trying again later comes to the same.
fn is_lasting(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Eacces | Code::Eperm | Code::Eisdir | Code::Einval | Code::Eloop | Code::Enxio | Code::Espipe
    )
}

fn no_folder(path: &Path) -> Error {
    Error::io(&std::io::ErrorKind::NotFound.into(), "open", path)
}

/// A write that ended in the middle leaves another one.
fn checksum_of(json: &str) -> String {
    format!("{:08x}", crc32fast::hash(json.as_bytes()))
}
