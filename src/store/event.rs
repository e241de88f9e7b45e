//! What happens beside the calls, for people and for listeners: problems, and news such as a compaction.
//!
//! | class       | example                                  | notified               | printed where nobody listens |
//! |-------------|------------------------------------------|------------------------|------------------------------|
//! | `Finding`   | a torn tail, an edit by hand             | once for the same one  | once                         |
//! | `Problem`   | a slow sync, a mirror that failed        | each time              | once                         |
//! | `Rejection` | a compaction that failed                 | each time              | by whoever has no promise to reject |
//! | `News`      | a compaction, a backup                   | each time              | no                           |
//!
//! Each place lists its own events with their codes; for a folder it is `files::event`.
//!
//! Invariant: a notification never fails and never waits; the writer does not depend on whether anybody listens.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::json::quote;
use crate::data::name::LogName;
use crate::data::time::iso;
use crate::visible::made_visible;

/// A sync that takes this long is an event.
pub const SLOW_SYNC_MS: u64 = 1000;
/// A wait for another process that takes this long is an event.
pub const LONG_LOCK_WAIT_MS: u64 = 1000;
/// So many notified subjects are remembered, so that a process that runs for months does not grow by them.
const SUBJECTS_MAX: usize = 10_000;

/// The names that listeners use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName {
    /// A log was compacted.
    Compaction,
    /// A log could not be compacted.
    CompactionFailed,
    /// Something on disk is damaged.
    Corruption,
    /// What a crash or another program left was dealt with.
    Recovery,
    /// Somebody edited a mirror.
    ExternalEdit,
    /// A sync took long.
    SlowSync,
    /// The lock of another process was waited for.
    LockWait,
    /// An old log was made, compressed or removed.
    Backup,
    /// A mirror could not be written as it should be.
    MirrorFailed,
    /// Writing a mirror takes much of the disk's time.
    MirrorCostly,
    /// A sync failed.
    SyncFailed,
    /// Old logs could not be removed or compressed.
    BackupFailed,
    /// The connection to a server was lost.
    ConnectionLost,
    /// There is a connection again.
    Reconnect,
    /// A server did not wait for its standby.
    NotReplicated,
    /// A server lacks what was acknowledged.
    LostWrites,
}

impl EventName {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Compaction,
        Self::CompactionFailed,
        Self::Corruption,
        Self::Recovery,
        Self::ExternalEdit,
        Self::SlowSync,
        Self::LockWait,
        Self::Backup,
        Self::MirrorFailed,
        Self::MirrorCostly,
        Self::SyncFailed,
        Self::BackupFailed,
        Self::ConnectionLost,
        Self::Reconnect,
        Self::NotReplicated,
        Self::LostWrites,
    ];

    /// As JavaScript has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compaction => "compaction",
            Self::CompactionFailed => "compactionFailed",
            Self::Corruption => "corruption",
            Self::Recovery => "recovery",
            Self::ExternalEdit => "externalEdit",
            Self::SlowSync => "slowSync",
            Self::LockWait => "lockWait",
            Self::Backup => "backup",
            Self::MirrorFailed => "mirrorFailed",
            Self::MirrorCostly => "mirrorCostly",
            Self::SyncFailed => "syncFailed",
            Self::BackupFailed => "backupFailed",
            Self::ConnectionLost => "connectionLost",
            Self::Reconnect => "reconnect",
            Self::NotReplicated => "notReplicated",
            Self::LostWrites => "lostWrites",
        }
    }

    /// Its place in `ALL`.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How often an event is notified and printed; see the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A state of things that lasts.
    Finding,
    /// Something went wrong, and is tried again.
    Problem,
    /// A call, or work that nobody called for, failed.
    Rejection,
    /// Something was done.
    News,
}

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Stable name of what happened, such as `PS_TORN_TAIL`.
    pub code: &'static str,
    /// The event that listeners get.
    pub name: EventName,
    /// How often.
    pub class: Class,
}

/// A log could not be compacted, at whatever place.
pub const COMPACTION_FAILED: Kind =
    Kind { code: "PS_COMPACTION_FAILED", name: EventName::CompactionFailed, class: Class::Rejection };

/// An event in the form in which a place hands it over.
pub struct Described {
    /// What happened.
    pub kind: Kind,
    /// Distinguishes one thing from another of the same code.
    pub subject: String,
    /// What happened, where, and what follows, for people.
    pub message: String,
    /// For listeners.
    pub details: Details,
}

/// An event on its way to people and listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: Kind,
    /// See `Described`. What others can name is escaped.
    pub message: String,
    /// The event as JSON text: an object with `event`, `code`, `message`, `timestamp` and its details.
    pub payload: String,
    /// Whether it is printed where nobody listens.
    pub is_printed: bool,
}

/// Where notices go.
pub trait NoticeSink: Send + Sync {
    /// Passes a notice on, soon.
    fn notify(&self, notice: Notice);
}

/// What belongs to an event: members of its JSON object.
#[derive(Clone, Debug, Default)]
pub struct Details(String);

impl Details {
    /// No details yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Details that begin with the log's name.
    #[must_use]
    pub fn of_log(name: &LogName) -> Self {
        Self::new().text("log", name.as_str())
    }

