//! The system's two clocks, for all that needs the time and is not simulated.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    since_1970_ns(SystemTime::now()).div_euclid(1_000_000)
}

/// Microseconds of a clock that never jumps, since this process first asked.
#[must_use]
pub fn monotonic_us() -> u64 {
    // Each append asks twice, so not `as_micros`, which divides 128 bits.
    let elapsed = started().elapsed();
    elapsed.as_secs() * 1_000_000 + u64::from(elapsed.subsec_micros())
}

fn started() -> Instant {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// Nanoseconds since 1970 of a time, as the system gives it.
pub(super) fn since_1970_ns(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// Waits.
pub fn sleep_us(duration_us: u64) {
    std::thread::sleep(Duration::from_micros(duration_us));
}
