//! The lock between processes: `.progressive-storage/lock`, held for one batch.
//!
//! The kernel owns the lock, so it is free the moment its holder dies; there are no times in it and
//! no heartbeats. The file's content names the last holder that could write: for messages, and so that the
//! next one knows whether somebody else has been there since its own last time.
//!
//! Two locks make it fair: who waits for `lock` holds `queue`, and who has just given `lock` back must
//! pass `queue` first, so a busy process cannot overtake one that waits.
//!
//! Invariant: while a `DirectoryLock` is held, its file is the one at the path.

use std::path::PathBuf;

use super::log::create_folder;
use crate::error::{Error, Result};
use crate::vfs::{File, FileSystem};

/// How long a holder is waited for.
const WAIT_MS_MAX: u64 = 30_000;
const PAUSE_US_FIRST: u64 = 30;
const PAUSE_US_MAX: u64 = 1000;

/// See the header of this file.
pub struct DirectoryLock {
    queue: LockFile,
    main: LockFile,
    is_held: bool,
    /// Always of the same length, so that writing it takes no room on a full disk.
    name: String,
    was_others: bool,
}

/// Why the lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Files are made when they are missing.
    Write,
    /// Nothing is made; where there is no lock file, nobody ever wrote.
    Read,
}

impl DirectoryLock {
    /// The lock of the folder `own_folder`; `unique` tells this holder from others, whatever they call their
    /// processes.
    pub fn new(own_folder: &std::path::Path, unique: u64) -> Self {
        Self {
            queue: LockFile::new(own_folder.join("queue")),
            main: LockFile::new(own_folder.join("lock")),
            is_held: false,
            name: format!("process {:<10}\n{unique:016x}\n", std::process::id()),
            was_others: false,
        }
    }

    /// Takes the lock, waiting for its holder.
    pub fn acquire(&mut self, files: &dyn FileSystem, purpose: Purpose) -> Result<()> {
        if self.is_held {
            return Ok(());
        }
        if !self.queue.acquire(files, purpose)? {
            return Ok(());
        }
        let taken = self.main.acquire(files, purpose);
        self.queue.release();
        if !taken? {
            return Ok(());
        }
        self.was_others = !self.main.is_named(&self.name);
        if self.was_others
            && purpose == Purpose::Write
            && let Err(error) = self.main.overwrite(&self.name)
        {
            // Others would not know that we have been here.
            self.main.release();
            return Err(error);
        }
        self.is_held = true;
        Ok(())
    }

    /// Whether another one may have written since we had the lock the last time.
    pub fn was_others(&self) -> bool {
        self.was_others
    }

    /// Whether the lock is taken.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Gives the lock back.
    pub fn release(&mut self) {
        if self.is_held {
            self.main.release();
            self.is_held = false;
        }
    }
}

struct LockFile {
    path: PathBuf,
    handle: Option<Box<dyn File>>,
    /// The handle was opened to write: one to read may be all that a read-only folder gives.
    is_to_write: bool,
}

impl LockFile {
    fn new(path: PathBuf) -> Self {
        Self { path, handle: None, is_to_write: false }
    }

    /// False when there is no such file and none is to be made.
    fn acquire(&mut self, files: &dyn FileSystem, purpose: Purpose) -> Result<bool> {
        let started_ms = files.monotonic_ms();
        let mut pause_us = PAUSE_US_FIRST;
        loop {
            let is_to_write = purpose == Purpose::Write;
            if self.handle.is_none() || (is_to_write && !self.is_to_write) {
                if let (true, Some(folder)) = (is_to_write, self.path.parent()) {
                    create_folder(files, folder, true)?;
                }
                self.handle = files.open_in_place(&self.path, is_to_write)?;
                self.is_to_write = is_to_write;
            }
            let Some(handle) = &mut self.handle else { return Ok(false) };
            if handle.try_lock()? {
                let looked = files.stamp(&self.path).and_then(|on_disk| Ok((on_disk, handle.stamp()?)));
                if let Ok((Some(on_disk), opened)) = &looked
                    && on_disk.id == opened.id
                {
                    return Ok(true);
                }
                // The folder was removed or replaced, so another process would lock another file; or we
                // cannot tell. Closing the file gives its lock back.
                self.handle = None;
                looked?;
                continue;
            }
            if files.monotonic_ms() - started_ms > WAIT_MS_MAX {
                return Err(self.held_by_another(files));
            }
            files.sleep_us(pause_us);
            pause_us = (pause_us * 2).min(PAUSE_US_MAX);
        }
    }

    fn held_by_another(&self, files: &dyn FileSystem) -> Error {
        let mut holder = vec![0; 64];
        let read = files
            .open_read(&self.path.with_file_name("lock"))
            .ok()
            .flatten()
            .and_then(|mut file| file.read_at(&mut holder, 0).ok())
            .unwrap_or(0);
        let holder = String::from_utf8_lossy(&holder[..read]);
        let holder = holder.lines().next().unwrap_or_default().trim().to_owned();
        let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
        let mut error = Error::new(
            "ERR_LOCKED",
            format!(
                "The data folder has been locked by {holder} for {} seconds ('{}'). Nothing was written; \
                 see whether that process is stopped or hangs",
                WAIT_MS_MAX / 1000,
                self.path.display()
            ),
        );
        error.path = Some(self.path.display().to_string());
        error
    }

    fn release(&mut self) {
        if let Some(handle) = &mut self.handle
            && handle.unlock().is_err()
        {
            // Closing the file gives the lock back in any case.
            self.handle = None;
        }
    }

    /// Whether the file holds this name. Where that cannot be read, it may be another.
    fn is_named(&mut self, name: &str) -> bool {
        let mut written = [0; 64];
        let Some(handle) = &mut self.handle else { return false };
        handle.read_at(&mut written, 0).is_ok_and(|read| &written[..read] == name.as_bytes())
    }

    fn overwrite(&mut self, name: &str) -> Result<()> {
        self.handle.as_mut().map_or(Ok(()), |handle| handle.overwrite(name.as_bytes()))
    }
}
