//! Who watches which log, so that a commit of this process is looked for at once.
//!
//! Invariant: where nobody watches, a commit costs one look at an empty list.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::store::watch::Watcher;

/// See the header of this file.
#[derive(Default)]
pub struct WatchedLogs(Mutex<Vec<(LogName, Weak<Watcher>)>>);

impl WatchedLogs {
    /// This log is watched.
    pub fn add(&self, log: &LogName, watcher: &Arc<Watcher>) {
        let mut all = self.0.lock();
        all.retain(|(_, watcher)| watcher.upgrade().is_some_and(|watcher| !watcher.has_ended()));
        all.push((log.clone(), Arc::downgrade(watcher)));
    }

    /// These logs have new entries.
    pub fn committed<'a>(&self, logs: impl Iterator<Item = &'a LogName>) {
        let all = self.0.lock();
        if all.is_empty() {
            return;
        }
        let logs: Vec<&LogName> = logs.collect();
        for (log, watcher) in &*all {
            if logs.contains(&log)
                && let Some(watcher) = watcher.upgrade()
            {
                watcher.is_to_look();
            }
        }
    }
}
