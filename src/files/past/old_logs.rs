//! The logs that a log has left behind: backups and archives, plain or compressed.
//!
//! ```text
//! NAME.log.backup.N      the log before a compaction at N (milliseconds since 1970)
//! NAME.log.archive.N     the log before a rotation at N
//!              …N.gz     the same, compressed
//! ```
//!
//! Each begins with the checkpoint that the one before it was compacted to, so together with the log they tell
//! everything that happened since the oldest of them, in the order of N.
//!
//! Invariant: where both forms of one are there (a crash between making the compressed one and removing the plain
//! one), it counts once, as the plain one.

use std::io::{self, Read};
use std::path::PathBuf;

use flate2::read::GzDecoder;

use crate::data::name::{file_number, next_file_number};
use crate::error::{Error, Result};
use crate::files::log::file::{LogPaths, free_name};
use crate::files::log::replay::replay;
use crate::vfs::{File, FileSystem, Stamp};

/// What an old log was left behind by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A compaction.
    Backup,
    /// A rotation.
    Archive,
}

impl Kind {
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
    /// Milliseconds since 1970, or a little more where two would have had the same.
    pub number: i64,
    /// By what it was left behind.
    pub kind: Kind,
    /// The plain file's path, whether it is there or not.
    pub path: PathBuf,
    /// Whether there is only the compressed one.
    pub is_compressed: bool,
}

impl OldLog {
    /// The compressed file's path.
    pub fn compressed_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".gz");
        PathBuf::from(path)
    }

    /// When it was left behind, in milliseconds since 1970. Its number tells that, unless the clock was ahead when that or
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
    for kind in [Kind::Backup, Kind::Archive] {
        let prefix = format!("{}.log.{}.", paths.name, kind.name());
        for rest in names.iter().filter_map(|name| name.strip_prefix(&prefix)) {
            let (digits, is_compressed) = match rest.strip_suffix(".gz") {
                Some(digits) => (digits, true),
                None => (rest, false),
            };
            let Some(number) = file_number(digits) else { continue };
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
pub fn free_old(files: &dyn FileSystem, paths: &LogPaths, kind: Kind) -> Result<PathBuf> {
    let newest = old_logs(files, paths)?.last().map(|old| old.number);
    let number = next_file_number(newest, files.now_ms());
    free_name(files, number, |number| paths.log_sibling(kind.name(), number))
}

/// A compressed file as the plain one that it was made of; read from the beginning to the end only.
pub struct Unzipped {
    decoder: Option<GzDecoder<Source>>,
    path: PathBuf,
    at: u64,
}

impl Unzipped {
    /// Reads `file`, which is at `path`.
    pub fn boxed(file: Box<dyn File>, path: PathBuf) -> Box<dyn File> {
        Box::new(Self::new(file, path))
    }

    /// The same, to be had back by `into_file`.
    pub fn new(file: Box<dyn File>, path: PathBuf) -> Self {
        Self { decoder: Some(GzDecoder::new(Source { file, offset: 0 })), path, at: 0 }
    }

    /// The compressed file.
    pub fn into_file(self) -> Option<Box<dyn File>> {
        self.decoder.map(|decoder| decoder.into_inner().file)
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Error::internal(&format!("'{}' is compressed and can only be read on", self.path.display())))
    }
}

impl File for Unzipped {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if offset != self.at {
            return self.refuse();
        }
        let Some(decoder) = &mut self.decoder else { return self.refuse() };
        let read = decoder.read(buffer).map_err(|error| Error::backup_corrupt(&self.path, &error))?;
        self.at += read as u64;
        Ok(read)
    }

    fn rewind(&mut self) -> Result<()> {
        if let Some(decoder) = self.decoder.take() {
            let file = decoder.into_inner().file;
            self.decoder = Some(GzDecoder::new(Source { file, offset: 0 }));
            self.at = 0;
        }
        Ok(())
    }

    fn append(&mut self, _bytes: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn sync_data(&mut self) -> Result<()> {
        self.refuse()
    }

    fn stamp(&self) -> Result<Stamp> {
        self.refuse()
    }

    fn try_lock(&mut self) -> Result<bool> {
        self.refuse()
    }

    fn unlock(&mut self) -> Result<()> {
        self.refuse()
    }

    fn overwrite(&mut self, _bytes: &[u8]) -> Result<()> {
        self.refuse()
    }
}

struct Source {
    file: Box<dyn File>,
    offset: u64,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset).map_err(io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}
