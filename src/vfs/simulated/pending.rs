//! The changes of a simulated disk that are not durable.
//!
//! Invariant: nothing here changes a disk.

use std::path::Path;

use super::disk::Disk;
use super::node::{Content, Key};

/// Unit in which a write is kept or lost.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change that is not durable, as `Outcome` sees it.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Number of the change.
    pub(super) at: u64,
    /// Bytes of a write; `None` for another change.
    pub write: Option<(usize, usize)>,
    /// Whether it is a change of names.
    pub is_name: bool,
}

impl Disk {
    /// Whether the file at the path, or the one that a power cut may bring back there, has bytes whose sync
    /// failed, and that were not cut off since.
    #[must_use]
    pub fn is_in_doubt(&self, path: &Path) -> bool {
        let seen = self.find_file(path).ok().flatten();
        let durable = self.find_durable_file(path);
        let is_doubtful = |key: Key| self.file(key).pending.iter().any(|change| change.is_doubtful);
        seen.into_iter().chain(durable).any(is_doubtful)
    }

    /// Changes that are not durable, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        let mut pending = Vec::new();
        for file in self.files.values() {
            for change in file.pending.iter().filter(|change| !change.is_synced) {
                let write = match &change.change {
                    Content::Write { offset, bytes } => Some((*offset, bytes.len())),
                    Content::Length(_) => None,
                };
                pending.push(Pending { at: change.at, write, is_name: false });
            }
        }
        for folder in self.folders.values() {
            pending.extend(folder.pending.iter().map(|(at, _)| Pending {
                at: *at,
                write: None,
                is_name: true,
            }));
        }
        pending.sort_by_key(|change| change.at);
        pending
    }
}
