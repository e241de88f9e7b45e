//! The lock between processes: `.progressive-storage/lock`, held for one batch.
//!
//! The kernel owns the lock, so it is free the moment its holder dies; there are no times in it and
//! no heartbeats. The file's content names the last holder that wrote: so that the next one knows whether somebody
//! else has been there since its own last time. Who holds it now is the kernel's to say: a reader writes nothing.
//!
//! Two locks make it fair: who waits for `lock` holds `queue`, and who has just given `lock` back must
//! pass `queue` first, so a busy process cannot overtake one that waits.
//!
//! Who may not write to the lock files takes no lock (it could keep the others waiting for ever) and reads without one,
//! see `steady`.
//!
//! Invariant: while a `DirectoryLock` is held, its file was the one at the path at the last `is_in_place`.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Holder, Result};
use crate::files::log::paths::create_folder;
use crate::store::patience::Patience;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, Missing};

/// Its name in the folder of the store.
pub const LOCK_FILE: &str = "lock";
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
    /// The lock of the folder `own_folder`; `unique` distinguishes this holder from others, whatever they call their
    /// processes.
    pub fn new(own_folder: &Path, unique: u64) -> Self {
        Self {
            queue: LockFile::new(own_folder.join("queue")),
            main: LockFile::new(own_folder.join(LOCK_FILE)),
            is_held: false,
            name: format!("process {:<10}\n{unique:016x}\n", std::process::id()),
            was_others: false,
        }
    }

    /// Takes the lock, waiting for its holder for at most `left_us`.
    ///
    /// # Errors
    /// `ERR_LOCKED` when that is over, and the system's.
    pub fn acquire(
        &mut self,
        files: &dyn FileSystem,
        purpose: Purpose,
        patience: &Patience,
        left_us: u64,
    ) -> Result<()> {
        if self.is_held {
            return Ok(());
        }
        let mut wait = Wait::new(files, patience, left_us);
        let taken = self.take(files, purpose, &mut wait);
        match taken? {
            Taken::Held => {}
            Taken::None => return Ok(()),
            Taken::TooLate => return Err(self.held_by_another(files, wait.waited_us())),
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
        patience.succeeded();
        Ok(())
    }

    fn take(&mut self, files: &dyn FileSystem, purpose: Purpose, wait: &mut Wait) -> Result<Taken> {
        let queued = self.queue.acquire(files, purpose, wait, &mut || {})?;
        if queued != Taken::Held {
            return Ok(queued);
        }
        let (queue, name) = (&mut self.queue, &self.name);
        let taken = self.main.acquire(files, purpose, wait, &mut || {
            if purpose == Purpose::Write {
                // For a person who looks for the one that waits; nothing depends on it.
                let _ = queue.overwrite(name);
            }
        });
        self.queue.release();
        taken
    }

    /// Whether another one may have written since this one held the lock the last time.
    pub fn was_others(&self) -> bool {
        self.was_others
    }

    /// Whether the lock is taken.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether there is a lock file: without one, nobody has ever written here.
    pub fn is_there(&self, files: &dyn FileSystem) -> Result<bool> {
        Ok(files.stamp(&self.main.path)?.is_some())
    }

    /// Whether the locked file still is the one at its path. Where somebody removed it, another process may have made
    /// and locked a new one. False also where that cannot be known: taking the lock anew gives the reason.
    pub fn is_in_place(&self, files: &dyn FileSystem) -> bool {
        self.is_held && files.stamp(&self.main.path).is_ok_and(|found| found.map(|it| it.id) == self.main.id)
    }

    /// Gives the lock back.
    pub fn release(&mut self) {
        if self.is_held {
            self.main.release();
            self.is_held = false;
        }
    }

    /// Who is in the way: the holder of `lock`, else that of `queue`, who waits for `lock` or is stopped before it.
    fn held_by_another(&self, files: &dyn FileSystem, waited_us: u64) -> Error {
        let holders = [&self.main, &self.queue].map(|file| (file, files.lock_holder(&file.path)));
        let (file, process) = match holders {
            [(_, None), (queue, Some(process))] => (queue, Some(process)),
            [(main, process), _] => (main, process),
        };
        let holder = match process {
            Some(own) if own == std::process::id() => Holder::ThisProcess,
            Some(process) => Holder::Process(process),
            None => Holder::Unknown,
        };
        Error::locked(holder, &file.path, waited_us / 1_000_000)
    }
}

