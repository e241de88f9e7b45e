//! The metrics of a folder as an object and in the text format of Prometheus.
//!
//! Both are made of the same `Report`, so they say the same. Names end with their unit in the text (`_seconds`,
//! `_bytes`, `_total`) and in the object (`Ms`, `Bytes`).
//!
//! Invariant: pure functions of a `Report`; the text is what promtool accepts without a warning.

use std::fmt::Write as _;

use crate::data::json::quote;
use crate::data::time::iso;
use crate::store::metrics::Distribution;

/// A folder's metrics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The data folder.
    pub data_folder: String,
    /// Calls that wait.
    pub queue_calls: u64,
    /// Bytes of text that wait with them.
    pub queue_bytes: u64,
    /// Calls in each batch.
    pub batch_calls: Distribution,
    /// Microseconds until the lock was taken.
    pub lock_wait_us: Distribution,
    /// Memory of the whole process in bytes, if it is known.
    pub resident_bytes: Option<u64>,
    /// The logs that were used, by name.
    pub logs: Vec<LogReport>,
}

/// A log's metrics at one moment.
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

impl Report {
    /// The object that `metrics()` gives, as JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = format!("{{\"dataDir\":{},\"logs\":{{", quote(&self.data_folder));
        for (index, log) in self.logs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(
                out,
                "{comma}{}:{{\"entries\":{},\"bytes\":{},\"sizeBytes\":{},\"liveBytes\":{},\"deadShare\":{},\"keys\":{},\
                 \"fsync\":{},\"ack\":{},\"compactions\":{{\"ok\":{},\"failed\":{},\"lastAt\":{},\"lastResult\":{},\
                 \"duration\":{}}},\"mirrorAgeMs\":{},\"corruptLines\":{},\"tornTails\":{},\"externalEdits\":{},\
                 \"mirrorFailures\":{},\"backups\":{},\"archives\":{}}}",
                quote(&log.name),
                log.entries,
                log.bytes,
                log.size_bytes,
                log.live_bytes,
                log.dead_share(),
                log.keys,
                durations(&log.fsync_us),
                durations(&log.ack_us),
                log.compaction_us.count,
                log.compactions_failed,
                match log.last_compaction_ms {
                    0 => "null".to_owned(),
                    ms => format!("\"{}\"", iso(ms)),
                },
                match (log.last_compaction_ms, log.is_last_compaction_failed) {
                    (0, _) => "null",
                    (_, true) => "\"failed\"",
                    (_, false) => "\"ok\"",
                },
                durations(&log.compaction_us),
                log.mirror_age_ms,
                log.corrupt_lines,
                log.torn_tails,
                log.external_edits,
                log.mirrors_failed,
                old_logs(log.backups),
                old_logs(log.archives),
            );
        }
        let calls: Vec<String> =
            self.batch_calls.buckets.iter().map(|(bound, count)| format!("[{bound},{count}]")).collect();
        let _ = write!(
            out,
            "}},\"queueCalls\":{},\"queueBytes\":{},\"batches\":{{\"count\":{},\"calls\":{},\"buckets\":[{}]}},\
             \"lockWait\":{},\"residentBytes\":{}}}",
            self.queue_calls,
            self.queue_bytes,
            self.batch_calls.count,
            self.batch_calls.sum,
            calls.join(","),
            durations(&self.lock_wait_us),
            self.resident_bytes.map_or_else(|| "null".to_owned(), |bytes| bytes.to_string()),
        );
        out
    }

    /// The text that `metricsText()` gives: Prometheus' text format 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = Text(String::new());
        let logs = &self.logs;
        text.of_logs("entries_total", "counter", "Lines appended by this process.", logs, |log| {
            as_f64(log.entries)
        });
        text.of_logs("appended_bytes_total", "counter", "Bytes appended by this process.", logs, |log| {
            as_f64(log.bytes)
        });
        text.of_logs("log_size_bytes", "gauge", "Size of the log.", logs, |log| as_f64(log.size_bytes));
        text.of_logs("live_bytes", "gauge", "Size of the state as JSON text.", logs, |log| {
            as_f64(log.live_bytes)
        });
        text.of_logs(
            "dead_ratio",
            "gauge",
            "Share of the log that compaction would free.",
            logs,
            LogReport::dead_share,
        );
        text.of_logs("keys", "gauge", "Number of keys.", logs, |log| as_f64(log.keys));
        text.of_logs(
            "mirror_age_seconds",
            "gauge",
            "How long the JSON file has been behind its log; 0 while it is not.",
            logs,
            |log| as_f64(log.mirror_age_ms) / 1e3,
        );
        text.of_logs("corrupt_lines_total", "counter", "Damaged lines that were found.", logs, |log| {
            as_f64(log.corrupt_lines)
        });
        text.of_logs(
            "torn_tails_total",
            "counter",
            "Unfinished last lines that were dropped.",
            logs,
            |log| as_f64(log.torn_tails),
        );
        text.of_logs(
            "external_edits_total",
            "counter",
            "Edits of the JSON file that were found.",
            logs,
            |log| as_f64(log.external_edits),
        );
        text.of_logs(
            "mirror_failures_total",
            "counter",
            "JSON files that could not be written.",
            logs,
            |log| as_f64(log.mirrors_failed),
        );
        let kinds = |log: &LogReport| [("backup", log.backups), ("archive", log.archives)];
        if !logs.is_empty() {
            text.head("old_logs", "gauge", "Backups and archives, by kind.");
        }
        for log in logs {
            for (kind, (count, _)) in kinds(log) {
                text.line("old_logs", &[("log", &log.name), ("kind", kind)], as_f64(count));
            }
        }
        if !logs.is_empty() {
            text.head("old_logs_size_bytes", "gauge", "Size of backups and archives, by kind.");
        }
        for log in logs {
            for (kind, (_, bytes)) in kinds(log) {
                text.line("old_logs_size_bytes", &[("log", &log.name), ("kind", kind)], as_f64(bytes));
            }
        }
        if !logs.is_empty() {
            text.head("compactions_total", "counter", "Compactions by result.");
        }
        for log in logs {
            for (result, count) in [("ok", log.compaction_us.count), ("failed", log.compactions_failed)] {
                text.line("compactions_total", &[("log", &log.name), ("result", result)], as_f64(count));
            }
        }
        let compacted: Vec<_> = logs.iter().filter(|log| log.last_compaction_ms != 0).cloned().collect();
        text.of_logs(
            "last_compaction_timestamp_seconds",
            "gauge",
            "When the last compaction ended.",
            &compacted,
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
            |log| log.last_compaction_ms as f64 / 1e3,
        );
        text.of_logs(
            "last_compaction_success",
            "gauge",
            "1 if the last compaction was done, 0 if it failed.",
            &compacted,
            |log| f64::from(u8::from(!log.is_last_compaction_failed)),
        );
        let fsync = "Time of the syncs of appends.";
        text.durations_of_logs("fsync_duration_seconds", fsync, logs, |log| &log.fsync_us);
        let ack = "Time from call to acknowledgement; while calls queue up, one in 16 is timed.";
        text.durations_of_logs("ack_duration_seconds", ack, logs, |log| &log.ack_us);
        let compaction = "Time of compactions that were done.";
        text.durations_of_logs("compaction_duration_seconds", compaction, logs, |log| &log.compaction_us);
        text.head(
            "lock_wait_duration_seconds",
            "histogram",
            "Time until the lock between processes was taken.",
        );
        text.histogram("lock_wait_duration_seconds", &[], &self.lock_wait_us, 1e6);
        text.head("batch_calls", "histogram", "Calls that were written with one sync.");
        text.histogram("batch_calls", &[], &self.batch_calls, 1.0);
        text.alone("queue_calls", "Calls that wait to be written.", as_f64(self.queue_calls));
        text.alone("queue_bytes", "Bytes of the calls that wait to be written.", as_f64(self.queue_bytes));
        if let Some(bytes) = self.resident_bytes {
            text.alone("resident_memory_bytes", "Memory of the whole process.", as_f64(bytes));
        }
        text.0
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(
            self.0,
            "# HELP progressive_storage_{name} {help}\n# TYPE progressive_storage_{name} {kind}\n"
        );
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.0, "progressive_storage_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn alone(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    fn of_logs(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        logs: &[LogReport],
        value: impl Fn(&LogReport) -> f64,
    ) {
        if logs.is_empty() {
            return;
        }
        self.head(name, kind, help);
        for log in logs {
            self.line(name, &[("log", &log.name)], value(log));
        }
    }

    fn durations_of_logs<'a>(
        &mut self,
        name: &str,
        help: &str,
        logs: &'a [LogReport],
        of: impl Fn(&'a LogReport) -> &'a Distribution,
    ) {
        if logs.is_empty() {
            return;
        }
        self.head(name, "histogram", help);
        for log in logs {
            self.histogram(name, &[("log", &log.name)], of(log), 1e6);
        }
    }

    /// `unit` is what one is divided by.
    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], values: &Distribution, unit: f64) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in &values.buckets {
            let bound = (as_f64(*bound) / unit).to_string();
            self.line(&bucket, &[labels, &[("le", bound.as_str())]].concat(), as_f64(*count));
        }
        self.line(&bucket, &[labels, &[("le", "+Inf")]].concat(), as_f64(values.count));
        self.line(&format!("{name}_sum"), labels, as_f64(values.sum) / unit);
        self.line(&format!("{name}_count"), labels, as_f64(values.count));
    }
}

