//! How long calls wait: those of a folder for the lock between processes, and at an end those of a server for it.
//!
//! ```text
//! call made ────────── waited for the lock: at most 30 s, whatever else it waits for ──────────> tried once more
//! exit      ─────── 5 s ──────> all calls of the folder give up, and what is left is named
//! ```
//!
//! The clock is the time that the folder's writer has spent waiting, so neither a slow disk nor a long queue counts. A
//! call notes where it stands when it is made.
//!
//! Invariant: `waited_us` only grows, also while somebody waits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How long a call waits for the lock, in all.
pub const WAIT_US_MAX: u64 = 30_000_000;
/// How long the end of a process or thread waits for it, in all.
pub const EXIT_WAIT_US_MAX: u64 = 5_000_000;
/// Calls that have no more than this left give up together with an earlier one.
const LEFT_US_MIN: u64 = 100_000;

/// See the header of this file.
#[derive(Default)]
pub struct Patience {
    waited_us: AtomicU64,
    /// How many wait for the end of a process or thread.
    ends: AtomicU64,
    /// Where `waited_us` may stand at most while somebody waits for an end.
    limit_us: AtomicU64,
    /// An end gave up, and what it waited for was not there since: the next one need not wait again.
    has_given_up: AtomicBool,
}

impl Patience {
    /// For how long the folder's calls have waited for the lock, in microseconds.
    pub fn waited_us(&self) -> u64 {
        self.waited_us.load(Ordering::Relaxed)
    }

    /// What a call that was made at `asked_us` (of this clock) has left; 0 when it gives up.
    pub fn left_us(&self, asked_us: u64) -> u64 {
        let left_us = WAIT_US_MAX.saturating_sub(self.waited_us().saturating_sub(asked_us));
        if left_us < LEFT_US_MIN { 0 } else { left_us }
    }

    /// Somebody waits at this point of the clock.
    pub fn wait_until(&self, waited_us: u64) {
        self.waited_us.store(waited_us, Ordering::Relaxed);
    }

    /// What was waited for is there.
    pub fn succeeded(&self) {
        if self.has_given_up.load(Ordering::Relaxed) {
            self.has_given_up.store(false, Ordering::Relaxed);
        }
    }

    /// A process or thread ends: until `ended`, waits are short.
    pub fn end(&self) {
        if self.ends.fetch_add(1, Ordering::AcqRel) == 0 {
            let more_us = if self.has_given_up.load(Ordering::Relaxed) { 0 } else { EXIT_WAIT_US_MAX };
            self.limit_us.store(self.waited_us().saturating_add(more_us), Ordering::Release);
        }
    }

    /// The end is there.
    pub fn ended(&self) {
        self.ends.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether a process or thread ends.
    pub fn is_ending(&self) -> bool {
        self.ends.load(Ordering::Acquire) > 0
    }

    /// What somebody who waits at this point of the clock has left for the sake of an end; without one it has no bound.
    pub fn left_at_end_us(&self, waited_us: u64) -> u64 {
        if self.is_ending() {
            self.limit_us.load(Ordering::Acquire).saturating_sub(waited_us)
        } else {
            u64::MAX
        }
    }

    /// Whether who waits at this point of the clock gives up for the sake of an end.
    pub fn is_over(&self, waited_us: u64) -> bool {
        let is_over = self.is_ending() && waited_us >= self.limit_us.load(Ordering::Acquire);
        if is_over {
            self.has_given_up.store(true, Ordering::Relaxed);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_only_the_time_since_it_was_made() {
        let patience = Patience::default();
        patience.wait_until(20_000_000);
        assert_eq!(patience.left_us(0), 10_000_000);
        assert_eq!(patience.left_us(20_000_000), WAIT_US_MAX);
        patience.wait_until(29_950_000);
        assert_eq!(patience.left_us(0), 0, "the rest is too short to wait for by itself");
        patience.wait_until(90_000_000);
        assert_eq!(patience.left_us(0), 0);
    }

    #[test]
    fn an_end_waits_once_until_the_lock_was_had_again() {
        let patience = Patience::default();
        patience.wait_until(7_000_000);
        assert!(!patience.is_over(99_000_000), "nobody waits for an end");
        assert_eq!(patience.left_at_end_us(0), u64::MAX);
        patience.end();
        assert_eq!(patience.left_at_end_us(11_000_000), 1_000_000);
        assert!(!patience.is_over(11_999_999));
        assert!(patience.is_over(12_000_000));
        patience.wait_until(12_000_000);
        patience.ended();
        assert!(!patience.is_over(99_000_000));
        patience.end();
        assert!(patience.is_over(12_000_000), "it was waited for already");
        patience.ended();
        patience.succeeded();
        patience.end();
        assert!(!patience.is_over(12_000_000));
    }
}
