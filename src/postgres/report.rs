//! The metrics of a server place at one moment.
//!
//! Invariant: pure functions of the numbers that were counted; no secret is among them.

use crate::data::json::quote;
use crate::postgres::metrics::ServerMetrics;
use crate::store::family::{Family, as_f64};
use crate::store::metrics::Distribution;
use crate::store::report::{PlaceReport, durations};

/// See the header of this file.
pub struct ServerReport {
    hosts: String,
    schema: String,
    batch_calls: Distribution,
    ack: Distribution,
    commit: Distribution,
    read: Distribution,
    /// Name in the object, name and help for Prometheus, and the number.
    counters: [(&'static str, &'static str, &'static str, u64); 7],
}

impl ServerReport {
    /// The numbers as they are now.
    pub fn new(hosts: &str, schema: &str, metrics: &ServerMetrics) -> Self {
        Self {
            hosts: hosts.to_owned(),
            schema: schema.to_owned(),
            batch_calls: metrics.batch_calls.read(),
            ack: metrics.ack.read(),
            commit: metrics.commit.read(),
            read: metrics.read.read(),
            counters: [
                (
                    "roundTrips",
                    "server_round_trips_total",
                    "Questions to the server.",
                    metrics.round_trips.get(),
                ),
                (
                    "readsAhead",
                    "server_reads_ahead_total",
                    "Reads before a batch.",
                    metrics.reads_ahead.get(),
                ),
                (
                    "conflicts",
                    "server_conflicts_total",
                    "Batches that met other versions.",
                    metrics.conflicts.get(),
                ),
                (
                    "retries",
                    "server_retries_total",
                    "Batches run again after a failure that passes.",
                    metrics.retries.get(),
                ),
                (
                    "repeats",
                    "server_repeats_total",
                    "Batches sent again after a lost connection.",
                    metrics.repeats.get(),
                ),
                (
                    "connections",
                    "server_connections_total",
                    "Connections that were opened.",
                    metrics.connections.get(),
                ),
                ("timeouts", "server_timeouts_total", "Calls whose time was over.", metrics.timeouts.get()),
            ],
        }
    }
}

impl PlaceReport for ServerReport {
    fn batch_calls(&self) -> &Distribution {
        &self.batch_calls
    }

    fn leading_members(&self) -> String {
        let (hosts, schema) = (quote(&self.hosts), quote(&self.schema));
        format!("\"dataDir\":null,\"server\":{{\"hosts\":{hosts},\"schema\":{schema}}},\"logs\":{{}}")
    }

    fn trailing_members(&self) -> String {
        let counters: Vec<String> =
            self.counters.iter().map(|(name, _, _, number)| format!("\"{name}\":{number}")).collect();
        format!(
            "\"lockWait\":null,\"ack\":{},\"commit\":{},\"read\":{},{}",
            durations(&self.ack),
            durations(&self.commit),
            durations(&self.read),
            counters.join(",")
        )
    }

    fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = self
            .counters
            .iter()
            .map(|(_, name, help, number)| Family::counter(name, help).with(&[], as_f64(*number)))
            .collect();
        let ack = Family::histogram("server_ack_seconds", "Time from a call to its acknowledgement.");
        let commit = Family::histogram("server_commit_seconds", "Round trip of each commit.");
        let read = Family::histogram("server_read_seconds", "Round trip of each read.");
        families.push(ack.with_durations(&[], &self.ack));
        families.push(commit.with_durations(&[], &self.commit));
        families.push(read.with_durations(&[], &self.read));
        families
    }
}
