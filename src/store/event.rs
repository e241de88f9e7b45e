//! What happens beside the calls, for people and for listeners: problems, and news such as a compaction.
//!
//! | event              | code                                   | is         | repeated               |
//! |--------------------|----------------------------------------|------------|------------------------|
//! | `corruption`       | `PS_LOG_DAMAGED`, `PS_MIRROR_BROKEN`   | a finding  | never for the same one |
//! | `recovery`         | `PS_TORN_TAIL`, `PS_LOG_LOST`, `PS_RECOVERED_FROM_MIRROR` | a finding | never for the same one |
//! | `externalEdit`     | `PS_FOREIGN_EDIT`                      | a finding  | never for the same one |
//! | `compactionFailed` | `PS_COMPACTION_FAILED`                 | a problem  | each time, printed by who has no promise to reject |
//! | `mirrorFailed`     | `PS_MIRROR_FAILED`, `PS_RECORD_FAILED` | a problem  | each time, printed once |
//! | `mirrorFailed`     | `PS_MIRROR_IN_PLACE`                   | a finding  | never for the same one |
//! | `syncFailed`       | `PS_SYNC_FAILED`                       | a problem  | each time, printed once |
//! | `backupFailed`     | `PS_BACKUP_FAILED`                     | a problem  | each time, printed once |
//! | `slowSync`         | `PS_SLOW_SYNC`                         | a problem  | each time, printed once |
//! | `lockWait`         | `PS_LOCK_WAIT`                         | a problem  | each time, printed once |
//! | `compaction`       | `PS_COMPACTION`                        | news       | each time, not printed |
//! | `backup`           | `PS_BACKUP`                            | news       | each time, not printed |
//!
//! Invariant: telling never fails and never waits; the writer does not depend on whether somebody listens.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::json::quote;
use crate::data::time::iso;
use crate::visible::made_visible;

/// The names of the events, in the order of `Notice::event_index`.
pub const EVENTS: [&str; 11] = [
    "compaction",
    "compactionFailed",
    "corruption",
    "recovery",
    "externalEdit",
    "slowSync",
    "lockWait",
    "backup",
    "mirrorFailed",
    "syncFailed",
    "backupFailed",
];

/// A sync that takes this long is told.
pub const SLOW_SYNC_MS: u64 = 1000;
/// So many things that were told are remembered: a process that runs for months must not grow by them.
const TOLD_MAX: usize = 10_000;
/// Waiting this long for another process is told.
pub const LONG_LOCK_WAIT_MS: u64 = 1000;

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Stable name; see the table in this file's header.
    pub code: &'static str,
    /// What happened, where, and what follows.
    pub message: String,
    /// The event as JSON text: an object with `event`, `code`, `message`, `timestamp` and what belongs to it.
    pub payload: String,
    /// True when it is to be printed where nobody listens.
    pub is_printed: bool,
}

impl Notice {
    /// The event's place in `EVENTS`.
    #[must_use]
    pub fn event_index(&self) -> usize {
        event_of(self.code)
    }

    /// True for what is neither a finding nor a problem.
    #[must_use]
    pub fn is_news(&self) -> bool {
        is_news(self.code)
    }
}

/// Where notices go.
pub trait NoticeSink: Send + Sync {
    /// Tells the user, soon.
    fn tell(&self, notice: Notice);
}

fn event_of(code: &str) -> usize {
    match code {
        "PS_COMPACTION" => 0,
        "PS_COMPACTION_FAILED" => 1,
        "PS_LOG_DAMAGED" | "PS_MIRROR_BROKEN" => 2,
        "PS_TORN_TAIL" | "PS_LOG_LOST" | "PS_RECOVERED_FROM_MIRROR" => 3,
        "PS_FOREIGN_EDIT" => 4,
        "PS_SLOW_SYNC" => 5,
        "PS_LOCK_WAIT" => 6,
        "PS_BACKUP" => 7,
        "PS_MIRROR_FAILED" | "PS_MIRROR_IN_PLACE" | "PS_RECORD_FAILED" => 8,
        "PS_SYNC_FAILED" => 9,
        _ => 10,
    }
}

