//! When a server that is away is tried again: at once, then after pauses that grow up to a second. Pauses between calls
//! that met a conflict are drawn by chance, so that two hosts do not meet again and again.
//!
//! Invariant: pauses are bounded; the last failure is kept for the errors of the calls that wait.

use std::hash::{BuildHasher, Hasher, RandomState};

const FIRST_PAUSE_MS: u64 = 20;
const PAUSE_MS_MAX: u64 = 1_000;
const JITTER_US_MAX: u64 = 50_000;

/// See the header of this file.
#[derive(Default)]
pub struct Retry {
    /// When the first of the failures was, and how many followed without a success.
    since_ms: Option<u64>,
    failures: u32,
    due_ms: Option<u64>,
    last_failure: String,
    chance: RandomState,
    drawn: u64,
}

impl Retry {
    /// The server is away. True: it was there before.
    pub fn failed(&mut self, now_ms: u64, reason: &str) -> bool {
        let is_first = self.since_ms.is_none();
        self.since_ms.get_or_insert(now_ms);
        let pause_ms = if is_first { 0 } else { FIRST_PAUSE_MS << self.failures.min(6) };
        self.failures += 1;
        self.due_ms = Some(now_ms + pause_ms.min(PAUSE_MS_MAX));
        reason.clone_into(&mut self.last_failure);
        is_first
    }

    /// The server is there. Gives for how long it was away.
    pub fn succeeded(&mut self, now_ms: u64) -> Option<u64> {
        self.failures = 0;
        self.due_ms = None;
        self.last_failure.clear();
        self.since_ms.take().map(|since_ms| now_ms.saturating_sub(since_ms))
    }

    /// Whether the server is away.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.since_ms.is_some()
    }

    /// Whether the next try is later than now.
    #[must_use]
    pub fn is_later(&self, now_ms: u64) -> bool {
        self.due_ms.is_some_and(|due_ms| due_ms > now_ms)
    }

    /// When the next try is due.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// Something went wrong that passes, while the server is there.
    pub fn note(&mut self, reason: &str) {
        reason.clone_into(&mut self.last_failure);
    }

    /// What went wrong last; empty once the server is there.
    #[must_use]
    pub fn last_failure(&self) -> &str {
        &self.last_failure
    }

    /// A pause for the sake of others, longer with each try.
    pub fn jitter_us(&mut self, tries: u32) -> u64 {
        self.drawn += 1;
        let mut hasher = self.chance.build_hasher();
        hasher.write_u64(self.drawn);
        let bound_us = (500_u64 << tries.min(7)).min(JITTER_US_MAX);
        hasher.finish() % bound_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_at_once_and_pauses_grow_up_to_a_bound() {
        let mut retry = Retry::default();
        assert!(retry.failed(100, "reset"));
        assert!(!retry.is_later(100), "at once");
        let mut last_ms = 0;
        for _ in 0..20 {
            assert!(!retry.failed(1000, "refused"));
            let pause_ms = retry.due_ms().expect("it is due") - 1000;
            assert!((last_ms..=PAUSE_MS_MAX).contains(&pause_ms), "{pause_ms}");
            last_ms = pause_ms;
        }
        assert_eq!(last_ms, PAUSE_MS_MAX);
        assert_eq!(retry.last_failure(), "refused");
        assert_eq!(retry.succeeded(5100), Some(5000));
        assert!(!retry.is_failing() && !retry.is_later(0));
        assert_eq!(retry.succeeded(5200), None);
    }

    #[test]
    fn pauses_for_others_differ_and_are_bounded() {
        let mut retry = Retry::default();
        let drawn: Vec<u64> = (0..50).map(|tries| retry.jitter_us(tries)).collect();
        assert!(drawn.iter().all(|pause_us| *pause_us < JITTER_US_MAX));
        assert!(drawn.iter().any(|pause_us| *pause_us != drawn[0]));
    }
}
