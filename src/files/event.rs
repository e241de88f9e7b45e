//! What a folder notifies people and listeners of: one variant for each notice, with its text and details.
//!
//! `kind` is the table of codes; `store::event` says how often each class is notified and printed.
//!
//! Invariant: two events of one code have the same subject if and only if they are about the same thing.

use std::fmt::Display;
use std::path::Path;

use crate::data::json::key_for_people;
use crate::error::Error;
use crate::files::log::lines::Damage;
use crate::files::log::paths::LogPaths;
use crate::store::event::{COMPACTION_FAILED, Class, Described, Details, EventName, Kind};

/// See the header of this file.
pub enum Event<'a> {
    /// The disk took long to sync the log.
    SlowSync { duration_ms: u64 },
    /// A sync of `fsync: 'interval'` failed.
    SyncFailed { error: &'a Error },
    /// The log ends with bytes of an entry that was never finished.
    TornTail { end: u64, torn_bytes: u64 },
    /// Lines of the log cannot be used. `backup` may hold what a lost checkpoint held.
    LogDamaged { first: &'a Damage, count: usize, backup: Option<&'a Path> },
    /// Another program removed, cut or replaced the log. `loss` distinguishes this loss from others. Of so many keys the newest
    /// value lay there alone.
    LogLost { loss: String, keys: u64, lost_keys: u64 },
    /// The mirror is not a JSON object.
    MirrorBroken { hash: u64 },
    /// The mirror has what damaged lines of the log have lost.
    RecoveredFromMirror { hash: u64, keys: u64 },
    /// The mirror was edited.
    ForeignEdit { hash: u64, keys: u64, ambiguous: &'a [String] },
    /// The mirror could not be written.
    MirrorFailed { error: &'a Error },
    /// The mirror is written in place, as the system refuses to replace it.
    MirrorInPlace { refused: &'a Error },
    /// Writing the mirror takes much of the disk's time.
    MirrorCostly { size_bytes: u64, duration_ms: u64, per_minute_ms: u64 },
    /// The record of the mirror cannot be read.
    RecordFailed { error: &'a Error },
    /// The log was compacted.
    Compacted { before_bytes: u64, after_bytes: u64, duration_ms: u64 },
    /// It could not be compacted.
    CompactionFailed { error: &'a Error },
    /// The log before a compaction is kept.
    BackupMade { path: &'a Path, size_bytes: u64, action: &'static str },
    /// An old log was removed.
    BackupRemoved { path: &'a Path, size_bytes: u64 },
    /// An old log was compressed.
    BackupCompressed { path: &'a Path, size_bytes: u64 },
    /// Old logs could not be removed or compressed.
    BackupFailed { error: &'a Error },
}

impl Event<'_> {
    /// Code, subject, text and details, for a log.
    pub fn describe(&self, paths: &LogPaths) -> Described {
        let (kind, subject) = (self.kind(), self.subject(paths));
        Described { kind, subject, message: self.message(paths), details: self.details(paths) }
    }

    fn kind(&self) -> Kind {
        use Class::{Finding, News, Problem};
        let (code, name, class) = match self {
            Self::SlowSync { .. } => ("PS_SLOW_SYNC", EventName::SlowSync, Problem),
            Self::SyncFailed { .. } => ("PS_SYNC_FAILED", EventName::SyncFailed, Problem),
            Self::TornTail { .. } => ("PS_TORN_TAIL", EventName::Recovery, Finding),
            Self::LogDamaged { .. } => ("PS_LOG_DAMAGED", EventName::Corruption, Finding),
            Self::LogLost { .. } => ("PS_LOG_LOST", EventName::Recovery, Finding),
            Self::MirrorBroken { .. } => ("PS_MIRROR_BROKEN", EventName::Corruption, Finding),
            Self::RecoveredFromMirror { .. } => ("PS_RECOVERED_FROM_MIRROR", EventName::Recovery, Finding),
            Self::ForeignEdit { .. } => ("PS_FOREIGN_EDIT", EventName::ExternalEdit, Finding),
            Self::MirrorFailed { .. } => ("PS_MIRROR_FAILED", EventName::MirrorFailed, Problem),
            Self::MirrorInPlace { .. } => ("PS_MIRROR_IN_PLACE", EventName::MirrorFailed, Finding),
            Self::MirrorCostly { .. } => ("PS_MIRROR_COSTLY", EventName::MirrorCostly, Problem),
            Self::RecordFailed { .. } => ("PS_RECORD_FAILED", EventName::MirrorFailed, Problem),
            Self::Compacted { .. } => ("PS_COMPACTION", EventName::Compaction, News),
            Self::CompactionFailed { .. } => return COMPACTION_FAILED,
            Self::BackupMade { .. } | Self::BackupRemoved { .. } | Self::BackupCompressed { .. } => {
                ("PS_BACKUP", EventName::Backup, News)
            }
            Self::BackupFailed { .. } => ("PS_BACKUP_FAILED", EventName::BackupFailed, Problem),
        };
        Kind { code, name, class }
    }

    fn subject(&self, paths: &LogPaths) -> String {
        match self {
            Self::SlowSync { .. } => paths.log.display().to_string(),
            Self::SyncFailed { error } | Self::CompactionFailed { error } | Self::BackupFailed { error } => {
                with(&paths.log, error.code())
            }
            Self::TornTail { end, .. } => with(&paths.log, end),
            Self::LogDamaged { first, count, .. } => {
                with(&paths.log, format_args!("{} {count}", first.offset))
            }
            Self::LogLost { loss, .. } => with(&paths.log, loss),
            Self::MirrorBroken { hash }
            | Self::RecoveredFromMirror { hash, .. }
            | Self::ForeignEdit { hash, .. } => with(&paths.mirror, hash),
            Self::MirrorFailed { error } => with(&paths.mirror, error.code()),
            Self::MirrorInPlace { .. } | Self::MirrorCostly { .. } => paths.mirror.display().to_string(),
            Self::RecordFailed { error } => with(&paths.record, error.code()),
            Self::Compacted { .. }
            | Self::BackupMade { .. }
            | Self::BackupRemoved { .. }
            | Self::BackupCompressed { .. } => String::new(),
        }
    }

    fn message(&self, paths: &LogPaths) -> String {
        match self {
            Self::SlowSync { duration_ms } => format!(
                "The disk took {duration_ms} ms to sync '{}'. Nothing is lost, but calls wait for it; see whether the \
                 disk is overloaded or failing",
                paths.log.display()
            ),
            Self::SyncFailed { error, .. } => format!(
                "{}. What was acknowledged since the last sync may not be on disk; the log is written anew",
                error.message()
            ),
            Self::TornTail { .. } | Self::LogDamaged { .. } | Self::LogLost { .. } => {
                self.message_of_log(paths)
            }
            Self::MirrorBroken { .. } | Self::RecoveredFromMirror { .. } | Self::ForeignEdit { .. } => {
                self.message_of_found_mirror(paths)
            }
            Self::MirrorFailed { .. }
            | Self::MirrorInPlace { .. }
            | Self::MirrorCostly { .. }
            | Self::RecordFailed { .. } => self.message_of_written_mirror(paths),
            _ => self.message_of_old_logs(paths),
        }
    }

    fn message_of_log(&self, paths: &LogPaths) -> String {
        match self {
            Self::TornTail { torn_bytes, .. } => {
                let log = paths.log.display();
                format!(
                    "The log '{log}' ends with {} of an entry that was never finished (a crash while it was written). \
                     They are dropped; nothing that was acknowledged is affected. The next write moves them to \
                     '{log}.torn.N'",
                    plural(*torn_bytes, "byte")
                )
            }
            Self::LogDamaged { first, count, backup } => {
                let advice = backup.map_or_else(String::new, |backup| {
                    format!(
                        ". The newest backup that has data is '{}': `progressive-storage repair` brings back what is \
                         lost",
                        backup.display()
                    )
                });
                format!(
                    "{} All other entries are used. The next write moves the damaged lines to '{}.corrupt.N'; see them \
                     and the backups for what they held{advice}",
                    describe_damage(paths, first, *count),
                    paths.log.display()
                )
            }
            Self::LogLost { lost_keys: 1.., .. } => self.message_of_lost_values(paths),
            Self::LogLost { .. } => format!(
                "The log '{}' was removed, cut or replaced by another program while it was in use. This process has all \
                 data in memory; the next write logs it again. Do not rotate, move or edit this file while the bot runs",
                paths.log.display()
            ),
            _ => String::new(),
        }
    }

    fn message_of_lost_values(&self, paths: &LogPaths) -> String {
        let Self::LogLost { lost_keys, .. } = self else { return String::new() };
        let keys = if *lost_keys == 1 { "key" } else { "keys" };
        format!(
            "The log '{}' was cut or overwritten by another program while it was in use. The newest values of {lost_keys} \
             {keys} were only there, since `cacheBytes` leaves values on disk: they are lost, and what the JSON file has of \
             these keys counts. All other data is logged again with the next write. Look for the values in the backups of \
             the log ('history'), and do not rotate, move or edit this file while the bot runs",
            paths.log.display()
        )
    }

    fn message_of_found_mirror(&self, paths: &LogPaths) -> String {
        match self {
            Self::MirrorBroken { .. } => {
                let mirror = paths.mirror.display();
                format!(
                    "'{mirror}' is not a JSON object. The log is used instead; before the file is written anew, it is \
                     moved to '{mirror}.corrupt.N'"
                )
            }
            Self::RecoveredFromMirror { keys, .. } => format!(
                "'{}' still has {} that damaged lines of the log '{}' have lost. The values count, and are logged with \
                 the next write",
                paths.mirror.display(),
                plural(*keys, "key"),
                paths.log.display()
            ),
            Self::ForeignEdit { keys, ambiguous, .. } => format!(
                "'{}' holds changes of {} that the log '{}' does not have (an edit by hand, or data of the old module). \
                 They count, and are logged with the next write{}",
                paths.mirror.display(),
                plural(*keys, "key"),
                paths.log.display(),
                ambiguity(ambiguous)
            ),
            _ => String::new(),
        }
    }

    fn message_of_written_mirror(&self, paths: &LogPaths) -> String {
        match self {
            Self::MirrorFailed { error } => format!(
                "The mirror '{}' could not be written: {}. The log has all data; the mirror is tried again",
                paths.mirror.display(),
                error.message()
            ),
            Self::MirrorInPlace { refused } => format!(
                "'{}' cannot be replaced ({}), so it is written in place: a reader may find half of it for a moment, and \
                 after a power cut. Mount the data folder as a whole, not this file by itself",
                paths.mirror.display(),
                refused.message()
            ),
            Self::MirrorCostly { size_bytes, duration_ms, per_minute_ms } => format!(
                "Writing the mirror '{}' ({}) takes {duration_ms} ms each time, and took {per_minute_ms} ms of a minute. \
                 The log has all data without it: with the option mirror: 'close' the file is written only by flush() \
                 and close(), at exit, and by compactions",
                paths.mirror.display(),
                plural(*size_bytes, "byte")
            ),
            Self::RecordFailed { error } => format!(
                "'{}' cannot be read: {}. It only helps to tell an edit from an old mirror; the log tells that as well, \
                 after a crash not always. Remove the file; it is made anew",
                paths.record.display(),
                error.message()
            ),
            _ => String::new(),
        }
    }

    fn message_of_old_logs(&self, paths: &LogPaths) -> String {
        match self {
            Self::Compacted { before_bytes, after_bytes, duration_ms } => format!(
                "The log '{}' was compacted from {before_bytes} to {after_bytes} bytes in {duration_ms} ms",
                paths.name
            ),
            Self::CompactionFailed { error } => format!(
                "The log '{}' could not be compacted: {}. It is as it was",
                paths.name,
                error.message()
            ),
            Self::BackupMade { path, .. } => {
                format!("The log as it was before is kept as '{}'", path.display())
            }
            Self::BackupRemoved { path, .. } => format!("'{}' was one too many", path.display()),
            Self::BackupCompressed { path, .. } => format!("'{}' was compressed", path.display()),
            Self::BackupFailed { error } => format!(
                "Old backups or archives of the log '{}' could not be compressed or removed: {}. They are as they were, \
                 and it is tried again after the next compaction",
                paths.name,
                error.message()
            ),
            _ => String::new(),
        }
    }

    fn details(&self, paths: &LogPaths) -> Details {
        let details = Details::of_log(&paths.name);
        match self {
            Self::SlowSync { duration_ms, .. } => details.number("durationMs", *duration_ms),
            Self::SyncFailed { error, .. }
            | Self::CompactionFailed { error, .. }
            | Self::BackupFailed { error, .. } => details.text("reason", error.code().as_str()),
            Self::TornTail { torn_bytes, .. } => {
                details.path("path", &paths.log).number("droppedBytes", *torn_bytes)
            }
            Self::LogDamaged { first, count, backup } => {
                let details = damage_details(details.path("path", &paths.log), first, *count);
                backup.map_or(details.clone(), |backup| details.path("backup", backup))
            }
            Self::LogLost { keys, lost_keys, .. } => {
                let details = details.path("path", &paths.log).number("keys", *keys);
                if *lost_keys > 0 { details.number("lostKeys", *lost_keys) } else { details }
            }
            Self::MirrorBroken { .. } => details.path("path", &paths.mirror),
            Self::RecoveredFromMirror { keys, .. } => {
                details.path("path", &paths.mirror).number("keys", *keys)
            }
            Self::ForeignEdit { keys, ambiguous, .. } => {
                details.path("path", &paths.mirror).number("keys", *keys).keys("ambiguousKeys", ambiguous)
            }
            Self::MirrorFailed { error } | Self::MirrorInPlace { refused: error } => {
                details.path("path", &paths.mirror).text("reason", error.code().as_str())
            }
            Self::MirrorCostly { size_bytes, duration_ms, per_minute_ms } => details
                .path("path", &paths.mirror)
                .number("sizeBytes", *size_bytes)
                .number("durationMs", *duration_ms)
                .number("perMinuteMs", *per_minute_ms),
            Self::RecordFailed { error } => {
                details.path("path", &paths.record).text("reason", error.code().as_str())
            }
            Self::Compacted { before_bytes, after_bytes, duration_ms, .. } => details
                .number("durationMs", *duration_ms)
                .number("sizeBeforeBytes", *before_bytes)
                .number("sizeAfterBytes", *after_bytes),
            Self::BackupMade { path, size_bytes, action } => of_old_log(details, path, *size_bytes, action),
            Self::BackupRemoved { path, size_bytes, .. } => of_old_log(details, path, *size_bytes, "removed"),
            Self::BackupCompressed { path, size_bytes, .. } => {
                of_old_log(details, path, *size_bytes, "compressed")
            }
        }
    }
}

/// Calls waited long for the lock between processes.
pub fn lock_wait(folder: &Path, duration_ms: u64) -> Described {
    let shown = folder.display();
    Described {
        kind: Kind { code: "PS_LOCK_WAIT", name: EventName::LockWait, class: Class::Problem },
        subject: shown.to_string(),
        message: format!(
            "Calls on '{shown}' waited {duration_ms} ms for the lock that another process held. Nothing is lost; see \
             whether a process is stopped, or the disk is slow"
        ),
        details: Details::new().path("path", folder).number("durationMs", duration_ms),
    }
}

fn with(path: &Path, what: impl Display) -> String {
    format!("{} {what}", path.display())
}

fn of_old_log(details: Details, path: &Path, size_bytes: u64, action: &str) -> Details {
    details.path("path", path).number("sizeBytes", size_bytes).text("action", action)
}

/// Which keys of an edit may be meant otherwise.
fn ambiguity(keys: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    if keys.is_empty() {
        return String::new();
    }
    let mut named: Vec<String> = keys.iter().take(NAMED_MAX).map(|key| key_for_people(key)).collect();
    if keys.len() > NAMED_MAX {
        named.push(format!("and {} more", keys.len() - NAMED_MAX));
    }
    format!(
        ". The file was made from an older state: see whether what it says of {} is meant ({})",
        plural(keys.len() as u64, "key"),
        named.join(", ")
    )
}

fn damage_details(details: Details, first: &Damage, count: usize) -> Details {
    let details = details
        .number("lines", count as u64)
        .number("firstLine", first.line)
        .number("offset", first.offset)
        .number("sizeBytes", first.size_bytes)
        .text("reason", &first.reason.to_string());
    match &first.key {
        Some(key) => details.text("key", key),
        None => details,
    }
}

/// Which line of a log is damaged, and how.
pub fn describe_damage(paths: &LogPaths, first: &Damage, count: usize) -> String {
    let key = first.key.as_ref().map(|key| format!(", key '{key}'")).unwrap_or_default();
    let more =
        if count > 1 { format!(" and {}", plural(count as u64 - 1, "more line")) } else { String::new() };
    format!(
        "The log '{}' is damaged: line {} at byte {} ({}{key}) cannot be used, {}{more}.",
        paths.log.display(),
        first.line,
        first.offset,
        plural(first.size_bytes, "byte"),
        first.reason
    )
}

/// `1 key`, `2 keys`.
fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::name::LogName;
    use crate::files::log::entry::Invalid;

    fn damage() -> Damage {
        Damage {
            offset: 0,
            size_bytes: 1,
            line: 1,
            key: None,
            reason: Invalid::NotAnObject,
            has_break: true,
            is_checkpoint: false,
            ends_operation: false,
        }
    }

    #[test]
    fn each_event_has_its_code_its_name_and_its_class() {
        use Class::{Finding, News, Problem, Rejection};
        let (error, first, path) = (&Error::queue_full(), &damage(), Path::new("old"));
        let rows = [
            (Event::SlowSync { duration_ms: 1000 }, "PS_SLOW_SYNC", EventName::SlowSync, Problem),
            (Event::SyncFailed { error }, "PS_SYNC_FAILED", EventName::SyncFailed, Problem),
            (Event::TornTail { end: 1, torn_bytes: 1 }, "PS_TORN_TAIL", EventName::Recovery, Finding),
            (
                Event::LogDamaged { first, count: 1, backup: None },
                "PS_LOG_DAMAGED",
                EventName::Corruption,
                Finding,
            ),
            (
                Event::LogLost { loss: "cut".to_owned(), keys: 1, lost_keys: 0 },
                "PS_LOG_LOST",
                EventName::Recovery,
                Finding,
            ),
            (Event::MirrorBroken { hash: 1 }, "PS_MIRROR_BROKEN", EventName::Corruption, Finding),
            (
                Event::RecoveredFromMirror { hash: 1, keys: 1 },
                "PS_RECOVERED_FROM_MIRROR",
                EventName::Recovery,
                Finding,
            ),
            (
                Event::ForeignEdit { hash: 1, keys: 1, ambiguous: &[] },
                "PS_FOREIGN_EDIT",
                EventName::ExternalEdit,
                Finding,
            ),
            (Event::MirrorFailed { error }, "PS_MIRROR_FAILED", EventName::MirrorFailed, Problem),
            (Event::MirrorInPlace { refused: error }, "PS_MIRROR_IN_PLACE", EventName::MirrorFailed, Finding),
            (
                Event::MirrorCostly { size_bytes: 1, duration_ms: 1, per_minute_ms: 1 },
                "PS_MIRROR_COSTLY",
                EventName::MirrorCostly,
                Problem,
            ),
            (Event::RecordFailed { error }, "PS_RECORD_FAILED", EventName::MirrorFailed, Problem),
            (
                Event::Compacted { before_bytes: 2, after_bytes: 1, duration_ms: 1 },
                "PS_COMPACTION",
                EventName::Compaction,
                News,
            ),
            (
                Event::CompactionFailed { error },
                "PS_COMPACTION_FAILED",
                EventName::CompactionFailed,
                Rejection,
            ),
            (Event::BackupMade { path, size_bytes: 1, action: "made" }, "PS_BACKUP", EventName::Backup, News),
            (Event::BackupRemoved { path, size_bytes: 1 }, "PS_BACKUP", EventName::Backup, News),
            (Event::BackupCompressed { path, size_bytes: 1 }, "PS_BACKUP", EventName::Backup, News),
            (Event::BackupFailed { error }, "PS_BACKUP_FAILED", EventName::BackupFailed, Problem),
        ];
        let paths = LogPaths::new(Path::new("data"), &LogName::new("players").unwrap());
        for (event, code, name, class) in rows {
            let described = event.describe(&paths);
            assert_eq!(described.kind, Kind { code, name, class });
            assert!(!described.message.is_empty(), "{code}");
        }
        let kind = Kind { code: "PS_LOCK_WAIT", name: EventName::LockWait, class: Problem };
        assert_eq!(lock_wait(Path::new("data"), 1000).kind, kind);
    }
}
