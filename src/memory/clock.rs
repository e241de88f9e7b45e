//! The system's clock, for the writer of a place in memory.

use crate::store::clock::Clock;
use crate::vfs::{monotonic_us, sleep_us};

/// See the header of this file.
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic_us(&self) -> u64 {
        monotonic_us()
    }

    fn sleep_us(&self, duration_us: u64) {
        sleep_us(duration_us);
    }
}
