//! What all logs of a folder share: files and clock, the user's choices, notices, metrics, and names of temporary files.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::files::event::{Event, lock_wait};
use crate::files::log::paths::LogPaths;
use crate::files::metrics::FolderMetrics;
use crate::files::options::{FsyncMode, Options};
use crate::files::temporary::TemporaryNames;
use crate::store::event::{Described, LONG_LOCK_WAIT_MS, NoticeSink, Notifier, SLOW_SYNC_MS};
use crate::store::patience::Patience;
use crate::vfs::FileSystemRef;
use crate::vfs::Syncing;

/// See the header of this file.
pub struct Context {
    /// Files and clock.
    pub files: FileSystemRef,
    /// The user's choices.
    pub options: Options,
    /// The data folder.
    pub data_folder: PathBuf,
    notifier: Notifier,
    /// What is counted of the folder.
    pub metrics: Arc<FolderMetrics>,
    /// How long the lock between processes is waited for.
    pub patience: Arc<Patience>,
    /// Whether that lock is held: else others may write while files are read.
    pub is_locked: Cell<bool>,
    temporaries: TemporaryNames,
    /// Tells us, and our temporary files, from others, whatever they call their processes.
    pub unique: u64,
}

impl Context {
    /// For the logs of `data_folder`.
    pub fn new(
        files: FileSystemRef,
        data_folder: PathBuf,
        options: Options,
        notices: Arc<dyn NoticeSink>,
    ) -> Self {
        let unique = RandomState::new().hash_one(0);
        Self {
            files,
            options,
            data_folder,
            notifier: Notifier::new(notices),
            metrics: Arc::default(),
            patience: Arc::default(),
            is_locked: Cell::new(false),
            temporaries: TemporaryNames::new(unique),
            unique,
        }
    }

    /// Off where the user wants no syncs at all.
    pub fn syncing(&self) -> Syncing {
        Syncing::from(self.options.fsync != FsyncMode::Never)
    }

    /// Notifies of an event of a log. False for a finding that was notified before; see `store::event`.
    pub fn notify(&self, paths: &LogPaths, event: &Event) -> bool {
        self.pass_on(event.describe(paths))
    }

    fn pass_on(&self, event: Described) -> bool {
        self.notifier.notify(event, self.files.now_ms())
    }

    /// Notifies of a wait for the lock between processes, if it took long.
    pub fn lock_wait_took(&self, waited_us: u64) {
        let duration_ms = waited_us / 1000;
        if duration_ms >= LONG_LOCK_WAIT_MS {
            self.pass_on(lock_wait(&self.data_folder, duration_ms));
        }
    }

    /// Notifies of a sync of a log, if it took long.
    pub fn sync_took(&self, paths: &LogPaths, duration_us: u64) {
        let duration_ms = duration_us / 1000;
        if duration_ms >= SLOW_SYNC_MS {
            self.notify(paths, &Event::SlowSync { duration_ms });
        }
    }

    /// Notifies of a compaction that failed.
    pub fn compaction_failed(&self, paths: &LogPaths, error: &Error) {
        self.notify(paths, &Event::CompactionFailed { error });
    }

    /// A path beside `target` that no other process uses.
    pub fn temporary(&self, target: &Path) -> PathBuf {
        self.temporaries.beside(target)
    }
}