fn is_news(code: &str) -> bool {
    matches!(code, "PS_COMPACTION" | "PS_BACKUP")
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
    pub fn of_log(name: &crate::data::name::LogName) -> Self {
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

/// Tells notices apart and passes them on.
pub struct Teller {
    sink: Arc<dyn NoticeSink>,
    told: Mutex<HashSet<String>>,
}

impl Teller {
    /// A teller that passes on to `sink`.
    pub fn new(sink: Arc<dyn NoticeSink>) -> Self {
        Self { sink, told: Mutex::default() }
    }

    /// Tells; `subject` says whether it is the same thing again. False where it was not told.
    pub fn tell(
        &self,
        code: &'static str,
        subject: &str,
        message: String,
        details: &Details,
        now_ms: i64,
    ) -> bool {
        let is_news = is_news(code);
        let is_first = !is_news && self.is_first(format!("{code} {subject}"));
        let event = event_of(code);
        let is_finding = (2..=4).contains(&event) || code == "PS_MIRROR_IN_PLACE";
        if is_finding && !is_first {
            return false;
        }
        let message = made_visible(message);
        let payload = format!(
            "{{\"event\":\"{}\",\"code\":\"{code}\",\"message\":{},\"timestamp\":\"{}\"{}}}",
            EVENTS[event],
            quote(&message),
            iso(now_ms),
            details.0
        );
        let is_printed = is_first && code != "PS_COMPACTION_FAILED";
        self.sink.tell(Notice { code, message, payload, is_printed });
        true
    }

    fn is_first(&self, what: String) -> bool {
        let mut told = self.told.lock();
        if told.len() >= TOLD_MAX && !told.contains(&what) {
            // Then one that lasts is told once more.
            told.clear();
        }
        told.insert(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Notice>>);

    impl NoticeSink for Heard {
        fn tell(&self, notice: Notice) {
            self.0.lock().push(notice);
        }
    }

    #[test]
    fn findings_come_once_and_problems_are_printed_once() {
        let heard = Arc::new(Heard::default());
        let teller = Teller::new(Arc::clone(&heard) as Arc<dyn NoticeSink>);
        let tell = |code, subject: &str| {
            teller.tell(code, subject, "what \"happened\"".to_owned(), &Details::new().number("lines", 2), 0);
        };
        tell("PS_TORN_TAIL", "a");
        tell("PS_TORN_TAIL", "a");
        tell("PS_TORN_TAIL", "b");
        tell("PS_SYNC_FAILED", "a");
        tell("PS_SYNC_FAILED", "a");
        tell("PS_COMPACTION_FAILED", "a");
        tell("PS_COMPACTION", "a");
        tell("PS_COMPACTION", "a");
        let seen: Vec<_> = heard.0.lock().iter().map(|notice| (notice.code, notice.is_printed)).collect();
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
    fn what_was_told_takes_no_more_and_more_memory() {
        let teller = Teller::new(Arc::new(Heard::default()));
        for edit in 0..TOLD_MAX * 2 {
            let was_told =
                teller.tell("PS_FOREIGN_EDIT", &edit.to_string(), String::new(), &Details::new(), 0);
            assert!(was_told);
            assert!(!teller.tell("PS_FOREIGN_EDIT", &edit.to_string(), String::new(), &Details::new(), 0));
        }
        assert!(teller.told.lock().len() <= TOLD_MAX);
    }

    #[test]
    fn every_code_has_its_event() {
        for (code, event) in [
            ("PS_COMPACTION", "compaction"),
            ("PS_COMPACTION_FAILED", "compactionFailed"),
            ("PS_LOG_DAMAGED", "corruption"),
            ("PS_MIRROR_BROKEN", "corruption"),
            ("PS_TORN_TAIL", "recovery"),
            ("PS_LOG_LOST", "recovery"),
            ("PS_RECOVERED_FROM_MIRROR", "recovery"),
            ("PS_FOREIGN_EDIT", "externalEdit"),
            ("PS_SLOW_SYNC", "slowSync"),
            ("PS_LOCK_WAIT", "lockWait"),
            ("PS_BACKUP", "backup"),
            ("PS_MIRROR_FAILED", "mirrorFailed"),
            ("PS_MIRROR_IN_PLACE", "mirrorFailed"),
            ("PS_RECORD_FAILED", "mirrorFailed"),
            ("PS_SYNC_FAILED", "syncFailed"),
            ("PS_BACKUP_FAILED", "backupFailed"),
        ] {
            assert_eq!(EVENTS[event_of(code)], event, "{code}");
        }
    }
}
