//! When the logs of a storage are rotated, and when that was last checked. `lib/time-zone.js` knows the time zones.

use std::cell::RefCell;
use std::collections::HashMap;

use super::host::Host;
use super::js::{Fallible, Js};
use crate::data::name::LogName;
use crate::files::past::schedule::Schedule;
use crate::files::past::schedule::last_boundary_ms;

/// When logs are rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When they are larger than this.
    pub size_bytes: Option<u64>,
    /// When a day or week ends.
    pub schedule: Option<Schedule>,
    /// Whose hour it is. `None`: that of the process.
    pub time_zone: Option<String>,
}

/// A write checks its log when the last check was so long ago.
const CHECK_EVERY_MS: u64 = 60_000;

/// The option, and when which log was checked.
pub struct Rotating {
    /// The option.
    pub rotation: Rotation,
    checked_ms: RefCell<HashMap<LogName, i64>>,
}

impl Rotating {
    /// No log was checked yet.
    pub fn new(rotation: Rotation) -> Self {
        Self { rotation, checked_ms: RefCell::default() }
    }

    /// Whether a log that is written to is to be checked; if so, it counts as checked.
    pub fn is_check_due(&self, log: &LogName, now_ms: i64) -> bool {
        let mut checked_ms = self.checked_ms.borrow_mut();
        // A clock that was set back is no reason to wait for it.
        let is_due = checked_ms.get(log).is_none_or(|checked| checked.abs_diff(now_ms) >= CHECK_EVERY_MS);
        if is_due {
            checked_ms.insert(log.clone(), now_ms);
        }
        is_due
    }
}

impl Rotation {
    /// The last time at which logs were to be rotated by the calendar, in milliseconds since 1970.
    pub fn boundary_ms<'scope>(
        &self,
        js: Js<'scope>,
        host: &Host,
        now_ms: i64,
    ) -> Fallible<'scope, Option<i64>> {
        let Some(schedule) = self.schedule else { return Ok(None) };
        let zone = self.time_zone.as_deref();
        host.offset_ms(js, zone, now_ms)?;
        // The zone was tried just now.
        let offset = |at_ms| host.offset_ms(js, zone, at_ms).unwrap_or(0);
        Ok(Some(last_boundary_ms(now_ms, schedule, &offset)))
    }
}
