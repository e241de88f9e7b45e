//! The clock of a server, as far as it was heard: one for all hosts, so that a key ends for all of them at once.
//!
//! ```text
//! asked ──────── server says 12:00:00.000 ──────── answered       the server's time minus ours lies between
//! ```
//!
//! The difference stays as it is while it lies in the interval of the newest answer, else it moves to the nearer end: it is
//! never wrong by more than the time of one round trip, and does not jump about within it. It is counted from a clock that
//! never jumps.
//!
//! Invariant: what SQL decides, it decides by the server's own clock; this one is for rules that run here.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::vfs::FileSystemRef;

/// Nothing was heard yet.
const UNHEARD: i64 = i64::MIN;

/// See the header of this file.
pub struct ServerClock {
    clock: FileSystemRef,
    ahead_ms: AtomicI64,
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl ServerClock {
    /// A clock that nothing was heard of: until then it is the host's.
    #[must_use]
    pub fn new(clock: FileSystemRef) -> Self {
        Self { clock, ahead_ms: AtomicI64::new(UNHEARD) }
    }

    /// Milliseconds of a clock that never jumps, for `heard`.
    #[must_use]
    pub fn asked_ms(&self) -> i64 {
        signed(self.clock.monotonic_ms())
    }

    /// The server said so in an answer to what was asked at `asked_ms`.
    pub fn heard(&self, server_ms: i64, asked_ms: i64) {
        let (least, most) = (server_ms - self.asked_ms(), server_ms - asked_ms);
        let before = self.ahead_ms.load(Ordering::Relaxed);
        let ahead_ms =
            if before == UNHEARD { least + (most - least) / 2 } else { before.clamp(least, most.max(least)) };
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self.ahead_ms.load(Ordering::Relaxed) {
            UNHEARD => self.clock.now_ms(),
            ahead_ms => self.asked_ms() + ahead_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vfs::simulated::SimulatedDisk;

    #[test]
    fn it_is_right_within_a_round_trip_whatever_the_clock_of_the_host_does() {
        let disk = SimulatedDisk::new();
        let clock = ServerClock::new(Arc::new(disk.outsider()));
        assert_eq!(clock.now_ms(), disk.now_ms(), "nothing was heard yet");
        let hear = |server_ms: i64, round_trip_ms: u64| {
            let asked_ms = clock.asked_ms();
            disk.advance_ms(round_trip_ms);
            clock.heard(server_ms, asked_ms);
            clock.now_ms()
        };
        assert_eq!(hear(1_000_000, 10), 1_000_005);
        disk.set_now_ms(5);
        assert_eq!(clock.now_ms(), 1_000_005, "the clock of the host was set");
        assert_eq!(hear(1_000_012, 20), 1_000_025, "within the round trip: it stays");
        assert_eq!(hear(1_000_225, 10), 1_000_225, "the server's was set forward: at least that");
        assert_eq!(hear(1_000_000, 10), 1_000_010, "and back: at most that");
    }
}
