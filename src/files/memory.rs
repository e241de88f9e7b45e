//! What callers on other threads read of a folder: the shelves of its logs.
//!
//! Invariant: an answer is given only while log and mirror are the files that it was read from.

use std::path::PathBuf;
use std::sync::Arc;

use crate::data::name::LogName;
use crate::data::state::{Kept, Slot, State};
use crate::files::logs::Shelves;
use crate::files::metrics::FolderMetrics;
use crate::files::report::{FolderReport, LogReport};
use crate::files::shelf::{Edits, Shelf};
use crate::store::answer::Answer;
use crate::store::clock::Clock;
use crate::store::core::Memory;
use crate::store::query::Query;
use crate::store::report::PlaceReport;
use crate::store::request::Belief;
use crate::vfs::FileSystemRef;

/// Up to this size, a whole state is answered on the caller's thread.
const SMALL_STATE_BYTES: u64 = 256 << 10;
/// The values of up to this number of keys are, if they come to no more than that.
const QUICK_KEYS_MAX: usize = 256;

/// See the header of this file.
pub struct FolderMemory {
    files: FileSystemRef,
    data_folder: PathBuf,
    shelves: Shelves,
    metrics: Arc<FolderMetrics>,
}

impl FolderMemory {
    /// Of the folder that fills these shelves.
    pub fn new(
        files: FileSystemRef,
        data_folder: PathBuf,
        shelves: Shelves,
        metrics: Arc<FolderMetrics>,
    ) -> Self {
        Self { files, data_folder, shelves, metrics }
    }

    fn shelf(&self, log: &LogName) -> Option<Arc<Shelf>> {
        self.shelves.read().get(log).cloned()
    }
}

impl Memory for FolderMemory {
    fn answer_now(&self, log: &LogName, query: &Query) -> Option<Answer> {
        self.shelf(log)?.read(&*self.files, Edits::Counted, |state| {
            is_quick(query, state).then(|| query.of_state(state, self.files.now_ms())).flatten()
        })
    }

    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief> {
        let shelf = self.shelf(log)?;
        let now_ms = self.files.now_ms();
        // `None` outside: it is not in memory.
        let value_of = |state: &State<Slot>, key: &String| match state.get_live(key, now_ms).map(Kept::held) {
            None => Some(None),
            Some(held) => held.map(|member| Some(member.value().to_owned())),
        };
        let values = |state: &State<Slot>| keys.iter().map(|key| value_of(state, key)).collect();
        // While others write, the files are never as they were. An update that had to ask for its value would keep all
        // later ones waiting. That a key is not there is no guess: functions do not expect it of one that is.
        let certain = shelf.read(&*self.files, Edits::Counted, values).map(Belief::Certain);
        certain.or_else(|| shelf.guess(keys, now_ms).map(Belief::Likely))
    }

    fn report(&self) -> Box<dyn PlaceReport> {
        let now_ms = self.files.monotonic_ms();
        let mut logs: Vec<LogReport> =
            self.shelves.read().values().map(|shelf| shelf.report(now_ms, self.files.now_ms())).collect();
        logs.sort_by(|one, other| one.name.cmp(&other.name));
        Box::new(FolderReport {
            data_folder: self.data_folder.display().to_string(),
            batch_calls: self.metrics.batch_calls.read(),
            lock_wait_us: self.metrics.lock_wait.read(),
            logs,
        })
    }
}

/// Whether the answer takes so little time that it is made on the caller's thread.
fn is_quick(query: &Query, state: &State<Slot>) -> bool {
    let is_small = state.live_bytes() <= SMALL_STATE_BYTES;
    is_small
        || match (query, query.field()) {
            (Query::GetMany(keys), _) => {
                let size = |key: &String| state.get(key).map_or(0, |slot| slot.text_bytes() as u64);
                keys.len() <= QUICK_KEYS_MAX && keys.iter().map(size).sum::<u64>() <= SMALL_STATE_BYTES
            }
            (_, Some(field)) => state.has_field(field),
            (_, None) => !query.is_of_all(),
        }
}

/// The clock of the file system.
pub struct FileClock(pub FileSystemRef);

impl Clock for FileClock {
    fn monotonic_us(&self) -> u64 {
        self.0.monotonic_us()
    }

    fn sleep_us(&self, duration_us: u64) {
        self.0.sleep_us(duration_us);
    }
}
