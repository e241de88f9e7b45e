//! What a crash makes of a simulated disk. The assumptions are in the header of `simulated`.
//!
//! Invariant: after a power cut, everything that processes see is durable. A kill makes nothing durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::{Disk, ROOT};
use super::node::{Content, FileChange, FolderNode, Key, Target, apply, put};
use super::outcome::Kept;
use super::pending::Pending;

impl Disk {
    /// The disk after a power cut: `kept` decides what is kept of each pending change, by its number.
    pub(super) fn after_power_cut(&self, kept: &mut dyn FnMut(usize, &Pending) -> Kept) -> Self {
        let pending = self.pending();
        let fates: BTreeMap<u64, Kept> =
            pending.iter().enumerate().map(|(number, change)| (change.at, kept(number, change))).collect();
        let mut after = self.clone();
        after.changes = 0;
        for folder in after.folders.values_mut() {
            if folder.pending.is_empty() {
                continue;
            }
            let folder = Arc::make_mut(folder);
            let mut names = std::mem::take(&mut folder.durable);
            for (at, change) in std::mem::take(&mut folder.pending) {
                if fates[&at] != Kept::Nothing {
                    FolderNode::apply(&mut names, &change);
                }
            }
            folder.names = names.clone();
            folder.durable = names;
        }
        for file in after.files.values_mut() {
            if file.pending.is_empty() && file.handles == 0 && file.times == file.durable_times {
                continue;
            }
            let file = Arc::make_mut(file);
            file.handles = 0;
            let mut content = std::mem::take(&mut file.durable);
            let mut is_any_kept = false;
            for change in std::mem::take(&mut file.pending) {
                let fate = if change.is_synced { &Kept::All } else { &fates[&change.at] };
                is_any_kept |= *fate != Kept::Nothing;
                keep(Arc::make_mut(&mut content), &change.change, fate);
            }
            if !is_any_kept {
                file.times = file.durable_times;
            }
            file.durable_times = file.times;
            file.content = Arc::clone(&content);
            file.durable = content;
        }
        after.forget_lost();
        after
    }

    /// The disk after its processes were killed: all is seen as it was, nothing became durable. Of the
    /// last write only `size_bytes` bytes arrived.
    pub(super) fn after_kill(&self, size_bytes: Option<usize>) -> Self {
        let mut after = self.clone();
        if let Some(size_bytes) = size_bytes {
            after.shorten_last_write(size_bytes);
        }
        for file in after.files.values_mut() {
            if file.handles > 0 {
                Arc::make_mut(file).handles = 0;
            }
        }
        after.sweep();
        after
    }

    fn shorten_last_write(&mut self, size_bytes: usize) {
        let last = self.changes;
        let found = self.files.values_mut().find(|file| file.pending.last().is_some_and(|it| it.at == last));
        let Some(file) = found.map(Arc::make_mut) else { return };
        if let Some(FileChange { change: Content::Write { bytes, .. }, .. }) = file.pending.last_mut() {
            *bytes = bytes[..size_bytes.min(bytes.len())].into();
        }
        let mut content = Vec::clone(&file.durable);
        for change in &file.pending {
            apply(&mut content, &change.change);
        }
        file.content = Arc::new(content);
    }

    /// After a power cut: drops what no name leads to, and counts names again.
    fn forget_lost(&mut self) {
        let mut names: BTreeMap<Key, u32> = BTreeMap::new();
        let mut open = vec![ROOT];
        let mut reached = BTreeSet::new();
        while let Some(key) = open.pop() {
            if reached.insert(key) {
                for target in self.folders[&key].names.values() {
                    match target {
                        Target::Folder(key) => open.push(*key),
                        Target::File(key) => *names.entry(*key).or_default() += 1,
                    }
                }
            }
        }
        self.folders.retain(|key, _| reached.contains(key));
        self.files.retain(|key, _| names.contains_key(key));
        let mut numbers = BTreeSet::new();
        for (key, file) in &mut self.files {
            let count = names[key];
            if file.names != count || file.handles != 0 || numbers.contains(&file.number) {
                let file = Arc::make_mut(file);
                file.names = count;
                file.handles = 0;
                while numbers.contains(&file.number) {
                    // A newer file got the number while the removal was not durable.
                    file.number += 1000;
                }
            }
            numbers.insert(file.number);
        }
    }
}

fn keep(content: &mut Vec<u8>, change: &Content, kept: &Kept) {
    match (change, kept) {
        (_, Kept::Nothing) => {}
        (Content::Length(_), _) | (_, Kept::All) => apply(content, change),
        (Content::Write { offset, bytes }, Kept::Length) => {
            content.resize(content.len().max(offset + bytes.len()), 0);
        }
        (Content::Write { offset, bytes }, Kept::First(size_bytes)) => {
            put(content, *offset, &bytes[..(*size_bytes).min(bytes.len())]);
        }
        (Content::Write { offset, bytes }, Kept::Parts { unit_bytes, is_length_kept, random, in_256 }) => {
            let mut random = *random;
            let end = offset + bytes.len();
            let mut at = *offset;
            while at < end {
                let next = ((at / unit_bytes + 1) * unit_bytes).min(end);
                if random.draw() % 256 < u64::from(*in_256) {
                    put(content, at, &bytes[at - offset..next - offset]);
                }
                at = next;
            }
            if *is_length_kept {
                content.resize(content.len().max(end), 0);
            }
        }
    }
}
