//! What `files` needs of a file system and its clocks: a narrow, object-safe trait. The same code runs on the
//! operating system and on a simulated disk.
//!
//! A file is a regular file. Anything else at a path (a FIFO, a socket, a device) is an `EINVAL` that says so: from
//! `stamp`, from opening, or at the latest from the first use of the open file. No call waits for such a thing.
//!
//! Invariant: an error names the system call and the path (`Error::io`). Nothing here retries a sync.

use super::freed_beside::FreedBeside;
use super::syncing::Syncing;
use std::path::Path;
use std::sync::Arc;

use crate::error::Result;

/// Identity and times of a file. A file with other content has another stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Identity of the file itself (inode number; file index on Windows).
    pub id: u64,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Time of the last change of the content, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Time of the last change of the file, which no program can set back; 0 where the system has none.
    pub changed_ns: i64,
}

impl Stamp {
    /// Whether both are of one file with the same content. Its name may differ.
    #[must_use]
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.id, self.size_bytes, self.modified_ns) == (other.id, other.size_bytes, other.modified_ns)
    }
}

/// What to do about a file that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make it.
    Create,
    /// Leave it so.
    Leave,
}

/// Shared handle on a file system.
pub type FileSystemRef = Arc<dyn FileSystem>;

/// Files, folders and clocks.
#[expect(clippy::missing_errors_doc, reason = "all alike: the system's error, by `Error::io`")]
pub trait FileSystem: Send + Sync {
    /// Stamp of the file at `path`; `None` when there is none.
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>>;
    /// Opens an existing file for reading; `None` when there is none.
    fn open_read(&self, path: &Path) -> Result<Option<Box<dyn File>>>;
    /// Opens a file for appending, and makes it if it is missing. True: it was missing.
    fn open_append(&self, path: &Path) -> Result<(Box<dyn File>, bool)>;
    /// Makes a new empty file, or empties the one at the path, for writing.
    fn create(&self, path: &Path) -> Result<Box<dyn File>>;
    /// The same for a file that will replace `like`: only users who may read `like` may read it.
    fn create_like(&self, path: &Path, like: &Path) -> Result<Box<dyn File>> {
        let _ = like;
        self.create(path)
    }
    /// Opens a small file that is written in place (a record); `None` when it is missing and stays so.
    fn open_in_place(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>>;
    /// The same for a lock file. Users who may not write to it may not open it, as far as its mode can say that.
    fn open_lock(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        self.open_in_place(path, missing)
    }
    /// The process that holds the lock on the file at `path`; `None` where the system does not say.
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }
    /// Cuts the file at `path` to `size_bytes`, and syncs it where that is on.
    fn truncate(&self, path: &Path, size_bytes: u64, syncing: Syncing) -> Result<()>;
    /// Moves `from` over `to`, atomically.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Gives the file at `from` a second name.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()>;
    /// Copies the content of `from` into a new file `to`.
    fn copy(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file; no error when there is none.
    fn remove(&self, path: &Path) -> Result<()>;
    /// To be held while the file at `path` loses its name, where it is large: so its blocks are freed beside the caller.
    fn free_beside(&self, path: &Path) -> Option<FreedBeside> {
        let _ = path;
        None
    }
    /// Makes one folder. True: it was missing. `ENOENT` when the folder above it is missing.
    fn create_dir(&self, path: &Path) -> Result<bool>;
    /// Makes the entries of a folder (new files, renames) durable.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Names of the files in a folder; none when there is no folder.
    fn list(&self, path: &Path) -> Result<Vec<String>>;
    /// Begins to sync `file` beside the caller, which goes on and waits for it later.
    fn sync_beside(&self, mut file: Box<dyn File>) -> Box<dyn SyncBeside> {
        let result = file.sync_data();
        Box::new(Synced(result.map(|()| file)))
    }
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// Milliseconds of a clock that never jumps.
    fn monotonic_ms(&self) -> u64;
    /// Microseconds of the same clock, in steps of a millisecond by default.
    fn monotonic_us(&self) -> u64 {
        self.monotonic_ms().saturating_mul(1000)
    }
    /// Waits.
    fn sleep_us(&self, duration_us: u64);
}

/// A sync that runs beside its caller.
pub trait SyncBeside: Send {
    /// Waits for it and returns the file.
    ///
    /// # Errors
    /// The system's, as `File::sync_data`.
    fn wait(self: Box<Self>) -> Result<Box<dyn File>>;
}

/// A sync that is over.
struct Synced(Result<Box<dyn File>>);

impl SyncBeside for Synced {
    fn wait(self: Box<Self>) -> Result<Box<dyn File>> {
        self.0
    }
}

/// An open file. Threads do not share it: each reader opens its own.
#[expect(clippy::missing_errors_doc, reason = "all alike: the system's error, by `Error::io`")]
pub trait File: Send {
    /// Reads into `buffer` from `offset`; 0 at the end.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// Starts again from the first byte, where a file can only be read in order.
    fn rewind(&mut self) -> Result<()> {
        Ok(())
    }
    /// Writes all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Writes what was appended to the disk (fdatasync).
    fn sync_data(&mut self) -> Result<()>;
    /// Stamp of the open file.
    fn stamp(&self) -> Result<Stamp>;
    /// Takes the lock on this file if it is free. True: this handle holds it.
    fn try_lock(&mut self) -> Result<bool>;
    /// Releases the lock.
    fn unlock(&mut self) -> Result<()>;
    /// Replaces the whole content with a few bytes (the lock's holder, a record).
    fn overwrite(&mut self, bytes: &[u8]) -> Result<()>;
}
