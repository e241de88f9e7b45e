//! Where the files of one log are, and which names are free for what it leaves behind.
//!
//! ```text
//! NAME.json                                  the mirror
//! logs/NAME.log                              the log
//! logs/NAME.log.mended.tmp                   the log while it is written anew
//! logs/NAME.log.KIND.N                       what was set aside (KIND is `torn` or `corrupt`) or left behind (`backup`
//!                                            or `archive`); N grows, about milliseconds since 1970
//! logs/NAME.log.KIND.N.gz                    a backup or an archive, compressed
//! .progressive-storage/NAME.mirror           the record of the mirror
//! .progressive-storage/NAME.index            the index of the log
//! ```
//!
//! Invariant: there is no file at a free name. One of `free_sibling` and `free_after` has a number above those of its
//! kind, or above the one that is given, as long as there are numbers.

use std::path::{Path, PathBuf};

use crate::data::name::{LogName, file_number, next_file_number};
use crate::error::{Code, Result};
use crate::vfs::FileSystem;
use crate::vfs::Syncing;

/// Ending of a log that is being written anew without its damaged lines.
pub const MENDED_ENDING: &str = ".log.mended.tmp";
/// Ending of what is compressed.
pub const COMPRESSED_ENDING: &str = ".gz";

/// All files that belong to one log.
#[derive(Clone, Debug)]
pub struct LogPaths {
    /// Name of the log.
    pub name: LogName,
    /// The data folder.
    pub data_folder: PathBuf,
    /// `logs` in it.
    pub logs_folder: PathBuf,
    /// `.progressive-storage` in it.
    pub own_folder: PathBuf,
    /// `logs/NAME.log`.
    pub log: PathBuf,
    /// `NAME.json`.
    pub mirror: PathBuf,
    /// `.progressive-storage/NAME.mirror`.
    pub record: PathBuf,
    /// `.progressive-storage/NAME.index`.
    pub index: PathBuf,
}

impl LogPaths {
    /// The files of log `name` in `data_folder`.
    pub fn new(data_folder: &Path, name: &LogName) -> Self {
        let logs_folder = data_folder.join("logs");
        let own_folder = data_folder.join(".progressive-storage");
        Self {
            name: name.clone(),
            log: logs_folder.join(format!("{name}.log")),
            mirror: data_folder.join(format!("{name}.json")),
            record: own_folder.join(format!("{name}.mirror")),
            index: own_folder.join(format!("{name}.index")),
            data_folder: data_folder.to_owned(),
            logs_folder,
            own_folder,
        }
    }

    /// `logs/NAME.log.KIND.N`.
    pub fn log_sibling(&self, kind: &str, number: i64) -> PathBuf {
        self.logs_folder.join(format!("{}.log.{kind}.{number}", self.name))
    }

    /// Makes the folders that are missing, each durable before the next.
    pub fn create_folders(&self, files: &dyn FileSystem, syncing: Syncing) -> Result<()> {
        create_folder(files, &self.logs_folder, syncing)?;
        create_folder(files, &self.own_folder, syncing)
    }

    /// What a file name says, where it is `NAME.log.KIND.N` or `NAME.log.KIND.N.gz`.
    pub fn parse_sibling(&self, file_name: &str, kind: &str) -> Option<Sibling> {
        let rest = file_name.strip_prefix(self.name.as_str())?.strip_prefix(".log.")?;
        let rest = rest.strip_prefix(kind)?.strip_prefix('.')?;
        let (digits, is_compressed) = match rest.strip_suffix(COMPRESSED_ENDING) {
            Some(digits) => (digits, true),
            None => (rest, false),
        };
        Some(Sibling { number: file_number(digits)?, is_compressed })
    }

    /// A path `logs/NAME.log.KIND.N` at which there is no file, with N above `newest`.
    pub fn free_after(&self, files: &dyn FileSystem, kind: &str, newest: Option<i64>) -> Result<PathBuf> {
        let number = next_file_number(newest, files.now_ms());
        free_name(files, number, |number| self.log_sibling(kind, number))
    }

    /// The same for a kind that is never compressed, with N above all that are there.
    pub fn free_sibling(&self, files: &dyn FileSystem, kind: &str) -> Result<PathBuf> {
        let newest = self.plain_numbers(files, kind)?.last().copied();
        self.free_after(files, kind, newest)
    }

    /// Removes all but the newest `kept` of `logs/NAME.log.KIND.N`.
    pub fn prune(&self, files: &dyn FileSystem, kind: &str, kept: usize) -> Result<()> {
        let numbers = self.plain_numbers(files, kind)?;
        for number in numbers.iter().rev().skip(kept) {
            files.remove(&self.log_sibling(kind, *number))?;
        }
        Ok(())
    }

    /// The numbers N of `logs/NAME.log.KIND.N`, oldest first.
    fn plain_numbers(&self, files: &dyn FileSystem, kind: &str) -> Result<Vec<i64>> {
        let names = files.list(&self.logs_folder)?;
        let found = names.iter().filter_map(|name| self.parse_sibling(name, kind));
        let mut numbers: Vec<i64> =
            found.filter(|found| !found.is_compressed).map(|found| found.number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The name of a file that was set aside or left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// N.
    pub number: i64,
    /// Whether it ends with `.gz`.
    pub is_compressed: bool,
}

/// The first path of `name(number)`, `name(number + 1)`, … at which there is no file.
pub fn free_name(files: &dyn FileSystem, mut number: i64, name: impl Fn(i64) -> PathBuf) -> Result<PathBuf> {
    loop {
        let path = name(number);
        if files.stamp(&path)?.is_none() {
            return Ok(path);
        }
        number += 1;
    }
}

/// Makes a folder and those above it that are missing, each durable before the next.
pub fn create_folder(files: &dyn FileSystem, path: &Path, syncing: Syncing) -> Result<()> {
    let made = match (files.create_dir(path), path.parent()) {
        (Err(error), Some(parent)) if error.is_not_found() => {
            create_folder(files, parent, syncing)?;
            files.create_dir(path)?
        }
        (made, _) => made?,
    };
    match path.parent() {
        Some(parent) if made && syncing.is_on() => files.sync_dir(parent),
        _ => Ok(()),
    }
}

/// Syncs a folder and all above it. One that this process may not open is left out: no process with the same rights
/// has made anything in it.
pub fn sync_parents(files: &dyn FileSystem, folder: &Path) -> Result<()> {
    for above in folder.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        match files.sync_dir(above) {
            Err(error) if matches!(error.code(), Code::Eacces | Code::Eperm) => {}
            result => result?,
        }
    }
    Ok(())
}
