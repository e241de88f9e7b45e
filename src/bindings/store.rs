//! The places of this process, and what a JavaScript thread has of one.
//!
//! Invariant: one backend a data folder and choice of options in a process, however many threads and `Storage` objects
//! use it.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::hub::{Hub, Sink};
use super::options::Config;
use super::predicted::Predicted;
use crate::error::Result;
use crate::files::options::Options;
use crate::files::place::{self, Opening};
use crate::game::{LOGS, log_name};
use crate::store::backend::Backend;
use crate::vfs::RealFileSystem;

type Backends = HashMap<(PathBuf, Options), (Weak<dyn Backend>, Arc<Hub>)>;

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

fn open(opening: Opening, sink: Arc<Sink>) -> Result<Arc<dyn Backend>> {
    #[cfg(feature = "memory-place")]
    if let Some(seed) = crate::memory::place::wanted_seed() {
        let place = crate::memory::place::open(&opening.data_folder, opening.files, seed)?;
        return Ok(Arc::new(place));
    }
    Ok(Arc::new(place::open(opening, sink)?))
}

/// The backend of a folder, opened or known, and its hub.
pub fn backend_for(config: &Config) -> Result<(Arc<dyn Backend>, Arc<Hub>)> {
    let key = (config.data_folder.clone(), config.options);
    let mut backends = BACKENDS.lock();
    if let Some((backend, hub)) = backends.get(&key)
        && let Some(backend) = backend.upgrade()
    {
        return Ok((backend, Arc::clone(hub)));
    }
    let hub = Hub::new();
    let sink = Arc::new(Sink(Arc::clone(&hub)));
    let opening = Opening {
        files: Arc::new(RealFileSystem::new()),
        data_folder: config.data_folder.clone(),
        options: config.options,
        mirrored: LOGS.iter().map(|name| log_name(name)).collect(),
    };
    let backend = open(opening, sink)?;
    backends.retain(|_, (backend, _)| backend.strong_count() > 0);
    backends.insert(key, (Arc::downgrade(&backend), Arc::clone(&hub)));
    Ok((backend, hub))
}
