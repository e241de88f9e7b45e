//! The option `rotation`: checked, and turned into a point in time by JavaScript's own knowledge of time zones.
//!
//! Invariant: what passes the check never fails later; a time zone is tried when it is given.

use std::cell::RefCell;
use std::collections::HashMap;

use napi::ValueType;

use super::arguments::describe;
use super::js::{Fallible, Js, Refusal, Value};
use crate::data::name::LogName;
use crate::error::Error;
use crate::files::policy::Schedule;
use crate::files::policy::last_boundary_ms;

const KNOWN: [&str; 5] = ["sizeBytes", "every", "hour", "weekday", "timeZone"];
const HOUR_MS: i64 = 3_600_000;

/// When logs are rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When they are larger than this.
    pub size_bytes: Option<u64>,
    schedule: Option<Schedule>,
    time_zone: Option<String>,
}

/// Logs are looked at with a write, if the last look was so long ago.
const LOOK_EVERY_MS: u64 = 60_000;

/// The option, and when which log was looked at.
pub struct Rotating {
    /// The option.
    pub rotation: Rotation,
    looked_ms: RefCell<HashMap<LogName, i64>>,
}

impl Rotating {
    /// No log was looked at yet.
    pub fn new(rotation: Rotation) -> Self {
        Self { rotation, looked_ms: RefCell::default() }
    }

    /// Whether it is time to look at a log that is written to; if so, it counts as looked at.
    pub fn is_look_due(&self, log: &LogName, now_ms: i64) -> bool {
        let mut looked_ms = self.looked_ms.borrow_mut();
        // A clock that was set back is no reason to wait for it.
        let is_due = looked_ms.get(log).is_none_or(|looked| looked.abs_diff(now_ms) >= LOOK_EVERY_MS);
        if is_due {
            looked_ms.insert(log.clone(), now_ms);
        }
        is_due
    }
}

impl Rotation {
    /// Reads the option.
    pub fn parse(js: Js, options: Value) -> Fallible<Self> {
        if js.type_of(options)? != ValueType::Object || js.is_array(options)? {
            let found = describe(js, options);
            return Err(
                Error::wrong_type(format!("The option 'rotation' must be an object, not {found}")).into()
            );
        }
        let names = js.own_names(options)?;
        for index in 0..js.length(names)? {
            let name = js.text(js.element(names, index)?)?;
            if !KNOWN.contains(&name.as_str()) {
                return Err(wrong(&format!("has no {name:?}; it has {}", KNOWN.join(", "))));
            }
        }
        let size_bytes = whole(js, options, "sizeBytes", 1, 1 << 50)?;
        let hour = whole(js, options, "hour", 0, 23)?;
        let weekday = whole(js, options, "weekday", 0, 6)?;
        let every = text(js, options, "every")?;
        let time_zone = text(js, options, "timeZone")?;
        let small =
            |number: Option<u64>, default| number.and_then(|it| u8::try_from(it).ok()).unwrap_or(default);
        let schedule = match every.as_deref() {
            None if hour.is_some() || weekday.is_some() || time_zone.is_some() => {
                return Err(wrong("has 'hour', 'weekday' or 'timeZone', which need 'every'"));
            }
            None => None,
            Some("day") if weekday.is_some() => {
                return Err(wrong("has 'weekday', which needs every: 'week'"));
            }
            Some("day") => Some(Schedule { hour: small(hour, 4), weekday: None }),
            Some("week") => Some(Schedule { hour: small(hour, 4), weekday: Some(small(weekday, 1)) }),
            Some(other) => return Err(wrong(&format!("has every: {other:?}; give 'day' or 'week'"))),
        };
        if schedule.is_none() && size_bytes.is_none() {
            return Err(wrong("is empty; give 'every', 'sizeBytes', or both"));
        }
        let this = Self { size_bytes, schedule, time_zone };
        match this.formatter(js).and_then(|formatter| offset_ms(js, formatter, 0)) {
            Ok(_) => Ok(this),
            Err(Refusal::Thrown(_)) => {
                let zone = this.time_zone.unwrap_or_default();
                Err(wrong(&format!(
                    "has timeZone: {zone:?}, which is not known here; give one such as 'Europe/Berlin'"
                )))
            }
            Err(ours) => Err(ours),
        }
    }

