//! Counters and histograms, counted where the work is done.
//!
//! One thread counts (the writer), any thread reads. Each number is an atomic of its own, so a reader may see a batch
//! half counted, and nobody ever waits. What is there anyway, such as the size of a state, is not counted but read
//! when somebody asks (`report`).
//!
//! Invariant: counting allocates nothing and makes no system call; a burst of appends is counted by the batch, and
//! only one in some calls of it is timed.

use std::sync::atomic::{AtomicU64, Ordering};

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
}
