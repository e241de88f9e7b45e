//! When a log is rotated by the calendar: the hour of the wall clock, in any time zone and across clock changes. Pure
//! functions of numbers and time.

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// When logs are rotated by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The hour of the day, 0 to 23, of the clock on the wall.
    pub hour: u8,
    /// The day of the week, 0 for Sunday; `None`: every day.
    pub weekday: Option<u8>,
}

/// The last time at or before `now_ms` at which the schedule's hour struck. `offset_ms` says how far the clock on
/// the wall is ahead of UTC at a point in time. An hour that a clock change leaves out strikes when the clock is put
/// forward; one that comes twice strikes the first time.
#[must_use]
pub fn last_boundary_ms(now_ms: i64, schedule: Schedule, offset_ms: &dyn Fn(i64) -> i64) -> i64 {
    let today = (now_ms + offset_ms(now_ms)).div_euclid(DAY_MS);
    // One day more than a week: a clock change may hide today's and that of a week ago may be the last.
    for day in (today - 8..=today).rev() {
        // The first of 1970 was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        if schedule.weekday.is_some_and(|wanted| i64::from(wanted) != weekday) {
            continue;
        }
        let wall_ms = day * DAY_MS + i64::from(schedule.hour) * HOUR_MS;
        let strikes_ms = utc_of_wall(wall_ms, offset_ms);
        if strikes_ms <= now_ms {
            return strikes_ms;
        }
    }
    now_ms - 7 * DAY_MS
}

/// The first point in time at which the clock on the wall shows `wall_ms` or later.
fn utc_of_wall(wall_ms: i64, offset_ms: &dyn Fn(i64) -> i64) -> i64 {
    // The offsets before and after the day cover a change within it.
    let (before, after) = (offset_ms(wall_ms - DAY_MS), offset_ms(wall_ms + DAY_MS));
    let early = wall_ms - before.max(after);
    let late = wall_ms - before.min(after);
    if early + offset_ms(early) >= wall_ms {
        return early;
    }
    // Between the two, find the minute at which the clock gets there.
    let (mut low, mut high) = (early, late);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if middle + offset_ms(middle) >= wall_ms { high = middle } else { low = middle }
    }
    high
}

