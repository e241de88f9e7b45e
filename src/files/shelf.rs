//! What readers on other threads see of one log: its durable state, and the stamps that show whether
//! it still is what the files hold.
//!
//! Invariant: the state under the lock is always that of whole, acknowledged batches. `is_current`
//! is false while the writer has not loaded the log, or cannot trust the stamps.

use parking_lot::RwLock;

use std::sync::atomic::Ordering;

use crate::data::state::State;
use crate::files::log::paths::LogPaths;
use crate::files::metrics::LogMetrics;
use crate::files::report::LogReport;
use crate::vfs::{FileSystem, Stamp};

/// See the header of this file.
pub struct Shelf {
    /// The log's files.
    pub paths: LogPaths,
    /// What is counted of the log.
    pub(crate) metrics: LogMetrics,
    published: RwLock<Published>,
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
struct Published {
    /// Durable state, foreign edits included.
    state: State,
    stamps: Stamps,
}

/// The files that the published state was read from.
#[derive(Clone, Copy, Default)]
pub struct Stamps {
    /// The log.
    pub log: Option<Stamp>,
    /// The mirror.
    pub mirror: Option<Stamp>,
    /// The log has a mirror.
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

    /// Looks at the state.
    pub fn with_state<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.published.read().state)
    }

    /// Changes the state to that of the log with this stamp. For the writer.
    pub fn change(&self, log: Option<Stamp>, change: impl FnOnce(&mut State)) {
        let mut published = self.published.write();
        change(&mut published.state);
        published.stamps.log = log;
    }

    /// The log has the values at other offsets now.
    pub fn move_values(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.published.write().state);
    }

    /// Keeps the numbers of a field, which were read from the state.
    pub fn add_field(&self, field: &str, numbers: Vec<f64>) {
        self.published.write().state.add_field(field, numbers);
    }

    /// Puts a state in the place of the one that is there.
    pub fn put(&self, state: State) {
        self.published.write().state = state;
    }

    /// Takes the state away until `put`; meanwhile nobody reads it.
    pub fn take_state(&self) -> State {
        let mut published = self.published.write();
        published.stamps.is_current = false;
        std::mem::take(&mut published.state)
    }

    /// From now on readers ask the writer.
    pub fn distrust(&self) {
        self.published.write().stamps.is_current = false;
    }

    /// Lets readers answer from memory while the files have these stamps.
    pub fn publish(&self, stamps: Stamps) {
        self.published.write().stamps = stamps;
    }

    /// What was counted, and what there is. `now_ms` is of the clock that never jumps, `wall_ms` since 1970.
    #[must_use]
    pub fn report(&self, now_ms: u64, wall_ms: i64) -> LogReport {
        let metrics = &self.metrics;
        let (size_bytes, live_bytes, keys) = {
            let published = self.published.read();
            let size_bytes = published.stamps.log.map_or(0, |stamp| stamp.size_bytes);
            (size_bytes, published.state.live_bytes(), published.state.live_len(wall_ms) as u64)
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

    /// The last known values of key literals, whether or not the files are as they were. A guess; none where one of the
    /// keys is not there.
    #[must_use]
    pub fn guess(&self, keys: &[String], now_ms: i64) -> Option<Vec<Option<String>>> {
        let published = self.published.read();
        keys.iter()
            .map(|key| published.state.get_live(key, now_ms).map(|member| Some(member.value().to_owned())))
            .collect()
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
        let stamps = &published.stamps;
        let is_current = stamps.is_current
            && (stamps.is_mirrored || edits == Edits::Ignored)
            && is_same(&self.paths.log, stamps.log)
            && (!stamps.is_mirrored || is_same(&self.paths.mirror, stamps.mirror));
        if is_current { answer(&published.state) } else { None }
    }
}
