//! Temporary files: their names, making one that other processes leave alone, and how fast a large one is written.
//!
//! ```text
//! .players.json.0123456789abcdef-7.tmp      beside players.json; the 16 digits are this process's own, the number behind
//!                                           them is that of the file
//! players.log.mended.tmp                    a log that is written anew (`log::rewrite`), the same name in each process
//! ```
//!
//! Of a long name only the beginning is used, so that the whole is no longer than a file's name may be.
//!
//! Invariant: no two processes write to the same temporary file. What is written beside the writer has a name of this
//! process and, where the file system has locks, is locked (`create_held`); all else is written while the folder's lock
//! is held. So who holds that lock may remove every temporary file that they can lock.

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

/// So much is synced at once where appends must not wait.
const GENTLE_BYTES: usize = 256 << 10;

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

    /// Appends to a large file.
    pub fn append(self, files: &dyn FileSystem, file: &mut dyn File, bytes: &[u8]) -> Result<()> {
        let piece_bytes = if self == Self::Gentle { GENTLE_BYTES } else { bytes.len().max(1) };
        for piece in bytes.chunks(piece_bytes) {
            file.append(piece)?;
            self.rest(files, file)?;
        }
        Ok(())
    }

    /// After each piece of a large file.
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
///
/// ```text
/// here       create ──── lock refused, wait ──── create ── lock ── still at its path: ours
/// a sweeper         lock ───── remove ── unlock
/// ```
pub fn create_held(files: &dyn FileSystem, path: &Path, like: &Path) -> Result<Box<dyn File>> {
    const TRIES_MAX: usize = 40;
    const PAUSE_US_MAX: u64 = 50_000;
    let (mut tries, mut pause_us) = (1, 100);
    loop {
        let mut file = files.create_like(path, like)?;
        // Where files cannot be locked, nobody else can find out that this one is not locked either. One that somebody
        // else has locked is being swept away, though it may still be at its path.
        let is_being_swept = file.try_lock() == Ok(false);
        let found = files.stamp(path)?.map(|stamp| stamp.id);
        if (!is_being_swept && found == Some(file.stamp()?.id)) || tries == TRIES_MAX {
            return Ok(file);
        }
        drop(file);
        if is_being_swept {
            files.sleep_us(pause_us);
            pause_us = (pause_us * 2).min(PAUSE_US_MAX);
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vfs::RealFileSystem;

    /// Between making the file and locking it, a process that starts finds it unlocked and sweeps it away.
    #[test]
    fn a_file_that_is_being_swept_away_is_made_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (files, path) =
            (Arc::new(RealFileSystem::new()), folder.path().join(".log.0123456789abcdef-1.tmp"));
        let mut sweeper = files.create(&path).expect("a file");
        assert_eq!(sweeper.try_lock(), Ok(true));
        let (its_files, its_path) = (Arc::clone(&files), path.clone());
        let sweeping = std::thread::spawn(move || {
            its_files.sleep_us(20_000);
            its_files.remove(&its_path).expect("removed");
            drop(sweeper);
        });
        let held = create_held(&*files, &path, &folder.path().join("log")).expect("a file");
        sweeping.join().expect("swept");
        let at_path = files.stamp(&path).expect("a stamp").map(|stamp| stamp.id);
        assert_eq!(at_path, Some(held.stamp().expect("a stamp").id));
        let mut other = files.open_in_place(&path, Missing::Leave).expect("opened").expect("there");
        assert_eq!(other.try_lock(), Ok(false));
    }

    #[test]
    fn a_temporary_name_is_as_long_as_a_name_may_be_and_is_told_from_others() {
        for name in ["players.json".to_owned(), "n".repeat(250), "ö".repeat(125)] {
            let temporary = format!(".{}.{:016x}-{}.tmp", beginning_of(&name), u64::MAX, u64::MAX);
            assert!(temporary.len() <= 255 && is_temporary(&temporary), "{temporary}");
            assert!(name.starts_with(beginning_of(&name)) && beginning_of(&name).len() > 10);
        }
    }
}
