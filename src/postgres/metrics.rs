//! What is counted of a server place.
//!
//! Invariant: as in `store::metrics`: counting allocates nothing and makes no system call.

use crate::store::metrics::{BATCH_BOUNDS, Counter, DURATION_BOUNDS_US, Durations, Histogram};
use crate::vfs::FileSystemRef;

/// See the header of this file.
pub struct ServerMetrics {
    /// Calls in each batch.
    pub batch_calls: Histogram<9>,
    /// Microseconds from the call to its acknowledgement.
    pub ack: Durations,
    /// Microseconds of the round trip of each commit, also of one that is refused, lost or in conflict.
    pub commit: Durations,
    /// Microseconds of each read: from the question to its last row.
    pub read: Durations,
    /// Questions that were sent and answered, or lost.
    pub round_trips: Counter,
    /// Questions about what keys have, before a batch.
    pub reads_ahead: Counter,
    /// Batches that met other versions than they expected.
    pub conflicts: Counter,
    /// Batches that were sent again after a failure that passes.
    pub retries: Counter,
    /// Batches that were sent again under the same name after a loss.
    pub repeats: Counter,
    /// Connections that were opened.
    pub connections: Counter,
    /// Calls whose time was over.
    pub timeouts: Counter,
}

impl Default for ServerMetrics {
    fn default() -> Self {
        Self {
            batch_calls: Histogram::new(&BATCH_BOUNDS),
            ack: Durations::new(&DURATION_BOUNDS_US),
            commit: Durations::new(&DURATION_BOUNDS_US),
            read: Durations::new(&DURATION_BOUNDS_US),
            round_trips: Counter::default(),
            reads_ahead: Counter::default(),
            conflicts: Counter::default(),
            retries: Counter::default(),
            repeats: Counter::default(),
            connections: Counter::default(),
            timeouts: Counter::default(),
        }
    }
}

/// What `question` gives; its time is counted.
pub fn timed<T>(durations: &Durations, clock: &FileSystemRef, question: impl FnOnce() -> T) -> T {
    let started_us = clock.monotonic_us();
    let answer = question();
    durations.record(clock.monotonic_us().saturating_sub(started_us));
    answer
}
