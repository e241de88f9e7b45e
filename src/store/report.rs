//! The metrics of a place, as an object and as the text of Prometheus: a part that all places have, and the place's own.
//!
//! Invariant: both forms are made of the same numbers. Names end with their unit in the text (`_seconds`, `_bytes`,
//! `_total`) and in the object (`Ms`, `Bytes`).

use crate::store::family::{Family, as_f64};
use crate::store::metrics::Distribution;

/// A place's metrics at one moment.
pub struct Report {
    /// Calls that wait.
    pub queue_calls: u64,
    /// Bytes of text that wait with them.
    pub queue_bytes: u64,
    /// Memory of the whole process in bytes, if it is known.
    pub resident_bytes: Option<u64>,
    /// The place's own part.
    pub place: Box<dyn PlaceReport>,
}

/// The part of a report that only the place knows.
pub trait PlaceReport: Send {
    /// Calls in each batch.
    fn batch_calls(&self) -> &Distribution;
    /// Members of the object that come first, as JSON text without braces.
    fn leading_members(&self) -> String;
    /// Members of the object that come behind the common ones.
    fn trailing_members(&self) -> String;
    /// The place's metrics for Prometheus.
    fn families(&self) -> Vec<Family>;
}

impl Report {
    /// The object that `metrics()` gives, as JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        let batches = self.place.batch_calls();
        let buckets: Vec<String> =
            batches.buckets.iter().map(|(bound, count)| format!("[{bound},{count}]")).collect();
        format!(
            "{{{},\"queueCalls\":{},\"queueBytes\":{},\"batches\":{{\"count\":{},\"calls\":{},\"buckets\":[{}]}},\
             {},\"residentBytes\":{}}}",
            self.place.leading_members(),
            self.queue_calls,
            self.queue_bytes,
            batches.count,
            batches.sum,
            buckets.join(","),
            self.place.trailing_members(),
            self.resident_bytes.map_or_else(|| "null".to_owned(), |bytes| bytes.to_string()),
        )
    }

    /// The text that `metricsText()` gives: Prometheus' text format 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut families = self.place.families();
        families.push(
            Family::histogram("batch_calls", "Calls that were written with one sync.")
                .with_counts(&[], self.place.batch_calls()),
        );
        families.push(
            Family::gauge("queue_calls", "Calls that wait to be written.")
                .with(&[], as_f64(self.queue_calls)),
        );
        families.push(
            Family::gauge("queue_bytes", "Bytes of the calls that wait to be written.")
                .with(&[], as_f64(self.queue_bytes)),
        );
        if let Some(bytes) = self.resident_bytes {
            families.push(
                Family::gauge("resident_memory_bytes", "Memory of the whole process.")
                    .with(&[], as_f64(bytes)),
            );
        }
        let mut text = String::new();
        for family in families {
            family.write_to(&mut text);
        }
        text
    }
}

/// `{ count, sumMs, buckets: [[upToMs, count], …] }`; the counts grow from bound to bound.
#[must_use]
pub fn durations(values: &Distribution) -> String {
    let buckets: Vec<String> =
        values.buckets.iter().map(|(bound, count)| format!("[{},{count}]", as_f64(*bound) / 1e3)).collect();
    format!(
        "{{\"count\":{},\"sumMs\":{},\"buckets\":[{}]}}",
        values.count,
        as_f64(values.sum) / 1e3,
        buckets.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_milliseconds() {
        let values = Distribution { buckets: vec![(50, 1), (2500, 3)], count: 4, sum: 5000 };
        assert_eq!(durations(&values), "{\"count\":4,\"sumMs\":5,\"buckets\":[[0.05,1],[2.5,3]]}");
    }
}
