//! The places of this process, and what a JavaScript thread has of one.
//!
//! Invariant: one backend a data folder and choice of options in a process, however many threads and `Storage` objects
//! use it.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::hub::{Hub, Sink};
use super::options::{Config, Place};
use super::predicted::Predicted;
use crate::error::Result;
use crate::files::place::{self, Opening};
use crate::game::{LOGS, log_name};
use crate::store::backend::Backend;
use crate::vfs::RealFileSystem;

type Backends = HashMap<Place, (Weak<dyn Backend>, Arc<Hub>)>;

static BACKENDS: LazyLock<Mutex<Backends>> = LazyLock::new(Mutex::default);

/// A place as one JavaScript thread uses it.
pub struct Store {
    /// The place that keeps the data.
    pub backend: Arc<dyn Backend>,
    /// Who listens to what happens in it.
    pub hub: Arc<Hub>,
    /// Calls of this thread that are not settled: while there are any, reads queue behind them.
    pub pending: Cell<usize>,
    /// What collections' keys will have once the pending calls are done, as far as that is known.
    pub predicted: Predicted,
    handles: Cell<usize>,
}

impl Store {
    /// A place that no handle uses yet.
    pub fn new(backend: Arc<dyn Backend>, hub: &Arc<Hub>) -> Rc<Self> {
        Rc::new(Self {
            backend,
            hub: Arc::clone(hub),
            pending: Cell::new(0),
            predicted: Predicted::default(),
            handles: Cell::new(0),
        })
    }

    /// A handle was opened.
    pub fn more_handles(&self) {
        self.handles.set(self.handles.get() + 1);
    }

    /// A handle was closed.
    pub fn fewer_handles(&self) {
        self.handles.set(self.handles.get() - 1);
    }

    /// Whether any handle is open.
    pub fn has_handles(&self) -> bool {
        self.handles.get() > 0
    }
}

fn open_folder(opening: Opening, sink: Arc<Sink>) -> Result<Arc<dyn Backend>> {
    #[cfg(feature = "memory-place")]
    if let Some(seed) = crate::memory::place::wanted_seed() {
        let place = crate::memory::place::open(&opening.data_folder, seed)?;
        return Ok(Arc::new(place));
    }
    Ok(Arc::new(place::open(opening, sink)?))
}

fn open(place: &Place, sink: Arc<Sink>) -> Result<Arc<dyn Backend>> {
    match place {
        Place::Folder { data_folder, options } => {
            let opening = Opening {
                files: Arc::new(RealFileSystem::new()),
                data_folder: data_folder.clone(),
                options: *options,
                mirrored: LOGS.iter().map(|name| log_name(name)).collect(),
            };
            open_folder(opening, sink)
        }
        #[cfg(feature = "postgres")]
        Place::Server(choice) => {
            let opening = crate::postgres::place::Opening {
                target: choice.target(),
                schema: choice.schema().clone(),
                timeout_ms: choice.timeout_ms(),
                backups: choice.backups(),
                clock: Arc::new(RealFileSystem::new()),
            };
            Ok(Arc::new(crate::postgres::place::open(opening, sink)?))
        }
    }
}

/// The backend of a place, opened or known, and its hub.
pub fn backend_for(config: &Config) -> Result<(Arc<dyn Backend>, Arc<Hub>)> {
    let mut backends = BACKENDS.lock();
    if let Some((backend, hub)) = backends.get(&config.place)
        && let Some(backend) = backend.upgrade()
    {
        return Ok((backend, Arc::clone(hub)));
    }
    let hub = Hub::new();
    let backend = open(&config.place, Arc::new(Sink(Arc::clone(&hub))))?;
    backends.retain(|_, (backend, _)| backend.strong_count() > 0);
    backends.insert(config.place.clone(), (Arc::downgrade(&backend), Arc::clone(&hub)));
    Ok((backend, hub))
}