fn old_logs((count, bytes): (u64, u64)) -> String {
    format!("{{\"count\":{count},\"bytes\":{bytes}}}")
}

/// `{ count, sumMs, buckets: [[upToMs, count], …] }`; the counts grow from bound to bound.
fn durations(values: &Distribution) -> String {
    let buckets: Vec<String> =
        values.buckets.iter().map(|(bound, count)| format!("[{},{count}]", as_f64(*bound) / 1e3)).collect();
    format!(
        "{{\"count\":{},\"sumMs\":{},\"buckets\":[{}]}}",
        values.count,
        as_f64(values.sum) / 1e3,
        buckets.join(",")
    )
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "what is counted stays below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_end_with_all_values() {
        let values = Distribution { buckets: vec![(50, 1), (2500, 3)], count: 4, sum: 5000 };
        let mut text = Text(String::new());
        text.histogram("x_seconds", &[("log", "a\"b")], &values, 1e6);
        assert_eq!(
            text.0,
            "progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"0.00005\"} 1\n\
             progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"0.0025\"} 3\n\
             progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"+Inf\"} 4\n\
             progressive_storage_x_seconds_sum{log=\"a\\\"b\"} 0.005\n\
             progressive_storage_x_seconds_count{log=\"a\\\"b\"} 4\n"
        );
        assert_eq!(durations(&values), "{\"count\":4,\"sumMs\":5,\"buckets\":[[0.05,1],[2.5,3]]}");
    }

    #[test]
    fn what_is_dead_is_never_less_than_nothing() {
        let log = |size_bytes, live_bytes| LogReport { size_bytes, live_bytes, ..LogReport::default() };
        assert!((log(0, 0).dead_share() - 0.0).abs() < 1e-9);
        assert!((log(100, 25).dead_share() - 0.75).abs() < 1e-9);
        assert!((log(100, 120).dead_share() - 0.0).abs() < 1e-9);
    }
}
