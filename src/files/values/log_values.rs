//! A log that is open to read the values that are not in memory.
//!
//! It is the file in which they lie, whatever its name is by now: a log that was compacted, or that somebody removed, is
//! still there for who holds this.
//!
//! Invariant: what is given are the values that were let go, or an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::data::state::{Member, Slot};
use crate::error::{Error, Result};
use crate::files::values::reading::read_members;
use crate::vfs::{File, FileSystem};

/// See the header of this file.
pub struct LogValues {
    path: PathBuf,
    file: Mutex<Box<dyn File>>,
    has_moved: AtomicBool,
}

impl LogValues {
    /// The log at this path, if it is still the file with this id.
    pub fn open(files: &dyn FileSystem, path: &Path, id: u64) -> Result<Option<Arc<Self>>> {
        let Some(file) = files.open_read(path)? else { return Ok(None) };
        let is_same = file.stamp()?.id == id;
        let (path, file, has_moved) = (path.to_owned(), Mutex::new(file), AtomicBool::new(false));
        Ok(is_same.then(|| Arc::new(Self { path, file, has_moved })))
    }

    /// The members of these slots, in their order.
    ///
    /// # Errors
    /// `ERR_LOG_REPLACED` where the log does not have one of them at its place; the system's error where it cannot be
    /// read.
    pub fn read(&self, places: &[(Slot, u64)]) -> Result<Vec<Member>> {
        read_members(&mut **self.file.lock(), places)?.ok_or_else(|| {
            self.has_moved.store(true, Ordering::Release);
            Error::log_replaced(&self.path, "a value was read from it")
        })
    }

    /// Whether a value was not at its place. A disk that could not be read says nothing about that.
    pub fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::Acquire)
    }
}
