//! When compactions and mirrors are due: pure functions of numbers and time. For rotations see `past::schedule`, for what
//! is kept `retention`.

/// A large mirror waits at least so long for further changes.
const MIRROR_DELAY_MS: u64 = 500;
/// It follows its log within a second where it can be written in this time …
const MIRROR_WRITE_MS_MAX: u64 = 500;
/// … with some time to spare as long as there is any.
const MIRROR_FOLLOWS_MS: u64 = 850;
/// Otherwise, and where a second leaves room for it, writing mirrors takes one part in this many of the time.
const MIRROR_SHARE: u64 = 10;
/// What writing mirrors costs is measured over this time at least, so a short burst counts for nothing.
pub const MIRROR_COST_OVER_MS: u64 = 60_000;
/// More of a minute is too much. It is less than `MIRROR_SHARE` of it, so a large mirror that is held there counts.
const MIRROR_COSTLY_MS: u64 = 5000;
/// Costly mirrors of a log are announced once in this time.
pub const MIRROR_COST_EVERY_MS: u64 = 3_600_000;
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
    let tenth_of_time_ms = last_duration_ms.saturating_mul(MIRROR_SHARE - 1);
    if last_duration_ms > MIRROR_WRITE_MS_MAX {
        return tenth_of_time_ms;
    }
    tenth_of_time_ms.min(MIRROR_FOLLOWS_MS.saturating_sub(last_duration_ms)).max(MIRROR_DELAY_MS)
}

/// Of a minute, the milliseconds that writing mirrors took, where that is too much: it took `spent_ms` of `passed_ms`.
#[must_use]
pub fn costly_mirror_ms(spent_ms: u64, passed_ms: u64) -> Option<u64> {
    let per_minute_ms = spent_ms.saturating_mul(MIRROR_COST_OVER_MS).checked_div(passed_ms)?;
    (per_minute_ms > MIRROR_COSTLY_MS).then_some(per_minute_ms)
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
    fn large_mirrors_follow_within_a_second_as_long_as_they_can_be_written_in_half_of_it() {
        for duration_ms in 0..=500 {
            let delay_ms = mirror_delay_ms(duration_ms);
            assert!(delay_ms >= 500 && delay_ms + duration_ms <= 1000, "{duration_ms} ms");
        }
        // A tenth of the time where a second leaves room for it.
        assert_eq!([0, 50, 80, 300].map(mirror_delay_ms), [500, 500, 720, 550]);
        assert_eq!(mirror_delay_ms(2000), 18_000);
        assert_eq!(mirror_delay_ms(u64::MAX), u64::MAX);
    }

    #[test]
    fn over_five_seconds_of_a_minute_are_costly() {
        assert_eq!(costly_mirror_ms(5000, 60_000), None);
        assert_eq!(costly_mirror_ms(5100, 60_000), Some(5100));
        assert_eq!(costly_mirror_ms(5100, 3_600_000), None, "a pause is cheap time");
        assert_eq!(costly_mirror_ms(1, 0), None);
    }

    #[test]
    fn a_large_mirror_of_a_log_that_never_rests_is_costly() {
        for duration_ms in [60, 300, 500, 501, 2000, 30_000] {
            // The writer comes to it a little late.
            let cycle_ms = duration_ms + mirror_delay_ms(duration_ms) + 50;
            assert!(costly_mirror_ms(duration_ms, cycle_ms).is_some(), "{duration_ms} ms");
        }
        assert_eq!(costly_mirror_ms(20, 20 + mirror_delay_ms(20)), None);
    }
}
