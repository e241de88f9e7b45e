//! The metrics of a folder and its logs at one moment.
//!
//! Invariant: pure functions of the numbers that were counted.

use std::fmt::Write as _;

use crate::data::json::quote;
use crate::data::time::iso;
use crate::store::family::{Family, as_f64};
use crate::store::metrics::Distribution;
use crate::store::report::{PlaceReport, durations};

/// A folder's metrics.
#[derive(Clone, Debug, Default)]
pub struct FolderReport {
    /// The data folder.
    pub data_folder: String,
    /// Calls in each batch.
    pub batch_calls: Distribution,
    /// Microseconds until the lock was taken.
    pub lock_wait_us: Distribution,
    /// The logs that were used, by name.
    pub logs: Vec<LogReport>,
}

/// A log's metrics.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    /// Name of the log.
    pub name: String,
    /// Lines appended by this process.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Size of the log's file.
    pub size_bytes: u64,
    /// Bytes of the state.
    pub live_bytes: u64,
    /// Number of keys.
    pub keys: u64,
    /// Microseconds of each sync.
    pub fsync_us: Distribution,
    /// Microseconds from call to acknowledgement.
    pub ack_us: Distribution,
    /// Microseconds of each compaction.
    pub compaction_us: Distribution,
    /// Compactions that failed.
    pub compactions_failed: u64,
    /// When the last one ended, in milliseconds since 1970; 0 when there was none.
    pub last_compaction_ms: i64,
    /// Whether it failed.
    pub is_last_compaction_failed: bool,
    /// How long the mirror has been behind.
    pub mirror_age_ms: u64,
    /// Damaged lines that were found.
    pub corrupt_lines: u64,
    /// Torn tails that were found.
    pub torn_tails: u64,
    /// Edits of the mirror that were found.
    pub external_edits: u64,
    /// Mirrors that could not be written.
    pub mirrors_failed: u64,
    /// Number of backups, and their bytes.
    pub backups: (u64, u64),
    /// Number of archives, and their bytes.
    pub archives: (u64, u64),
}

impl LogReport {
    /// Share of the log that compaction would free, from 0 to 1.
    #[must_use]
    pub fn dead_share(&self) -> f64 {
        if self.size_bytes == 0 {
            return 0.0;
        }
        (1.0 - as_f64(self.live_bytes) / as_f64(self.size_bytes)).max(0.0)
    }
}

impl PlaceReport for FolderReport {
    fn batch_calls(&self) -> &Distribution {
        &self.batch_calls
    }

    fn leading_members(&self) -> String {
        let logs: Vec<String> =
            self.logs.iter().map(|log| format!("{}:{}", quote(&log.name), log.json())).collect();
        format!("\"dataDir\":{},\"logs\":{{{}}}", quote(&self.data_folder), logs.join(","))
    }

    fn trailing_members(&self) -> String {
        format!("\"lockWait\":{}", durations(&self.lock_wait_us))
    }

    fn families(&self) -> Vec<Family> {
        let mut families = self.families_of_data();
        families.extend(self.families_of_findings());
        families.extend(self.families_of_old_logs());
        families.extend(self.families_of_compactions());
        families.extend(self.families_of_durations());
        families
    }
}

/// A value of a log.
type ValueOf = fn(&LogReport) -> f64;

impl FolderReport {
    fn of_logs(&self, family: Family, value: ValueOf) -> Family {
        self.logs.iter().fold(family, |family, log| family.with(&[("log", &log.name)], value(log)))
    }

    fn families_of_data(&self) -> Vec<Family> {
        let families: [(Family, ValueOf); 7] = [
            (Family::counter("entries_total", "Lines appended by this process."), |log| as_f64(log.entries)),
            (Family::counter("appended_bytes_total", "Bytes appended by this process."), |log| {
                as_f64(log.bytes)
            }),
            (Family::gauge("log_size_bytes", "Size of the log."), |log| as_f64(log.size_bytes)),
            (Family::gauge("live_bytes", "Size of the state as JSON text."), |log| as_f64(log.live_bytes)),
            (
                Family::gauge("dead_ratio", "Share of the log that compaction would free."),
                LogReport::dead_share,
            ),
            (Family::gauge("keys", "Number of keys."), |log| as_f64(log.keys)),
            (
                Family::gauge(
                    "mirror_age_seconds",
                    "How long the JSON file has been behind its log; 0 while it is not.",
                ),
                |log| as_f64(log.mirror_age_ms) / 1e3,
            ),
        ];
        families.into_iter().map(|(family, value)| self.of_logs(family, value)).collect()
    }

    fn families_of_findings(&self) -> Vec<Family> {
        let families: [(Family, ValueOf); 4] = [
            (Family::counter("corrupt_lines_total", "Damaged lines that were found."), |log| {
                as_f64(log.corrupt_lines)
            }),
            (Family::counter("torn_tails_total", "Unfinished last lines that were dropped."), |log| {
                as_f64(log.torn_tails)
            }),
            (Family::counter("external_edits_total", "Edits of the JSON file that were found."), |log| {
                as_f64(log.external_edits)
            }),
            (Family::counter("mirror_failures_total", "JSON files that could not be written."), |log| {
                as_f64(log.mirrors_failed)
            }),
        ];
        families.into_iter().map(|(family, value)| self.of_logs(family, value)).collect()
    }

