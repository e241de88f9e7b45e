//! What is due when: pure functions of numbers and time.

/// A large mirror follows its log after this time, while writing it is quick.
const MIRROR_DELAY_MS: u64 = 500;
/// Writing mirrors takes at most one part in this many of the time.
const MIRROR_SHARE: u64 = 10;
/// After a failure, the next try waits this long.
pub const RETRY_DELAY_MS: u64 = 5000;

/// Whether compaction is worth while: the log is over the threshold, and at least half of it is dead.
#[must_use]
pub fn is_compaction_due(log_bytes: u64, live_bytes: u64, threshold_bytes: u64) -> bool {
    log_bytes > threshold_bytes && log_bytes >= live_bytes.saturating_mul(2)
}

/// Milliseconds from the first change that a mirror lacks to writing it.
#[must_use]
pub fn mirror_delay_ms(last_duration_ms: u64) -> u64 {
    MIRROR_DELAY_MS.max(last_duration_ms.saturating_mul(MIRROR_SHARE - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_with_much_dead_weight_are_compacted() {
        assert!(!is_compaction_due(1000, 10, 1000));
        assert!(is_compaction_due(1001, 500, 1000));
        assert!(!is_compaction_due(1001, 501, 1000));
        assert!(is_compaction_due(1, 0, 0));
    }

    #[test]
    fn large_mirrors_take_a_tenth_of_the_time_at_most() {
        assert_eq!(mirror_delay_ms(0), 500);
        assert_eq!(mirror_delay_ms(50), 500);
        assert_eq!(mirror_delay_ms(2000), 18_000);
    }
}
