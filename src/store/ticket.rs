//! The way back of a call: its ticket, and the outlet of the thread that waits.
//!
//! Invariant: every `Ticket` is answered exactly once. One that is dropped answers itself with an error, so no promise
//! waits for ever.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::answer::Answer;

/// Where answers go: one a JavaScript thread.
pub trait Outlet: Send + Sync {
    /// Keeps an answer for the call `id`.
    fn deliver(&self, id: usize, answer: Result<Answer>);
    /// Hands everything over that was kept, in one go.
    fn flush(&self);
}

/// The right and the duty to answer one call.
pub struct Ticket {
    outlet: Arc<dyn Outlet>,
    id: usize,
    /// When the call was made, on the clock that never jumps, if it is timed.
    asked_us: Option<u64>,
    /// When it was made, on the clock of `Patience`.
    waits_from_us: u64,
    /// It was staged before and is staged again: it comes before all that waits.
    is_again: bool,
    /// No earlier call of its thread waits.
    is_first: bool,
    is_answered: bool,
}

impl Ticket {
    /// A ticket for the call that `outlet` knows as `id`.
    pub fn new(outlet: Arc<dyn Outlet>, id: usize) -> Self {
        Self {
            outlet,
            id,
            asked_us: None,
            waits_from_us: 0,
            is_again: false,
            is_first: false,
            is_answered: false,
        }
    }

    /// The call is timed from here.
    pub fn time_from(&mut self, asked_us: u64) {
        self.asked_us = Some(asked_us);
    }

    /// When the call was made, if it is timed.
    #[must_use]
    pub fn asked_us(&self) -> Option<u64> {
        self.asked_us
    }

    /// The call's waits for the lock between processes count from here, on the clock of `Patience`.
    pub fn wait_from(&mut self, waited_us: u64) {
        self.waits_from_us = waited_us;
    }

    /// From where the call's waits for the lock count.
    #[must_use]
    pub fn waits_from_us(&self) -> u64 {
        self.waits_from_us
    }

    /// No earlier call of its thread waits: it need not come behind one.
    pub fn follow_nothing(&mut self) {
        self.is_first = true;
    }

    /// Whether no earlier call of its thread waited when it was made.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// The call was staged and is to be staged again.
    pub fn stage_again(&mut self) {
        self.is_again = true;
    }

    /// Whether it was staged before.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// Whether `other` goes to the same JavaScript thread.
    #[must_use]
    pub fn is_of(&self, other: &Arc<dyn Outlet>) -> bool {
        Arc::ptr_eq(&self.outlet, other)
    }

    /// Where the answer goes.
    #[must_use]
    pub fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::clone(&self.outlet)
    }

    /// Answers the call. The caller hears of it at the outlet's next flush.
    #[must_use]
    pub fn answer(mut self, answer: Result<Answer>) -> Arc<dyn Outlet> {
        self.is_answered = true;
        self.outlet.deliver(self.id, answer);
        Arc::clone(&self.outlet)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_answered {
            self.outlet.deliver(self.id, Err(Error::internal("a call was dropped without an answer")));
            self.outlet.flush();
        }
    }
}