    /// The last time at which logs were to be rotated by the calendar, in milliseconds since 1970.
    pub fn boundary_ms(&self, js: Js, now_ms: i64) -> Fallible<Option<i64>> {
        let Some(schedule) = self.schedule else { return Ok(None) };
        let formatter = self.formatter(js)?;
        // The zone was tried when it was given.
        let offset = |at_ms| offset_ms(js, formatter, at_ms).unwrap_or(0);
        Ok(Some(last_boundary_ms(now_ms, schedule, &offset)))
    }

    /// `Intl.DateTimeFormat` that tells the offset from UTC; without a zone, that of this process.
    fn formatter(&self, js: Js) -> Fallible<Value> {
        let options = js.object()?;
        js.set(options, "timeZoneName", js.string("longOffset")?)?;
        if let Some(zone) = &self.time_zone {
            js.set(options, "timeZone", js.string(zone)?)?;
        }
        let intl = js.get(js.global()?, "Intl")?;
        js.call(js.get(intl, "DateTimeFormat")?, intl, &[js.string("en-US")?, options])
    }
}

/// How far the clock on the wall is ahead of UTC.
fn offset_ms(js: Js, formatter: Value, at_ms: i64) -> Fallible<i64> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
    let at = js.number(at_ms as f64)?;
    let shown = js.text(js.call(js.get(formatter, "format")?, formatter, &[at])?)?;
    Ok(offset_of(&shown))
}

/// The offset at the end of `3/29/2026, GMT+02:00`; none where it says `GMT`.
fn offset_of(shown: &str) -> i64 {
    let Some((_, offset)) = shown.rsplit_once("GMT") else { return 0 };
    let Some(sign) = offset.chars().next() else { return 0 };
    let mut parts = offset[sign.len_utf8()..].split(':').map(|part| part.parse::<i64>().unwrap_or(0));
    let (hours, minutes) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let seconds = parts.next().unwrap_or(0);
    let ahead_ms = hours * HOUR_MS + minutes * 60_000 + seconds * 1000;
    if sign == '+' { ahead_ms } else { -ahead_ms }
}

fn wrong(what: &str) -> Refusal {
    Error::wrong_value(format!("The option 'rotation' {what}")).into()
}

fn whole(js: Js, options: Value, name: &str, from: u64, to: u64) -> Fallible<Option<u64>> {
    let value = js.get(options, name)?;
    whole_number(js, value, &format!("rotation.{name}"), from, to)
}

/// A whole number between two, or undefined.
pub fn whole_number(js: Js, value: Value, name: &str, from: u64, to: u64) -> Fallible<Option<u64>> {
    match js.type_of(value)? {
        ValueType::Undefined => return Ok(None),
        ValueType::Number => {}
        _ => {
            let found = describe(js, value);
            return Err(
                Error::wrong_type(format!("The option '{name}' must be a number, not {found}")).into()
            );
        }
    }
    let number = js.f64(value)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "compared with the number itself"
    )]
    {
        let whole = number as u64;
        if (whole as f64).to_bits() == number.to_bits() && (from..=to).contains(&whole) {
            return Ok(Some(whole));
        }
    }
    Err(Error::wrong_value(format!(
        "The option '{name}' is {number}; give a whole number from {from} to {to}"
    ))
    .into())
}

fn text(js: Js, options: Value, name: &str) -> Fallible<Option<String>> {
    let value = js.get(options, name)?;
    match js.type_of(value)? {
        ValueType::Undefined => Ok(None),
        ValueType::String => js.text(value).map(Some),
        _ => {
            let found = describe(js, value);
            Err(Error::wrong_type(format!("The option 'rotation.{name}' must be a string, not {found}"))
                .into())
        }
    }
}
