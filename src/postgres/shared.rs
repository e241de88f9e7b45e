//! What the core shares with the callers' threads and with the threads beside it.
//!
//! Invariant: each part guards itself; none is held while another is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use parking_lot::Mutex;

use crate::postgres::event::ServerEvents;
use crate::postgres::known::Known;
use crate::postgres::metrics::ServerMetrics;
use crate::postgres::reader::Reader;
use crate::postgres::watched_logs::WatchedLogs;
use crate::store::patience::Patience;
use crate::vfs::FileSystemRef;

/// See the header of this file.
#[derive(Clone)]
pub struct Shared {
    /// What keys were seen to have.
    pub known: Arc<Mutex<Known>>,
    /// What was counted.
    pub metrics: Arc<ServerMetrics>,
    /// Where events go.
    pub events: Arc<ServerEvents>,
    /// How often the writer connected: who has a connection from before looks for the primary, too.
    pub epoch: Arc<AtomicU64>,
    /// Text of the calls that the core holds.
    pub waiting_bytes: Arc<AtomicUsize>,
    /// How long an end waits.
    pub patience: Arc<Patience>,
    /// Reads of whole logs.
    pub reader: Arc<Reader>,
    /// Compactions.
    pub keeper: Arc<Reader>,
    /// Who watches which log.
    pub watched: Arc<WatchedLogs>,
    /// The clock.
    pub clock: FileSystemRef,
    /// How long a call waits for the server.
    pub timeout_ms: u64,
}
