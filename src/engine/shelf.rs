//! What readers on other threads see of one log: its durable state, and the stamps that tell whether
//! it is still what the files hold.
//!
//! Invariant: the state under the lock is always that of whole, acknowledged batches. `is_current`
//! is false while the writer has not loaded the log, or cannot trust the stamps.

use parking_lot::RwLock;

use super::log::LogPaths;
use super::state::State;
use crate::vfs::{FileSystem, Stamp};

/// See the header of this file.
pub struct Shelf {
    /// The log's files.
    pub paths: LogPaths,
    pub(super) published: RwLock<Published>,
}

/// The state and what it was read from.
#[derive(Default)]
pub struct Published {
    /// Durable state, foreign edits included.
    pub state: State,
    /// The log when `state` was right.
    pub log: Option<Stamp>,
    /// The mirror when `state` was right.
    pub mirror: Option<Stamp>,
    /// False where the mirror is of no concern.
    pub is_mirrored: bool,
    /// See the header of this file.
    pub is_current: bool,
}

impl Shelf {
    /// A shelf for a log that is not loaded yet.
    #[must_use]
    pub fn new(paths: LogPaths) -> Self {
        Self { paths, published: RwLock::default() }
    }

    /// Answers from memory when the files are as they were; `None` when the writer must look first.
    /// With `needs_mirror`, only if edits of the mirror are taken into account.
    pub fn read<R>(
        &self,
        files: &dyn FileSystem,
        needs_mirror: bool,
        answer: impl FnOnce(&State) -> Option<R>,
    ) -> Option<R> {
        let published = self.published.try_read()?;
        let is_same = |path, known| files.stamp(path).is_ok_and(|found| found == known);
        let is_current = published.is_current
            && (published.is_mirrored || !needs_mirror)
            && is_same(&self.paths.log, published.log)
            && (!published.is_mirrored || is_same(&self.paths.mirror, published.mirror));
        if is_current { answer(&published.state) } else { None }
    }
}
