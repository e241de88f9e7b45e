//! Opening a place in memory. Who opens the same name in one process gets the same data.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::error::Result;
use crate::memory::clock::SystemClock;
use crate::memory::core::{Logs, MemoryCore, SharedMemory};
use crate::store::patience::Patience;
use crate::store::writer::{Surroundings, Timing, Writer};

static PLACES: LazyLock<Mutex<HashMap<PathBuf, Logs>>> = LazyLock::new(Mutex::default);

/// The seed of what goes wrong, from `MEMORY_PLACE_SEED`; without it no place in memory is wanted.
#[must_use]
pub fn wanted_seed() -> Option<u64> {
    std::env::var("MEMORY_PLACE_SEED").ok()?.parse().ok()
}

/// Starts the writer of the place of this name.
///
/// # Errors
/// `EAGAIN` when the system gives no thread.
pub fn open(name: &Path, seed: u64) -> Result<Writer<MemoryCore>> {
    let logs = Arc::clone(PLACES.lock().entry(name.to_owned()).or_default());
    let surroundings = Surroundings {
        memory: Arc::new(SharedMemory::new(Arc::clone(&logs), seed)),
        clock: Arc::new(SystemClock),
        patience: Arc::<Patience>::default(),
        timing: Timing::Sampled,
    };
    Writer::start(MemoryCore::new(logs, seed), surroundings)
}
