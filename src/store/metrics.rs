//! Counters and histograms of a folder and its logs, counted where the work is done.
//!
//! One thread counts (the writer), any thread reads. Each number is an atomic of its own, so a reader may see a batch
//! half counted, and nobody ever waits. What is there anyway, such as the size of a state, is not counted but read
//! when somebody asks (`report`).
//!
//! Invariant: counting allocates nothing and makes no system call; a burst of appends is counted by the batch, and
//! only one in some calls of it is timed.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// One call in so many is timed while calls queue up; one that finds the queue empty always is.
pub const TIMED_CALLS: usize = 16;

/// Upper bounds of durations, in microseconds: from 50 µs to 10 s.
pub const DURATION_BOUNDS_US: [u64; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_000_000, 10_000_000];
/// Upper bounds of the number of calls in a batch.
pub const BATCH_BOUNDS: [u64; 9] = [1, 2, 5, 10, 50, 100, 500, 2_000, 10_000];

/// A number that grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often a value fell between which bounds.
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    counts: [Counter; N],
    beyond: Counter,
    sum: Counter,
}

/// A histogram of durations.
pub type Durations = Histogram<14>;

impl<const N: usize> Histogram<N> {
    /// An empty histogram with these upper bounds, ascending.
    pub fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Counter::default()),
            beyond: Counter::default(),
            sum: Counter::default(),
        }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts.get(place).unwrap_or(&self.beyond).add(1);
        self.sum.add(value);
    }

    /// The numbers as they are now.
    pub fn read(&self) -> Distribution {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(N);
        for (bound, counter) in self.bounds.iter().zip(&self.counts) {
            count += counter.get();
            buckets.push((*bound, count));
        }
        Distribution { buckets, count: count + self.beyond.get(), sum: self.sum.get() }
    }
}

/// A histogram as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bound, and how many values are at most that.
    pub buckets: Vec<(u64, u64)>,
    /// How many values there are.
    pub count: u64,
    /// What they come to together.
    pub sum: u64,
}

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

/// How many old logs of a kind there are; counted when a log is opened, compacted, or looked after.
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
    fn a_value_is_counted_up_to_its_bound() {
        let histogram = Histogram::new(&[1, 5, 10]);
        for value in [0, 1, 2, 5, 6, 11, 100] {
            histogram.record(value);
        }
        let expected = Distribution { buckets: vec![(1, 2), (5, 4), (10, 5)], count: 7, sum: 125 };
        assert_eq!(histogram.read(), expected);
    }

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