    fn families_of_old_logs(&self) -> [Family; 2] {
        let mut counts = Family::gauge("old_logs", "Backups and archives, by kind.");
        let mut sizes = Family::gauge("old_logs_size_bytes", "Size of backups and archives, by kind.");
        for log in &self.logs {
            for (kind, (count, bytes)) in [("backup", log.backups), ("archive", log.archives)] {
                let labels = [("log", log.name.as_str()), ("kind", kind)];
                counts = counts.with(&labels, as_f64(count));
                sizes = sizes.with(&labels, as_f64(bytes));
            }
        }
        [counts, sizes]
    }

    fn families_of_compactions(&self) -> [Family; 3] {
        let mut results = Family::counter("compactions_total", "Compactions by result.");
        let mut times = Family::gauge("last_compaction_timestamp_seconds", "When the last compaction ended.");
        let mut successes =
            Family::gauge("last_compaction_success", "1 if the last compaction was done, 0 if it failed.");
        for log in &self.logs {
            let name = log.name.as_str();
            for (result, count) in [("ok", log.compaction_us.count), ("failed", log.compactions_failed)] {
                results = results.with(&[("log", name), ("result", result)], as_f64(count));
            }
            if log.last_compaction_ms != 0 {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
                let ended_s = log.last_compaction_ms as f64 / 1e3;
                times = times.with(&[("log", name)], ended_s);
                let is_ok = u8::from(!log.is_last_compaction_failed);
                successes = successes.with(&[("log", name)], f64::from(is_ok));
            }
        }
        [results, times, successes]
    }

    fn families_of_durations(&self) -> [Family; 4] {
        let mut syncs = Family::histogram("fsync_duration_seconds", "Time of the syncs of appends.");
        let mut acks = Family::histogram(
            "ack_duration_seconds",
            "Time from call to acknowledgement; while calls queue up, one in 16 is timed.",
        );
        let mut compactions =
            Family::histogram("compaction_duration_seconds", "Time of compactions that were done.");
        for log in &self.logs {
            let labels = [("log", log.name.as_str())];
            syncs = syncs.with_durations(&labels, &log.fsync_us);
            acks = acks.with_durations(&labels, &log.ack_us);
            compactions = compactions.with_durations(&labels, &log.compaction_us);
        }
        let locks = Family::histogram(
            "lock_wait_duration_seconds",
            "Time until the lock between processes was taken.",
        )
        .with_durations(&[], &self.lock_wait_us);
        [syncs, acks, compactions, locks]
    }
}

impl LogReport {
    /// The log's part of the object that `metrics()` gives.
    fn json(&self) -> String {
        let mut out = String::new();
        let _ = write!(
            out,
            "{{\"entries\":{},\"bytes\":{},\"sizeBytes\":{},\"liveBytes\":{},\"deadShare\":{},\"keys\":{},\
             \"fsync\":{},\"ack\":{},\"compactions\":{}",
            self.entries,
            self.bytes,
            self.size_bytes,
            self.live_bytes,
            self.dead_share(),
            self.keys,
            durations(&self.fsync_us),
            durations(&self.ack_us),
            self.compactions_json(),
        );
        let _ = write!(
            out,
            ",\"mirrorAgeMs\":{},\"corruptLines\":{},\"tornTails\":{},\"externalEdits\":{},\"mirrorFailures\":{},\
             \"backups\":{},\"archives\":{}}}",
            self.mirror_age_ms,
            self.corrupt_lines,
            self.torn_tails,
            self.external_edits,
            self.mirrors_failed,
            old_logs(self.backups),
            old_logs(self.archives),
        );
        out
    }

    fn compactions_json(&self) -> String {
        let (last_at, last_result) = match (self.last_compaction_ms, self.is_last_compaction_failed) {
            (0, _) => ("null".to_owned(), "null"),
            (ms, true) => (quote(&iso(ms)), "\"failed\""),
            (ms, false) => (quote(&iso(ms)), "\"ok\""),
        };
        format!(
            "{{\"ok\":{},\"failed\":{},\"lastAt\":{last_at},\"lastResult\":{last_result},\"duration\":{}}}",
            self.compaction_us.count,
            self.compactions_failed,
            durations(&self.compaction_us),
        )
    }
}

fn old_logs((count, bytes): (u64, u64)) -> String {
    format!("{{\"count\":{count},\"bytes\":{bytes}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dead_is_never_less_than_nothing() {
        let log = |size_bytes, live_bytes| LogReport { size_bytes, live_bytes, ..LogReport::default() };
        assert!((log(0, 0).dead_share() - 0.0).abs() < 1e-9);
        assert!((log(100, 25).dead_share() - 0.75).abs() < 1e-9);
        assert!((log(100, 120).dead_share() - 0.0).abs() < 1e-9);
    }
}
