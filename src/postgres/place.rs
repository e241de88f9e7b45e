//! Opening a server as a place to keep data.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use parking_lot::Mutex;

use crate::error::Result;
use crate::postgres::backend::ServerBackend;
use crate::postgres::compaction::Compaction;
use crate::postgres::connection::Connection;
use crate::postgres::core::ServerCore;
use crate::postgres::event::ServerEvents;
use crate::postgres::known::Known;
use crate::postgres::memory::ServerMemory;
use crate::postgres::metrics::ServerMetrics;
use crate::postgres::queries::Queries;
use crate::postgres::reader::Reader;
use crate::postgres::schema_name::SchemaName;
use crate::postgres::server_clock::ServerClock;
use crate::postgres::session::Server;
use crate::postgres::shared::Shared;
use crate::postgres::statements::Statements;
use crate::postgres::target::Target;
use crate::postgres::tls::Tls;
use crate::postgres::tries::Tries;
use crate::store::clock::Clock;
use crate::store::event::NoticeSink;
use crate::store::patience::Patience;
use crate::store::writer::{Surroundings, Timing, Writer};
use crate::vfs::FileSystemRef;

/// A server that is to be opened.
pub struct Opening {
    /// Where it is.
    pub target: Arc<Target>,
    /// The schema.
    pub schema: SchemaName,
    /// How long a call waits for the server.
    pub timeout_ms: u64,
    /// Old generations of a log that are kept.
    pub backups: usize,
    /// The clock; no file is used.
    pub clock: FileSystemRef,
}

struct PlaceClock(FileSystemRef);

impl Clock for PlaceClock {
    fn monotonic_us(&self) -> u64 {
        self.0.monotonic_us()
    }

    fn sleep_us(&self, duration_us: u64) {
        self.0.sleep_us(duration_us);
    }
}

/// Starts the writer of a server. Nothing is connected before the first call.
///
/// # Errors
/// `ERR_SERVER_TLS` for certificates that cannot be used, `EAGAIN` when the system gives no thread.
pub fn open(opening: Opening, notices: Arc<dyn NoticeSink>) -> Result<ServerBackend> {
    let Opening { target, schema, timeout_ms, backups, clock } = opening;
    let metrics = Arc::<ServerMetrics>::default();
    let hosts = target.to_string();
    let tls = Arc::new(Tls::new(&target)?);
    let server = Server {
        target,
        tls,
        schema: schema.clone(),
        metrics: Arc::clone(&metrics),
        clock: Arc::new(ServerClock::new(Arc::clone(&clock))),
    };
    let statements = Arc::new(Statements::new(&schema));
    let events = Arc::new(ServerEvents::new(notices, Arc::clone(&clock)));
    let epoch = Arc::<AtomicU64>::default();
    let waiting_bytes = Arc::<AtomicUsize>::default();
    let side = |events| {
        let compaction = (Compaction::new(backups, Arc::clone(&clock), events), Arc::clone(&epoch));
        let tries = Tries { clock: Arc::clone(&clock), timeout_ms };
        let queries = Queries::new(server.clone(), Arc::clone(&statements), tries.clone(), compaction);
        Arc::new(Reader::new(queries, tries, Arc::clone(&waiting_bytes)))
    };
    let shared = Shared {
        known: Arc::<Mutex<Known>>::default(),
        metrics: Arc::clone(&metrics),
        events: Arc::clone(&events),
        waiting_bytes: Arc::clone(&waiting_bytes),
        patience: Arc::<Patience>::default(),
        reader: side(Arc::clone(&events)),
        keeper: side(events),
        epoch: Arc::clone(&epoch),
        watched: Arc::default(),
        clock: Arc::clone(&clock),
        timeout_ms,
    };
    let names = (hosts, schema.as_str().to_owned());
    let memory =
        ServerMemory::new(Arc::clone(&shared.known), metrics, Arc::clone(&shared.waiting_bytes), names);
    let surroundings = Surroundings {
        memory: Arc::new(memory),
        clock: Arc::new(PlaceClock(Arc::clone(&clock))),
        patience: Arc::clone(&shared.patience),
        timing: Timing::Each,
    };
    let connection = Connection::new(server, statements, Arc::clone(&clock));
    let (reader, watched) = (Arc::clone(&shared.reader), Arc::clone(&shared.watched));
    let writer = Writer::start(ServerCore::new(connection, shared), surroundings)?;
    Ok(ServerBackend::new(writer, (reader, watched), clock))
}
