//! What is counted of a folder and its logs.
//!
//! Invariant: as in `store::metrics`: counting allocates nothing and makes no system call.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::store::metrics::{BATCH_BOUNDS, Counter, DURATION_BOUNDS_US, Durations, Histogram};

/// What is counted of a folder.
pub struct FolderMetrics {
    /// Calls in each batch.
    pub batch_calls: Histogram<9>,
    /// Time until the lock between processes was taken, in microseconds.
    pub lock_wait: Durations,
}

impl Default for FolderMetrics {
    fn default() -> Self {
        Self { batch_calls: Histogram::new(&BATCH_BOUNDS), lock_wait: Durations::new(&DURATION_BOUNDS_US) }
    }
}

/// How many old logs of a kind there are; counted when a log is opened, compacted, or cared for.
#[derive(Default)]
pub struct OldLogs {
    count: AtomicU64,
    bytes: AtomicU64,
}

impl OldLogs {
    /// Replaces both numbers.
    pub fn set(&self, (count, bytes): (u64, u64)) {
        self.count.store(count, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// The number, and their size in bytes.
    pub fn get(&self) -> (u64, u64) {
        (self.count.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// What is counted of a log.
pub struct LogMetrics {
    /// Lines appended by this process.
    pub entries: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Time of each sync of an append, in microseconds.
    pub fsync: Durations,
    /// Time from the call to its acknowledgement, of calls that are timed, in microseconds.
    pub ack: Durations,
    /// Compactions that were done, with the time they took in microseconds.
    pub compaction: Durations,
    /// Compactions that failed.
    pub compactions_failed: Counter,
    /// When the last compaction ended, in milliseconds since 1970; 0 when there was none.
    pub last_compaction_ms: AtomicI64,
    /// Whether it failed.
    pub is_last_compaction_failed: AtomicBool,
    /// Damaged lines that were found.
    pub corrupt_lines: Counter,
    /// Torn tails that were found.
    pub torn_tails: Counter,
    /// Edits of the mirror that were found.
    pub external_edits: Counter,
    /// Mirrors that could not be written.
    pub mirrors_failed: Counter,
    /// Backups and archives as they were counted last.
    pub backups: OldLogs,
    /// See `backups`.
    pub archives: OldLogs,
    /// Since when the mirror is behind the log, on the clock that never jumps, plus one; 0 while it is not.
    behind_since_ms: AtomicU64,
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self {
            entries: Counter::default(),
            bytes: Counter::default(),
            fsync: Durations::new(&DURATION_BOUNDS_US),
            ack: Durations::new(&DURATION_BOUNDS_US),
            compaction: Durations::new(&DURATION_BOUNDS_US),
            compactions_failed: Counter::default(),
            last_compaction_ms: AtomicI64::default(),
            is_last_compaction_failed: AtomicBool::default(),
            corrupt_lines: Counter::default(),
            torn_tails: Counter::default(),
            external_edits: Counter::default(),
            mirrors_failed: Counter::default(),
            backups: OldLogs::default(),
            archives: OldLogs::default(),
            behind_since_ms: AtomicU64::default(),
        }
    }
}

impl LogMetrics {
    /// A compaction ended at `now_ms`; with its duration unless it failed.
    pub fn compacted(&self, now_ms: i64, duration_us: Option<u64>) {
        match duration_us {
            Some(duration_us) => self.compaction.record(duration_us),
            None => self.compactions_failed.add(1),
        }
        self.last_compaction_ms.store(now_ms, Ordering::Relaxed);
        self.is_last_compaction_failed.store(duration_us.is_none(), Ordering::Relaxed);
    }

    /// The mirror shows the log's end.
    pub fn mirror_is_current(&self) {
        self.behind_since_ms.store(0, Ordering::Relaxed);
    }

    /// The mirror lacks what was appended since `since_ms`, or longer, if it was behind already.
    pub fn mirror_is_behind(&self, since_ms: u64) {
        if self.behind_since_ms.load(Ordering::Relaxed) == 0 {
            self.behind_since_ms.store(since_ms + 1, Ordering::Relaxed);
        }
    }

    /// How long the mirror has been behind, in milliseconds; 0 while it is not.
    pub fn mirror_age_ms(&self, now_ms: u64) -> u64 {
        match self.behind_since_ms.load(Ordering::Relaxed) {
            0 => 0,
            since => (now_ms + 1).saturating_sub(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_ages_from_the_first_change_that_it_lacks() {
        let metrics = LogMetrics::default();
        assert_eq!(metrics.mirror_age_ms(500), 0);
        metrics.mirror_is_behind(100);
        metrics.mirror_is_behind(300);
        assert_eq!(metrics.mirror_age_ms(500), 400);
        metrics.mirror_is_current();
        assert_eq!(metrics.mirror_age_ms(500), 0);
    }
}