/// How trying to take a lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Held,
    /// There is no such file and none is to be made, or we have no right to lock it.
    None,
    TooLate,
}

/// A wait for both lock files together.
struct Wait<'a> {
    files: &'a dyn FileSystem,
    patience: &'a Patience,
    started_us: u64,
    waited_before_us: u64,
    left_us: u64,
    pause_us: u64,
}

impl<'a> Wait<'a> {
    fn new(files: &'a dyn FileSystem, patience: &'a Patience, left_us: u64) -> Self {
        let (started_us, waited_before_us) = (files.monotonic_us(), patience.waited_us());
        Self { files, patience, started_us, waited_before_us, left_us, pause_us: PAUSE_US_FIRST }
    }

    fn waited_us(&self) -> u64 {
        self.files.monotonic_us().saturating_sub(self.started_us)
    }

    /// Pauses before the next try. False when it is over.
    fn pause(&mut self) -> bool {
        let waited_us = self.waited_us();
        let point_us = self.waited_before_us + waited_us;
        self.patience.wait_until(point_us);
        if waited_us >= self.left_us || self.patience.is_over(point_us) {
            return false;
        }
        self.files.sleep_us(self.pause_us);
        self.pause_us = (self.pause_us * 2).min(PAUSE_US_MAX);
        true
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.pause_us > PAUSE_US_FIRST {
            self.patience.wait_until(self.waited_before_us + self.waited_us());
        }
    }
}

struct LockFile {
    path: PathBuf,
    handle: Option<Box<dyn File>>,
    /// Of the file that was locked last.
    id: Option<u64>,
}

impl LockFile {
    fn new(path: PathBuf) -> Self {
        Self { path, handle: None, id: None }
    }

    /// `on_wait` is called once, when somebody else holds the file.
    fn acquire(
        &mut self,
        files: &dyn FileSystem,
        purpose: Purpose,
        wait: &mut Wait,
        on_wait: &mut dyn FnMut(),
    ) -> Result<Taken> {
        let mut is_waiting = false;
        loop {
            self.open(files, purpose)?;
            let Some(handle) = &mut self.handle else {
                if purpose == Purpose::Read {
                    return Ok(Taken::None);
                }
                // The folder was removed between making it and opening the file in it.
                if !wait.pause() {
                    return Ok(Taken::TooLate);
                }
                continue;
            };
            if handle.try_lock()? {
                let checked = files.stamp(&self.path).and_then(|on_disk| Ok((on_disk, handle.stamp()?)));
                if let Ok((Some(on_disk), opened)) = &checked
                    && on_disk.id == opened.id
                {
                    self.id = Some(opened.id);
                    return Ok(Taken::Held);
                }
                // The folder was removed or replaced, so another process would lock another file; or we
                // do not know. Closing the file gives its lock back.
                self.handle = None;
                checked?;
                continue;
            }
            if !std::mem::replace(&mut is_waiting, true) {
                on_wait();
            }
            if !wait.pause() {
                return Ok(Taken::TooLate);
            }
        }
    }

    /// Opens the file, unless there is none, or we may not write to it and only want to read.
    fn open(&mut self, files: &dyn FileSystem, purpose: Purpose) -> Result<()> {
        if self.handle.is_none() {
            let is_to_write = purpose == Purpose::Write;
            if let (true, Some(folder)) = (is_to_write, self.path.parent()) {
                create_folder(files, folder, Syncing::On)?;
            }
            let missing = if is_to_write { Missing::Create } else { Missing::Leave };
            self.handle = match files.open_lock(&self.path, missing) {
                Err(error)
                    if !is_to_write && matches!(error.code(), Code::Eacces | Code::Eperm | Code::Erofs) =>
                {
                    None
                }
                opened => opened?,
            };
        }
        Ok(())
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
