//! What writing the mirrors of a log costs, and when a person is to know.
//!
//! ```text
//! a write ends    write   write     write    write     the first write that ends a minute or more later
//! └─────────────────────── time ──────────────────────┘└─────────── the next time ───
//! ```
//!
//! Where the writes took too much of that time (`policy::costly_mirror_ms`), it is said, once an hour.
//!
//! Invariant: a pause without writes belongs to the time, so a mirror that is seldom written is never costly.

use crate::files::policy::{MIRROR_COST_EVERY_MS, MIRROR_COST_OVER_MS, costly_mirror_ms};

/// See the header of this file.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "the unit comes last in a name")]
pub struct MirrorCost {
    /// When the first write ended that is not counted any more.
    began_ms: Option<u64>,
    /// What the writes since then took.
    spent_ms: u64,
    /// When it was said last that they are costly.
    said_ms: Option<u64>,
}

impl MirrorCost {
    /// A write ended that took so long. Gives the milliseconds of a minute that writes take, where a person is to know.
    pub fn wrote(&mut self, now_ms: u64, duration_ms: u64) -> Option<u64> {
        let Some(began_ms) = self.began_ms else {
            self.began_ms = Some(now_ms);
            return None;
        };
        self.spent_ms = self.spent_ms.saturating_add(duration_ms);
        let passed_ms = now_ms.saturating_sub(began_ms);
        if passed_ms < MIRROR_COST_OVER_MS {
            return None;
        }
        self.began_ms = Some(now_ms);
        let costly_ms = costly_mirror_ms(std::mem::take(&mut self.spent_ms), passed_ms)?;
        if self.said_ms.is_some_and(|said_ms| now_ms.saturating_sub(said_ms) < MIRROR_COST_EVERY_MS) {
            return None;
        }
        self.said_ms = Some(now_ms);
        Some(costly_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes of `duration_ms` that end every `cycle_ms` for a day: when it is said, and of how much.
    fn said(duration_ms: u64, cycle_ms: u64) -> Vec<(u64, u64)> {
        let mut cost = MirrorCost::default();
        let ends = (1..).map(|number| number * cycle_ms).take_while(|now_ms| *now_ms <= 86_400_000);
        ends.filter_map(|now_ms| Some((now_ms, cost.wrote(now_ms, duration_ms)?))).collect()
    }

    #[test]
    fn costly_mirrors_are_said_after_a_minute_and_then_once_an_hour() {
        let day = said(1000, 10_000);
        assert_eq!(day[0], (70_000, 6000));
        assert_eq!(day[1], (70_000 + 3_600_000, 6000));
        assert_eq!(day.len(), 24);
        assert_eq!(said(200_000, 2_000_000)[0], (4_000_000, 6000), "longer than a minute by itself");
    }

    #[test]
    fn cheap_and_seldom_mirrors_are_not_said() {
        assert_eq!(said(50, 1000), []);
        assert_eq!(said(6000, 3_600_000), [], "once an hour");
    }

    #[test]
    fn a_burst_of_less_than_a_minute_counts_for_nothing() {
        let mut cost = MirrorCost::default();
        for second in 1..50 {
            assert_eq!(cost.wrote(1000 * second, 900), None);
        }
        assert_eq!(cost.wrote(3_600_000, 900), None, "the pause counts");
        assert_eq!(cost.wrote(3_660_000, 5900), Some(5900), "the next minute stands for itself");
    }
}
