//! How a question beside the writer is tried again until it is answered or its time is over.
//!
//! Invariant: a question has its time from when it was called, and one try has a while in any case: else of questions
//! that wait in a row each would find next to no time left.

use crate::error::{Error, Outcome, Result};
use crate::postgres::wire::{Asked, Loss};
use crate::vfs::FileSystemRef;

/// A server that says nothing for so long is given up. One that is busy, or waits for its disk, may take seconds.
pub const SILENCE_MS_MAX: u64 = 10_000;
/// A server has so long for an answer, whatever the call has left, where a call may take so long at all.
pub const QUESTION_MS_MIN: u64 = 5_000;
/// A pause between two tries.
const PAUSE_US: u64 = 100_000;

/// See the header of this file.
#[derive(Clone)]
pub struct Tries {
    /// The clock.
    pub clock: FileSystemRef,
    /// How long a call waits for the server.
    pub timeout_ms: u64,
}

impl Tries {
    /// Asks until there is an answer or the time is over. `ask` gets the milliseconds that it may take.
    ///
    /// # Errors
    /// What the server refuses, or `ERR_TIMEOUT`.
    pub fn until_answered<T>(&self, asked_us: u64, mut ask: impl FnMut(u64) -> Asked<T>) -> Result<T> {
        let mut last_failure = String::new();
        loop {
            let past_ms = self.clock.monotonic_us().saturating_sub(asked_us) / 1000;
            let left_ms = self.timeout_ms.saturating_sub(past_ms);
            if left_ms == 0 {
                let bound = format!("within {} ms", self.timeout_ms);
                return Err(Error::timeout(&bound, Outcome::Unchanged, &last_failure));
            }
            match ask(left_ms.max(self.timeout_ms.min(QUESTION_MS_MIN))) {
                Ok(answer) => return Ok(answer),
                Err(Loss::Refused(error)) => return Err(error),
                Err(Loss::Lost(error) | Loss::Again(error)) => error.message().clone_into(&mut last_failure),
                Err(Loss::Duplicate) => {}
            }
            self.clock.sleep_us(PAUSE_US.min(left_ms * 1000));
        }
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vfs::FileSystem;
    use crate::vfs::simulated::SimulatedDisk;

    #[test]
    fn a_question_has_a_while_in_any_case_and_is_not_asked_when_its_time_is_over() {
        let clock = SimulatedDisk::new();
        let tries = Tries { clock: Arc::new(clock.outsider()), timeout_ms: 30_000 };
        let asked_us = clock.outsider().monotonic_us();
        assert_eq!(tries.until_answered(asked_us, Ok).expect("answered"), 30_000);
        clock.advance_ms(29_999);
        assert_eq!(tries.until_answered(asked_us, Ok).expect("answered"), QUESTION_MS_MIN);
        clock.advance_ms(1);
        assert!(tries.until_answered(asked_us, Ok).is_err());
    }
}
