//! The clock of a place, as the writer thread needs it.
//!
//! Invariant: `monotonic_us` never goes back, whatever happens to the time of day.

/// A clock that a simulator can drive.
pub trait Clock: Send + Sync {
    /// Microseconds since some fixed moment.
    fn monotonic_us(&self) -> u64;
    /// Waits.
    fn sleep_us(&self, duration_us: u64);
    /// Milliseconds since the same moment.
    fn monotonic_ms(&self) -> u64 {
        self.monotonic_us() / 1000
    }
}
