//! Temporary files: their names, making one that other processes leave alone, and how fast a large one is written.
//!
//! ```text
//! .players.json.0123456789abcdef-7.tmp      beside players.json; the middle is this process's own
//! ```
//!
//! Of a long name only the beginning is used, so that the whole is no longer than a file's name may be.
//!
//! Invariant: no two processes use the same name for a temporary file, and one that is being written is locked where
//! the file system has locks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::files::log::paths::MENDED_ENDING;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, Missing};

/// Names for the temporary files of this process.
pub struct TemporaryNames {
    unique: u64,
    next: AtomicU64,
}

impl TemporaryNames {
    /// `unique` distinguishes this process from others.
    pub fn new(unique: u64) -> Self {
        Self { unique, next: AtomicU64::new(0) }
    }

    /// A path beside `target` that no other process uses.
    pub fn beside(&self, target: &Path) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        target.with_file_name(format!(".{}.{:016x}-{number}.tmp", beginning_of(&name), self.unique))
    }
}

/// So much of a name stands in that of a temporary file: with a dot before it, 16 digits, and a number of up to 20.
const NAME_BYTES_MAX: usize = 255 - 43;

fn beginning_of(name: &str) -> &str {
    let ends = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..ends.unwrap_or(0)]
}

/// Whether a file has a name like `NAME.log.mended.tmp` or `.NAME.UNIQUE-NUMBER.tmp`.
pub fn is_temporary(name: &str) -> bool {
    if name.ends_with(MENDED_ENDING) {
        return true;
    }
    name.strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .and_then(|rest| rest.rsplit_once('.'))
        .and_then(|(_, numbers)| numbers.split_once('-'))
        .is_some_and(|(unique, number)| {
            unique.len() == 16
                && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Removes temporary files that killed processes left: a process that is at work on one holds its
/// lock, or the one of the folder, which is ours now. Failing to is harmless.
pub fn sweep(files: &dyn FileSystem, folders: &[&Path]) {
    for folder in folders {
        let names = files.list(folder).unwrap_or_default();
        for path in names.iter().filter(|name| is_temporary(name)).map(|name| folder.join(name)) {
            if let Ok(Some(mut file)) = files.open_in_place(&path, Missing::Leave)
                && file.try_lock() == Ok(true)
                && let (Ok(Some(at_path)), Ok(opened)) = (files.stamp(&path), file.stamp())
                && at_path.id == opened.id
            {
                let _ = files.remove(&path);
            }
        }
    }
}

/// How a large file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Not synced.
    Unsynced,
    /// Synced at the end, as fast as it goes: somebody waits.
    Fast,
    /// Synced a piece at a time with rests between, so that the syncs of appends do not queue up behind it.
    Gentle,
}

impl Pace {
    /// For work beside the writer.
    pub fn beside(syncing: Syncing) -> Self {
        if syncing.is_on() { Self::Gentle } else { Self::Unsynced }
    }

    /// For work that somebody waits for.
    pub fn awaited(syncing: Syncing) -> Self {
        if syncing.is_on() { Self::Fast } else { Self::Unsynced }
    }

    /// After each piece of about 1 MiB.
    pub fn rest(self, files: &dyn FileSystem, file: &mut dyn File) -> Result<()> {
        const REST_US: u64 = 1000;
        if self == Self::Gentle {
            file.sync_data()?;
            files.sleep_us(REST_US);
        }
        Ok(())
    }
}

/// Makes a temporary file, to take the place of `like`, that other processes leave alone while it is open.
pub fn create_held(files: &dyn FileSystem, path: &Path, like: &Path) -> Result<Box<dyn File>> {
    const TRIES_MAX: usize = 10;
    let mut tries = 0;
    loop {
        let mut file = files.create_like(path, like)?;
        // Where files cannot be locked, nobody else can find out that this one is not locked either.
        let _ = file.try_lock();
        // Between the two somebody may have swept it away.
        let found = files.stamp(path)?.map(|stamp| stamp.id);
        tries += 1;
        if found == Some(file.stamp()?.id) || tries == TRIES_MAX {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_as_long_as_a_name_may_be_and_is_told_from_others() {
        for name in ["players.json".to_owned(), "n".repeat(250), "ö".repeat(125)] {
            let temporary = format!(".{}.{:016x}-{}.tmp", beginning_of(&name), u64::MAX, u64::MAX);
            assert!(temporary.len() <= 255 && is_temporary(&temporary), "{temporary}");
            assert!(name.starts_with(beginning_of(&name)) && beginning_of(&name).len() > 10);
        }
    }
}