    /// A string.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.0, ",\"{name}\":{}", quote(value));
        self
    }

    /// An array of keys, from their literals; nothing where there are none.
    #[must_use]
    pub fn keys(mut self, name: &str, literals: &[String]) -> Self {
        if !literals.is_empty() {
            let _ = write!(self.0, ",\"{name}\":[{}]", literals.join(","));
        }
        self
    }

    /// A path.
    #[must_use]
    pub fn path(self, name: &str, path: &Path) -> Self {
        self.text(name, &path.display().to_string())
    }

    /// A whole number.
    #[must_use]
    pub fn number(mut self, name: &str, value: u64) -> Self {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }
}

/// Notifies a sink, each thing as often as its class says.
pub struct Notifier {
    sink: Arc<dyn NoticeSink>,
    subjects: Mutex<HashSet<String>>,
}

impl Notifier {
    /// Of this sink.
    pub fn new(sink: Arc<dyn NoticeSink>) -> Self {
        Self { sink, subjects: Mutex::default() }
    }

    /// Notifies of an event. Returns false, and does nothing, for a finding that it has notified of before.
    pub fn notify(&self, event: Described, now_ms: i64) -> bool {
        let Described { kind, subject, message, details } = event;
        let Kind { code, name, class } = kind;
        let is_first = class != Class::News && self.is_first(format!("{code} {subject}"));
        if class == Class::Finding && !is_first {
            return false;
        }
        let message = made_visible(message);
        let payload = format!(
            "{{\"event\":\"{}\",\"code\":\"{code}\",\"message\":{},\"timestamp\":\"{}\"{}}}",
            name.as_str(),
            quote(&message),
            iso(now_ms),
            details.0
        );
        let is_printed = is_first && class != Class::Rejection;
        self.sink.notify(Notice { kind, message, payload, is_printed });
        true
    }

    fn is_first(&self, subject: String) -> bool {
        let mut subjects = self.subjects.lock();
        if subjects.len() >= SUBJECTS_MAX && !subjects.contains(&subject) {
            // A finding that lasts is then notified once more.
            subjects.clear();
        }
        subjects.insert(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Notice>>);

    impl NoticeSink for Heard {
        fn notify(&self, notice: Notice) {
            self.0.lock().push(notice);
        }
    }

    const TORN_TAIL: Kind = Kind { code: "PS_TORN_TAIL", name: EventName::Recovery, class: Class::Finding };
    const SYNC_FAILED: Kind =
        Kind { code: "PS_SYNC_FAILED", name: EventName::SyncFailed, class: Class::Problem };
    const COMPACTION: Kind = Kind { code: "PS_COMPACTION", name: EventName::Compaction, class: Class::News };

    fn event(kind: Kind, subject: &str) -> Described {
        let details = Details::new().number("lines", 2);
        Described { kind, subject: subject.to_owned(), message: "what \"happened\"".to_owned(), details }
    }

    #[test]
    fn findings_come_once_and_problems_are_printed_once() {
        let heard = Arc::new(Heard::default());
        let notifier = Notifier::new(Arc::clone(&heard) as Arc<dyn NoticeSink>);
        for (kind, subject) in [
            (TORN_TAIL, "a"),
            (TORN_TAIL, "a"),
            (TORN_TAIL, "b"),
            (SYNC_FAILED, "a"),
            (SYNC_FAILED, "a"),
            (COMPACTION_FAILED, "a"),
            (COMPACTION, "a"),
            (COMPACTION, "a"),
        ] {
            notifier.notify(event(kind, subject), 0);
        }
        let seen: Vec<_> =
            heard.0.lock().iter().map(|notice| (notice.kind.code, notice.is_printed)).collect();
        assert_eq!(
            seen,
            [
                ("PS_TORN_TAIL", true),
                ("PS_TORN_TAIL", true),
                ("PS_SYNC_FAILED", true),
                ("PS_SYNC_FAILED", false),
                ("PS_COMPACTION_FAILED", false),
                ("PS_COMPACTION", false),
                ("PS_COMPACTION", false),
            ]
        );
        assert_eq!(
            heard.0.lock()[0].payload,
            "{\"event\":\"recovery\",\"code\":\"PS_TORN_TAIL\",\"message\":\"what \\\"happened\\\"\",\
             \"timestamp\":\"1970-01-01T00:00:00.000Z\",\"lines\":2}"
        );
    }

    #[test]
    fn subjects_take_a_bounded_amount_of_memory() {
        let notifier = Notifier::new(Arc::new(Heard::default()));
        for edit in 0..SUBJECTS_MAX * 2 {
            assert!(notifier.notify(event(TORN_TAIL, &edit.to_string()), 0));
            assert!(!notifier.notify(event(TORN_TAIL, &edit.to_string()), 0));
        }
        assert!(notifier.subjects.lock().len() <= SUBJECTS_MAX);
    }

    #[test]
    fn a_name_is_found_by_its_number() {
        for (index, name) in EventName::ALL.into_iter().enumerate() {
            assert_eq!(name.index(), index);
        }
    }
}
