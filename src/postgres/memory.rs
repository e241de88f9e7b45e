//! What callers on other threads learn of a server without asking it: guesses.
//!
//! Invariant: nothing is certain here but what a server says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::postgres::known::Known;
use crate::postgres::metrics::ServerMetrics;
use crate::postgres::report::ServerReport;
use crate::postgres::wire::Key;
use crate::store::answer::Answer;
use crate::store::core::Memory;
use crate::store::query::Query;
use crate::store::report::PlaceReport;
use crate::store::request::Belief;

/// See the header of this file.
pub struct ServerMemory {
    known: Arc<Mutex<Known>>,
    metrics: Arc<ServerMetrics>,
    waiting_bytes: Arc<AtomicUsize>,
    hosts: String,
    schema: String,
}

impl ServerMemory {
    /// Of a server with these hosts and this schema, whose keys were seen to have this.
    pub fn new(
        known: Arc<Mutex<Known>>,
        metrics: Arc<ServerMetrics>,
        waiting_bytes: Arc<AtomicUsize>,
        (hosts, schema): (String, String),
    ) -> Self {
        Self { known, metrics, waiting_bytes, hosts, schema }
    }
}

impl Memory for ServerMemory {
    fn answer_now(&self, _: &LogName, _: &Query) -> Option<Answer> {
        None
    }

    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief> {
        let mut known = self.known.lock();
        let mut value_of = |key: &String| {
            let row = known.get(&Key { log: log.clone(), key: key.clone() })?;
            Some(row.member.as_ref().map(|member| member.value().to_owned()))
        };
        keys.iter().map(&mut value_of).collect::<Option<_>>().map(Belief::Likely)
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    fn report(&self) -> Box<dyn PlaceReport> {
        Box::new(ServerReport::new(&self.hosts, &self.schema, &self.metrics))
    }
}
