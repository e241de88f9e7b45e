//! How long calls have left, and with them the questions that the core asks for their sake.
//!
//! ```text
//! a call       its deadline: the option `timeoutMs` after it was made
//! an answer    what the call that waits longest has left, but `QUESTION_MS_MIN` in any case, and no longer than an end waits
//! a silence    no longer than `SILENCE_MS_MAX`; of a batch longer with its text
//! ```
//!
//! Invariant: no question is waited for without a bound.

use std::sync::Arc;

use crate::postgres::tries::{QUESTION_MS_MIN, SILENCE_MS_MAX};
use crate::store::patience::Patience;
use crate::store::request::Request;
use crate::store::ticket::Ticket;
use crate::vfs::FileSystemRef;

/// Calls that have no more than this left are given up together with an earlier one.
const LEFT_MS_MIN: u64 = 100;
/// For so much text of a batch a server has a millisecond more.
const BYTES_PER_MS: u64 = 1_000;

/// See the header of this file.
pub struct Deadlines {
    clock: FileSystemRef,
    patience: Arc<Patience>,
    timeout_ms: u64,
}

impl Deadlines {
    /// Calls wait for so long, on this clock; an end has a patience of its own.
    #[must_use]
    pub fn new(clock: FileSystemRef, patience: Arc<Patience>, timeout_ms: u64) -> Self {
        Self { clock, patience, timeout_ms }
    }

    /// The time, on the clock that never jumps.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.monotonic_us() / 1000
    }

    /// When this call is given up.
    #[must_use]
    pub fn of(&self, ticket: &Ticket) -> u64 {
        ticket.asked_us().map_or_else(|| self.now_ms(), |asked_us| asked_us / 1000) + self.timeout_ms
    }

    /// Up to when deadlines are over now, where the first of those that wait is `first_ms`: with a call go those that have
    /// next to no time left.
    #[must_use]
    pub fn over_until_ms(&self, first_ms: Option<u64>) -> u64 {
        let now_ms = self.now_ms();
        match first_ms {
            Some(first_ms) if first_ms <= now_ms => now_ms + LEFT_MS_MIN.min(self.timeout_ms / 10),
            _ => now_ms,
        }
    }

    /// How long this call has left. Where none waits, calls that come meanwhile do.
    fn left_ms(&self, first: Option<&Request>) -> u64 {
        first.map_or(self.timeout_ms, |first| self.of(&first.ticket).saturating_sub(self.now_ms()))
    }

    /// How long the server may take for an answer, for the sake of the call that waits longest. It has a while in any
    /// case: of calls that wait in a row, the first has next to no time left, again and again.
    fn answer_ms(&self, first: Option<&Request>) -> u64 {
        let least_ms = self.timeout_ms.min(QUESTION_MS_MIN);
        self.left_ms(first).max(least_ms).min(self.end_ms()).max(1)
    }

    /// The same for an answer that is short.
    #[must_use]
    pub fn short_answer_ms(&self, first: Option<&Request>) -> u64 {
        self.answer_ms(first).min(SILENCE_MS_MAX)
    }

    /// The same for the answer to a batch with so much text.
    #[must_use]
    pub fn commit_ms(&self, first: Option<&Request>, size_bytes: u64) -> u64 {
        self.answer_ms(first).min(SILENCE_MS_MAX + size_bytes / BYTES_PER_MS)
    }

    /// The same for an answer that may take all the time of its call.
    #[must_use]
    pub fn whole_ms(&self, request: &Request) -> u64 {
        self.left_ms(Some(request)).min(self.end_ms()).max(self.short_answer_ms(Some(request)))
    }

    /// How long an end waits for a server, if there is one.
    fn end_ms(&self) -> u64 {
        self.patience.left_at_end_us(self.patience.waited_us()) / 1000
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use super::*;
    use crate::data::name::LogName;
    use crate::error::Result;
    use crate::store::answer::Answer;
    use crate::store::request::Work;
    use crate::store::ticket::Outlet;
    use crate::vfs::FileSystem;
    use crate::vfs::simulated::SimulatedDisk;

    struct Nobody;

    impl Outlet for Nobody {
        fn deliver(&self, _: usize, _: Result<Answer>) {}

        fn flush(&self) {}
    }

    fn call(clock: &SimulatedDisk) -> Request {
        let mut ticket = Ticket::new(Arc::new(Nobody), 0);
        ticket.time_from(clock.outsider().monotonic_us());
        let log = LogName::new("coins").expect("a name");
        Request { log, is_collection: true, work: Work::Compact, size_bytes: 0, ticket }
    }

    fn deadlines(clock: &SimulatedDisk, timeout_ms: u64) -> (Deadlines, Arc<Patience>) {
        let patience = Arc::<Patience>::default();
        (Deadlines::new(Arc::new(clock.outsider()), Arc::clone(&patience), timeout_ms), patience)
    }

    #[test]
    fn an_answer_has_what_its_call_has_left_and_a_while_in_any_case() {
        let clock = SimulatedDisk::new();
        let (deadlines, _) = deadlines(&clock, 30_000);
        let call = call(&clock);
        assert_eq!(deadlines.answer_ms(Some(&call)), 30_000);
        assert_eq!(deadlines.short_answer_ms(Some(&call)), SILENCE_MS_MAX);
        assert_eq!(deadlines.commit_ms(Some(&call), 2_000_000), SILENCE_MS_MAX + 2_000);
        clock.advance_ms(29_000);
        assert_eq!(deadlines.left_ms(Some(&call)), 1_000);
        assert_eq!(deadlines.answer_ms(Some(&call)), QUESTION_MS_MIN);
        assert_eq!(deadlines.whole_ms(&call), QUESTION_MS_MIN);
    }

    #[test]
    fn an_end_bounds_every_answer() {
        let clock = SimulatedDisk::new();
        let (deadlines, patience) = deadlines(&clock, 30_000);
        let call = call(&clock);
        patience.end();
        assert_eq!(deadlines.answer_ms(Some(&call)), 5_000);
        patience.wait_until(4_900_000);
        assert_eq!(deadlines.answer_ms(Some(&call)), 100);
        patience.wait_until(9_000_000);
        assert_eq!(deadlines.answer_ms(Some(&call)), 1);
    }

    #[test]
    fn with_a_call_go_those_that_have_next_to_no_time_left() {
        let clock = SimulatedDisk::new();
        let (deadlines, _) = deadlines(&clock, 30_000);
        let first_ms = deadlines.of(&call(&clock).ticket);
        assert_eq!(deadlines.over_until_ms(Some(first_ms)), deadlines.now_ms());
        clock.advance_ms(30_000);
        assert_eq!(deadlines.over_until_ms(Some(first_ms)), first_ms + LEFT_MS_MIN);
        assert_eq!(deadlines.over_until_ms(None), deadlines.now_ms());
    }
}
