//! Files and folders of a simulated disk: durable content, and the changes on top of it.
//!
//! Invariant: what is durable, with all pending changes applied in order, is what processes see.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A file or folder. No key is used twice.
pub(super) type Key = u32;
/// A name leads to one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// A file.
    File(Key),
    /// A folder.
    Folder(Key),
}

/// Times of a file, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Times {
    /// Of the last change of its content.
    pub(super) modified_ns: i64,
    /// Of the last change of anything about it.
    pub(super) changed_ns: i64,
}

#[derive(Clone, Debug)]
pub(super) struct FileNode {
    pub(super) number: u64,
    pub(super) names: u32,
    pub(super) handles: u32,
    pub(super) content: Arc<Vec<u8>>,
    pub(super) times: Times,
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) durable_times: Times,
    pub(super) pending: Vec<FileChange>,
}

#[derive(Clone, Debug)]
pub(super) struct FileChange {
    pub(super) at: u64,
    pub(super) change: Content,
    /// Its sync failed: it stays in doubt.
    pub(super) is_doubtful: bool,
    /// Durable, but something before it is in doubt.
    pub(super) is_synced: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Write { offset: usize, bytes: Arc<[u8]> },
    Length(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct FolderNode {
    pub(super) names: BTreeMap<String, Target>,
    pub(super) durable: BTreeMap<String, Target>,
    pub(super) pending: Vec<(u64, NameChange)>,
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Add(String, Target),
    Remove(String, Target),
    Move(String, String, Target),
}

impl FileNode {
    pub(super) fn add(&mut self, at: u64, change: Content) {
        apply(Arc::make_mut(&mut self.content), &change);
        self.pending.push(FileChange { at, change, is_doubtful: false, is_synced: false });
    }

    pub(super) fn sync(&mut self) {
        self.durable_times = self.times;
        if self.pending.iter().all(|change| !change.is_doubtful) {
            self.pending.clear();
            self.durable = Arc::clone(&self.content);
            return;
        }
        for change in &mut self.pending {
            change.is_synced |= !change.is_doubtful;
        }
        // What became of a write does not matter once it is cut off durably.
        let cuts: Vec<(u64, usize)> = self
            .pending
            .iter()
            .filter_map(|change| match change.change {
                Content::Length(length) if change.is_synced => Some((change.at, length)),
                _ => None,
            })
            .collect();
        self.pending.retain(|change| match &change.change {
            Content::Write { offset, .. } if change.is_doubtful => {
                !cuts.iter().any(|(at, length)| *at > change.at && length <= offset)
            }
            _ => true,
        });
        let durable = self.pending.iter().take_while(|change| change.is_synced).count();
        for change in self.pending.drain(..durable) {
            apply(Arc::make_mut(&mut self.durable), &change.change);
        }
    }
}

pub(super) fn apply(content: &mut Vec<u8>, change: &Content) {
    match change {
        Content::Write { offset, bytes } => put(content, *offset, bytes),
        Content::Length(length) => content.resize(*length, 0),
    }
}

pub(super) fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl FolderNode {
    pub(super) fn apply(names: &mut BTreeMap<String, Target>, change: &NameChange) {
        match change {
            NameChange::Add(name, target) => {
                names.insert(name.clone(), *target);
            }
            NameChange::Remove(name, target) => {
                if names.get(name) == Some(target) {
                    names.remove(name);
                }
            }
            NameChange::Move(from, to, target) => {
                if names.get(from) == Some(target) {
                    names.remove(from);
                }
                names.insert(to.clone(), *target);
            }
        }
    }

    pub(super) fn change(&mut self, at: u64, change: NameChange) {
        Self::apply(&mut self.names, &change);
        self.pending.push((at, change));
    }
}
