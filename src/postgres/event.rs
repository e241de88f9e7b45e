//! What a server place notifies people and listeners of.
//!
//! | code                | event            | details              |
//! |---------------------|------------------|----------------------|
//! | `PS_CONNECTION_LOST`| `connectionLost` | `host`               |
//! | `PS_RECONNECTED`    | `reconnect`      | `host`, `durationMs` |
//! | `PS_NOT_REPLICATED` | `notReplicated`  | `log`, `keys`        |
//! | `PS_LOST_WRITES`    | `lostWrites`     | `log`, `keys`        |
//! | `PS_COMPACTION`     | `compaction`     | `log`, `durationMs`  |
//! | `PS_COMPACTION_FAILED` | `compactionFailed` | `log`, `reason` |
//!
//! Invariant: no text here holds a password or a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::data::json::key_for_people;
use crate::data::name::LogName;
use crate::error::Error;
use crate::postgres::wire::Commit;
use crate::store::event::{
    COMPACTION_FAILED, Class, Described, Details, EventName, Kind, NoticeSink, Notifier,
};
use crate::vfs::FileSystemRef;

/// So many keys are named in a message; the event has all.
const SHOWN_KEYS: usize = 5;

const CONNECTION_LOST: Kind =
    Kind { code: "PS_CONNECTION_LOST", name: EventName::ConnectionLost, class: Class::Problem };
const RECONNECTED: Kind = Kind { code: "PS_RECONNECTED", name: EventName::Reconnect, class: Class::News };
const NOT_REPLICATED: Kind =
    Kind { code: "PS_NOT_REPLICATED", name: EventName::NotReplicated, class: Class::Problem };
const LOST_WRITES: Kind = Kind { code: "PS_LOST_WRITES", name: EventName::LostWrites, class: Class::Finding };
const COMPACTED: Kind = Kind { code: "PS_COMPACTION", name: EventName::Compaction, class: Class::News };

/// See the header of this file.
pub struct ServerEvents {
    notifier: Notifier,
    clock: FileSystemRef,
}

impl ServerEvents {
    /// Events that go to this sink.
    pub fn new(sink: Arc<dyn NoticeSink>, clock: FileSystemRef) -> Self {
        Self { notifier: Notifier::new(sink), clock }
    }

    fn notify(&self, kind: Kind, subject: String, message: String, details: Details) {
        let now_ms = self.clock.now_ms();
        self.notifier.notify(Described { kind, subject, message, details }, now_ms);
    }

    /// The connection was lost; calls wait.
    pub fn connection_lost(&self, host: &str, reason: &str) {
        let message =
            format!("There is no connection to {host}: {reason}. Calls wait until a server takes writes");
        self.notify(CONNECTION_LOST, host.to_owned(), message, Details::new().text("host", host));
    }

    /// There is a connection again.
    pub fn reconnected(&self, host: &str, duration_ms: u64) {
        let message =
            format!("Connected to {host} again after {duration_ms} ms; the calls that waited go on");
        let details = Details::new().text("host", host).number("durationMs", duration_ms);
        self.notify(RECONNECTED, host.to_owned(), message, details);
    }

    /// The primary gave up waiting for a standby.
    pub fn not_replicated(&self, commit: &Commit) {
        let mut by_log: BTreeMap<&LogName, Vec<String>> = BTreeMap::new();
        for (key, _) in commit.rows() {
            by_log.entry(&key.log).or_default().push(key.key.clone());
        }
        for (log, keys) in by_log {
            let message = format!(
                "The server did not wait for a standby: {} of the log '{log}' may be lost with the primary. Check the standby",
                shown(keys.len(), keys.iter())
            );
            self.notify(NOT_REPLICATED, log.to_string(), message, Details::of_log(log).keys("keys", &keys));
        }
    }

    /// A new primary lacks changes that an earlier one acknowledged.
    pub fn lost_writes(&self, log: &LogName, keys: &BTreeSet<String>) {
        let message = format!(
            "The server lacks acknowledged changes of {} of the log '{log}', as after a fail-over to a standby that lagged. Look at these keys, and consider a synchronous standby",
            shown(keys.len(), keys.iter())
        );
        let keys: Vec<String> = keys.iter().cloned().collect();
        let subject = format!("{log} {}", self.clock.monotonic_us());
        self.notify(LOST_WRITES, subject, message, Details::of_log(log).keys("keys", &keys));
    }

    /// A log was compacted.
    pub fn compacted(&self, log: &LogName, duration_ms: u64) {
        let message = format!("Compacted the log '{log}' in {duration_ms} ms");
        let details = Details::of_log(log).number("durationMs", duration_ms);
        self.notify(COMPACTED, log.to_string(), message, details);
    }

    /// A log could not be compacted.
    pub fn compaction_failed(&self, log: &LogName, error: &Error) {
        let message = format!("The log '{log}' could not be compacted: {}", error.message());
        let details = Details::of_log(log).text("reason", error.code().as_str());
        self.notify(COMPACTION_FAILED, log.to_string(), message, details);
    }
}

fn shown<'a>(count: usize, keys: impl Iterator<Item = &'a String>) -> String {
    let named: Vec<String> = keys.take(SHOWN_KEYS).map(|key| key_for_people(key)).collect();
    let more = if count > SHOWN_KEYS { format!(" and {} more", count - SHOWN_KEYS) } else { String::new() };
    let word = if count == 1 { "the key" } else { "the keys" };
    format!("{word} {}{more}", named.join(", "))
}
