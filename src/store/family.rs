//! Metrics in the text format of Prometheus, 0.0.4.
//!
//! ```text
//! # HELP progressive_storage_keys Number of keys.
//! # TYPE progressive_storage_keys gauge
//! progressive_storage_keys{log="players"} 3
//! ```
//!
//! Names end with their unit (`_seconds`, `_bytes`, `_total`).
//!
//! Invariant: promtool accepts the text without a warning; a family without samples is left out.

use std::fmt::Write as _;

use crate::store::metrics::Distribution;

/// What one line says, beside the name.
type Labels = Vec<(&'static str, String)>;

/// The metrics of one name.
pub struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: Vec<(Labels, Sample)>,
}

/// What Prometheus may do with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

enum Sample {
    Value(f64),
    /// The divisor turns the bounds into the unit of the name.
    Distribution(Distribution, f64),
}

impl Family {
    /// A number that only grows. Its name ends with `_total`.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, help, samples: Vec::new() }
    }

    /// A number that goes up and down.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, help, samples: Vec::new() }
    }

    /// How often a value fell between which bounds.
    #[must_use]
    pub fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, help, samples: Vec::new() }
    }

    /// With this value.
    #[must_use]
    pub fn with(mut self, labels: &[(&'static str, &str)], value: f64) -> Self {
        self.samples.push((owned(labels), Sample::Value(value)));
        self
    }

    /// With these durations in microseconds, shown in seconds.
    #[must_use]
    pub fn with_durations(mut self, labels: &[(&'static str, &str)], values: &Distribution) -> Self {
        self.samples.push((owned(labels), Sample::Distribution(values.clone(), 1e6)));
        self
    }

    /// With these counts.
    #[must_use]
    pub fn with_counts(mut self, labels: &[(&'static str, &str)], values: &Distribution) -> Self {
        self.samples.push((owned(labels), Sample::Distribution(values.clone(), 1.0)));
        self
    }

    /// Writes the family behind `text`.
    pub fn write_to(&self, text: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let (name, kind) = (self.name, self.kind.name());
        let _ = write!(
            text,
            "# HELP progressive_storage_{name} {}\n# TYPE progressive_storage_{name} {kind}\n",
            self.help
        );
        for (labels, sample) in &self.samples {
            match sample {
                Sample::Value(value) => push_line(text, name, labels, *value),
                Sample::Distribution(values, divisor) => {
                    push_histogram(text, name, labels, (values, *divisor));
                }
            }
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn push_line(text: &mut String, name: &str, labels: &Labels, value: f64) {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "progressive_storage_{name}{labels} {value}");
}

fn push_histogram(text: &mut String, name: &str, labels: &Labels, (values, divisor): (&Distribution, f64)) {
    let bucket = format!("{name}_bucket");
    let with_bound = |bound: String| [labels.as_slice(), &[("le", bound)]].concat();
    for (bound, count) in &values.buckets {
        let bound = (as_f64(*bound) / divisor).to_string();
        push_line(text, &bucket, &with_bound(bound), as_f64(*count));
    }
    push_line(text, &bucket, &with_bound("+Inf".to_owned()), as_f64(values.count));
    push_line(text, &format!("{name}_sum"), labels, as_f64(values.sum) / divisor);
    push_line(text, &format!("{name}_count"), labels, as_f64(values.count));
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A count as Prometheus and JavaScript have it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "what is counted stays below 2^53")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_end_with_all_values() {
        let values = Distribution { buckets: vec![(50, 1), (2500, 3)], count: 4, sum: 5000 };
        let mut text = String::new();
        Family::histogram("x_seconds", "Times.")
            .with_durations(&[("log", "a\"b")], &values)
            .write_to(&mut text);
        assert_eq!(
            text,
            "# HELP progressive_storage_x_seconds Times.\n\
             # TYPE progressive_storage_x_seconds histogram\n\
             progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"0.00005\"} 1\n\
             progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"0.0025\"} 3\n\
             progressive_storage_x_seconds_bucket{log=\"a\\\"b\",le=\"+Inf\"} 4\n\
             progressive_storage_x_seconds_sum{log=\"a\\\"b\"} 0.005\n\
             progressive_storage_x_seconds_count{log=\"a\\\"b\"} 4\n"
        );
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut text = String::new();
        Family::gauge("keys", "Number of keys.").write_to(&mut text);
        assert_eq!(text, "");
    }
}