/// Whether a log is to be rotated: the hour has struck since the last rotation, or since its first record where there
/// was none, and something was written since.
#[must_use]
pub fn is_rotation_due(
    last_rotation_ms: Option<i64>,
    begins_ms: Option<i64>,
    modified_ms: i64,
    boundary_ms: i64,
) -> bool {
    match last_rotation_ms {
        Some(last_ms) => last_ms < boundary_ms && modified_ms > last_ms,
        None => begins_ms.is_some_and(|begins_ms| begins_ms < boundary_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::retention::{OldFile, Retention, to_compress, too_many};

    const MONTH_MS: i64 = 30 * DAY_MS;
    /// 2026-01-01T00:00:00Z.
    const YEAR_BEGINS_MS: i64 = 1_767_225_600_000;

    /// Central European time in 2026: summer time from 29 March to 25 October, both at 01:00 UTC.
    fn berlin(at_ms: i64) -> i64 {
        let is_summer = (1_774_746_000_000..1_792_890_000_000).contains(&at_ms);
        if is_summer { 2 * HOUR_MS } else { HOUR_MS }
    }

    fn kolkata(_: i64) -> i64 {
        HOUR_MS * 11 / 2
    }

    fn old(number: i64, is_archive: bool, size_bytes: u64) -> OldFile {
        OldFile { number, is_archive, is_compressed: false, size_bytes }
    }

    #[test]
    fn the_hour_strikes_once_a_day_all_year_long_in_every_zone() {
        for (zone, offset) in [("Berlin", &berlin as &dyn Fn(i64) -> i64), ("Kolkata", &kolkata)] {
            for hour in 0..24 {
                let schedule = Schedule { hour, weekday: None };
                let mut struck = Vec::new();
                let mut now_ms = YEAR_BEGINS_MS + 2 * DAY_MS;
                while now_ms < YEAR_BEGINS_MS + 360 * DAY_MS {
                    let boundary_ms = last_boundary_ms(now_ms, schedule, offset);
                    assert!(boundary_ms <= now_ms && now_ms - boundary_ms <= 25 * HOUR_MS, "{zone} {hour}");
                    if struck.last() != Some(&boundary_ms) {
                        struck.push(boundary_ms);
                    }
                    now_ms += HOUR_MS / 2;
                }
                let days: Vec<i64> = struck.iter().map(|ms| (ms + offset(*ms)).div_euclid(DAY_MS)).collect();
                assert!(days.windows(2).all(|pair| pair[1] == pair[0] + 1), "{zone} {hour}: once a day");
                for ms in struck {
                    let wall_hour = (ms + offset(ms)).rem_euclid(DAY_MS) / HOUR_MS;
                    let is_left_out = zone == "Berlin" && hour == 2 && ms == 1_774_746_000_000;
                    assert!(wall_hour == i64::from(hour) || is_left_out, "{zone} {hour}: at {ms}");
                }
            }
        }
    }

    #[test]
    fn a_week_is_a_week_also_when_the_clock_changes() {
        let schedule = Schedule { hour: 4, weekday: Some(1) };
        let mut struck = Vec::new();
        for half_hour in 0..(300 * 48) {
            let now_ms = YEAR_BEGINS_MS + 20 * DAY_MS + half_hour * HOUR_MS / 2;
            let boundary_ms = last_boundary_ms(now_ms, schedule, &berlin);
            if struck.last() != Some(&boundary_ms) {
                struck.push(boundary_ms);
            }
        }
        assert!(struck.len() >= 42);
        for ms in &struck {
            let wall_ms = ms + berlin(*ms);
            assert_eq!((wall_ms.div_euclid(DAY_MS) + 4).rem_euclid(7), 1, "a Monday");
            assert_eq!(wall_ms.rem_euclid(DAY_MS) / HOUR_MS, 4);
        }
    }

    #[test]
    fn six_months_of_a_busy_log_leave_what_was_asked_for() {
        let retention = Retention { backups: 3, archives: 7, compress: true, limit_bytes: None };
        let schedule = Schedule { hour: 4, weekday: None };
        let mut all: Vec<OldFile> = Vec::new();
        let mut rotations = 0;
        let mut now_ms = YEAR_BEGINS_MS + 60 * DAY_MS;
        let end_ms = now_ms + 6 * MONTH_MS;
        // Written to all the time; looked at every hour; compacted every five hours.
        for hour in 0.. {
            now_ms += HOUR_MS;
            if now_ms > end_ms {
                break;
            }
            let last_ms = all.iter().rev().find(|file| file.is_archive).map(|file| file.number);
            let boundary_ms = last_boundary_ms(now_ms, schedule, &berlin);
            let is_rotated = is_rotation_due(last_ms, Some(YEAR_BEGINS_MS), now_ms, boundary_ms);
            rotations += i32::from(is_rotated);
            if is_rotated || hour % 5 == 0 {
                all.push(old(now_ms, is_rotated, 1000));
            }
            for at in too_many(&all, retention).into_iter().rev() {
                all.remove(at);
            }
            while let Some(at) = to_compress(&all, now_ms) {
                assert!(all[at].number < now_ms - DAY_MS);
                all[at].is_compressed = true;
            }
            assert!(all.iter().filter(|file| !file.is_archive).count() <= 3);
            assert!(all.iter().filter(|file| file.is_archive).count() <= 7);
            assert!(all.iter().all(|file| file.is_compressed || file.number >= now_ms - DAY_MS));
        }
        assert_eq!(rotations, 181, "at the first look, and then every day");
        let archives: Vec<i64> = all.iter().filter(|file| file.is_archive).map(|file| file.number).collect();
        assert_eq!(archives.len(), 7, "a week of archives is left");
        assert!(archives.windows(2).all(|pair| (23 * HOUR_MS..=25 * HOUR_MS).contains(&(pair[1] - pair[0]))));
    }

    #[test]
    fn a_log_at_rest_is_not_rotated_again() {
        assert!(is_rotation_due(Some(100), None, 150, 200));
        assert!(!is_rotation_due(Some(100), None, 100, 200), "nothing was written since");
        assert!(!is_rotation_due(Some(250), None, 300, 200), "rotated already");
        assert!(is_rotation_due(None, Some(100), 100, 200));
        assert!(!is_rotation_due(None, Some(250), 300, 200), "younger than the boundary");
        assert!(!is_rotation_due(None, None, 300, 200), "no record");
    }
}
