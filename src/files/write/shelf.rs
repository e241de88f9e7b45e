//! What readers on other threads see of one log: its durable state, and the stamps that tell whether
//! it is still what the files hold.
//!
//! Invariant: the state under the lock is always that of whole, acknowledged batches. `is_current`
//! is false while the writer has not loaded the log, or cannot trust the stamps.

use parking_lot::RwLock;

use std::sync::atomic::Ordering;

use crate::data::state::State;
use crate::files::log::file::LogPaths;
use crate::files::metrics::LogMetrics;
use crate::files::report::LogReport;
use crate::vfs::{FileSystem, Stamp};

/// See the header of this file.
pub struct Shelf {
    /// The log's files.
    pub paths: LogPaths,
    /// What is counted of the log.
    pub(crate) metrics: LogMetrics,
    pub(crate) published: RwLock<Published>,
}

/// Whether an answer takes edits of the mirror into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// It does, so the log must have a mirror.
    Counted,
    /// It need not: the log may have none.
    Ignored,
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
        Self { paths, metrics: LogMetrics::default(), published: RwLock::default() }
    }

    /// What was counted, and what there is. `now_ms` is of the clock that never jumps.
    #[must_use]
    pub fn report(&self, now_ms: u64) -> LogReport {
        let metrics = &self.metrics;
        let (size_bytes, live_bytes, keys) = {
            let published = self.published.read();
            let size_bytes = published.log.map_or(0, |stamp| stamp.size_bytes);
            (size_bytes, published.state.live_bytes(), published.state.len() as u64)
        };
        LogReport {
            name: self.paths.name.as_str().to_owned(),
            entries: metrics.entries.get(),
            bytes: metrics.bytes.get(),
            size_bytes,
            live_bytes,
            keys,
            fsync_us: metrics.fsync.read(),
            ack_us: metrics.ack.read(),
            compaction_us: metrics.compaction.read(),
            compactions_failed: metrics.compactions_failed.get(),
            last_compaction_ms: metrics.last_compaction_ms.load(Ordering::Relaxed),
            is_last_compaction_failed: metrics.is_last_compaction_failed.load(Ordering::Relaxed),
            mirror_age_ms: metrics.mirror_age_ms(now_ms),
            corrupt_lines: metrics.corrupt_lines.get(),
            torn_tails: metrics.torn_tails.get(),
            external_edits: metrics.external_edits.get(),
            mirrors_failed: metrics.mirrors_failed.get(),
            backups: metrics.backups.get(),
            archives: metrics.archives.get(),
        }
    }

    /// What a key literal had last, whether or not the files are as they were. A guess.
    #[must_use]
    pub fn guess(&self, key: &str) -> Option<String> {
        self.published.read().state.get(key).map(|member| member.value().to_owned())
    }

    /// Answers from memory while the files are as they were; `None` when the writer must check first.
    pub fn read<R>(
        &self,
        files: &dyn FileSystem,
        edits: Edits,
        answer: impl FnOnce(&State) -> Option<R>,
    ) -> Option<R> {
        let published = self.published.try_read()?;
        let is_same = |path, known| files.stamp(path).is_ok_and(|found| found == known);
        let is_current = published.is_current
            && (published.is_mirrored || edits == Edits::Ignored)
            && is_same(&self.paths.log, published.log)
            && (!published.is_mirrored || is_same(&self.paths.mirror, published.mirror));
        if is_current { answer(&published.state) } else { None }
    }
}
