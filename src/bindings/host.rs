//! The functions of `lib/` that native code calls on this thread: `events.js`, `time-zone.js` and `several-keys.js` give
//! them once, when the package is loaded.

use super::js::{Fallible, Js, Kept, Value};
use super::outlet::{ForThread, HubId, Reason, WatchId};
use crate::error::Error;
use crate::store::event::{Class, Notice};

/// An object with a method for each of these functions.
pub struct Host(Kept);

/// Whether a thread uses a folder after one of its storages was closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Another storage of this thread has it open.
    Goes,
    /// This was the last one.
    Ends,
}

impl Host {
    /// Keeps the object.
    pub fn new<'scope>(js: Js<'scope>, object: Value<'scope>) -> Fallible<'scope, Self> {
        Ok(Self(js.keep(object)?))
    }

    fn call<'scope>(
        &self,
        js: Js<'scope>,
        method: &str,
        arguments: &[Value<'scope>],
    ) -> Fallible<'scope, Value<'scope>> {
        let host = js.kept(&self.0)?;
        js.call(js.get(host, method)?, host, arguments)
    }

    /// An event has arrived on this thread.
    pub fn take(&self, js: Js<'_>, event: &ForThread) {
        match event {
            ForThread::Heard(hub, notice) => {
                if let Err(refusal) = self.heard(js, *hub, notice) {
                    js.uncaught(refusal);
                }
            }
            ForThread::Watched(watch, reason) => {
                if let Err(refusal) = self.watched(js, *watch, *reason) {
                    js.uncaught(refusal);
                }
            }
            ForThread::Printed(notice) => {
                if self.warn(js, notice).is_err() {
                    eprintln!("progressive-storage: {}: {}", notice.kind.code, notice.message);
                }
            }
        }
    }

    fn heard<'scope>(&self, js: Js<'scope>, hub: HubId, notice: &Notice) -> Fallible<'scope, Value<'scope>> {
        let kind = js.string(if notice.kind.class == Class::News { "info" } else { "warn" })?;
        let text = js.string(&format!("progressive-storage: [{}] {}", notice.kind.code, notice.message))?;
        #[expect(clippy::cast_precision_loss, reason = "one of fifteen")]
        let event = js.number(notice.kind.name.index() as f64)?;
        let payload = js.string(&notice.payload)?;
        self.call(js, "heard", &[js.number(hub.into())?, event, payload, kind, text])
    }

    fn watched<'scope>(
        &self,
        js: Js<'scope>,
        watch: WatchId,
        reason: Reason,
    ) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "watched", &[js.number(watch.into())?, js.bool(reason == Reason::Look)?])
    }

    fn warn<'scope>(&self, js: Js<'scope>, notice: &Notice) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "warn", &[js.string(notice.kind.code)?, js.string(&notice.message)?])
    }

    /// A storage in the folder of this hub was closed.
    pub fn closed<'scope>(
        &self,
        js: Js<'scope>,
        hub: HubId,
        its_use: Use,
    ) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "closed", &[js.number(hub.into())?, js.bool(its_use == Use::Ends)?])
    }

    /// The keys that a caller gives, as an array.
    pub fn key_list<'scope>(&self, js: Js<'scope>, keys: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "keyList", &[keys])
    }

    /// The keys and values that a caller gives, as an array of both in turn.
    pub fn entry_list<'scope>(
        &self,
        js: Js<'scope>,
        entries: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "entryList", &[entries])
    }

    /// The keys and values of an object, as an array of both in turn; undefined for anything else.
    pub fn change_list<'scope>(
        &self,
        js: Js<'scope>,
        changes: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "changeList", &[changes])
    }

    /// The array of so many values that an object has by their places.
    pub fn place_list<'scope>(
        &self,
        js: Js<'scope>,
        by_place: Value<'scope>,
        length: usize,
    ) -> Fallible<'scope, Value<'scope>> {
        #[expect(clippy::cast_precision_loss, reason = "a number of places is below 2^53")]
        let length = js.number(length as f64)?;
        self.call(js, "placeList", &[by_place, length])
    }

    /// The object, without a prototype.
    pub fn bare<'scope>(&self, js: Js<'scope>, object: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "bare", &[object])
    }

    /// A promise of a `Map`, from one of pairs.
    pub fn map_of<'scope>(&self, js: Js<'scope>, pairs: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.call(js, "mapOf", &[pairs])
    }

    /// How far the clock on the wall is ahead of UTC, in a zone or where the process is.
    pub fn offset_ms<'scope>(
        &self,
        js: Js<'scope>,
        time_zone: Option<&str>,
        at_ms: i64,
    ) -> Fallible<'scope, i64> {
        let time_zone = time_zone.map_or_else(|| js.undefined(), |zone| js.string(zone))?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
        let at = js.number(at_ms as f64)?;
        let offset_ms = js.f64(self.call(js, "offsetMs", &[time_zone, at])?)?;
        if !offset_ms.is_finite() {
            return Err(Error::internal("a time zone without an offset").into());
        }
        #[expect(clippy::cast_possible_truncation, reason = "less than a day")]
        let whole = offset_ms as i64;
        Ok(whole)
    }
}
