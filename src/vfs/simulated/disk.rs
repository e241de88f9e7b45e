//! What is on a simulated disk: what every process sees, what is durable, and the changes between them, whose fate a
//! power cut decides. The assumptions are in the header of `simulated`.
//!
//! ```text
//! file     durable content ─ change ─ change (in doubt) ─ change (synced) ─> content as seen
//! folder   durable names   ─ change ─ change                              ─> names as seen
//! ```
//!
//! Invariant: what is durable, with all pending changes applied in order, is what processes see.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use super::super::Stamp;
use super::node::{Content, FileNode, FolderNode, Key, NameChange, Target, Times};

pub(super) const ROOT: Key = 0;
const NUMBER_FIRST: u64 = 11;

/// See the header of this file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) files: BTreeMap<Key, Arc<FileNode>>,
    pub(super) folders: BTreeMap<Key, Arc<FolderNode>>,
    next_key: Key,
    pub(super) changes: u64,
}

fn error<T>(kind: io::ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

fn name_of(path: &Path) -> io::Result<String> {
    match path.file_name() {
        Some(name) => Ok(name.to_string_lossy().into_owned()),
        None => error(io::ErrorKind::InvalidInput),
    }
}

impl Disk {
    /// A disk with a root folder.
    pub(super) fn new() -> Self {
        let folders = BTreeMap::from([(ROOT, Arc::new(FolderNode::default()))]);
        Self { files: BTreeMap::new(), folders, next_key: ROOT + 1, changes: 0 }
    }

    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    pub(super) fn file(&self, key: Key) -> &FileNode {
        &self.files[&key]
    }

    fn file_mut(&mut self, key: Key) -> &mut FileNode {
        Arc::make_mut(self.files.get_mut(&key).expect("an open file exists"))
    }

    fn folder_mut(&mut self, key: Key) -> &mut FolderNode {
        Arc::make_mut(self.folders.get_mut(&key).expect("a folder that was found exists"))
    }

    /// What the path leads to.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Target>> {
        let mut found = Target::Folder(ROOT);
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Target::Folder(folder) = found else { return error(io::ErrorKind::NotADirectory) };
            match self.folders[&folder].names.get(name.to_string_lossy().as_ref()) {
                Some(target) => found = *target,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// The file at the path.
    pub(super) fn find_file(&self, path: &Path) -> io::Result<Option<Key>> {
        match self.find(path)? {
            Some(Target::File(key)) => Ok(Some(key)),
            Some(Target::Folder(_)) => error(io::ErrorKind::IsADirectory),
            None => Ok(None),
        }
    }

    /// The file that durably has the name.
    pub(super) fn find_durable_file(&self, path: &Path) -> Option<Key> {
        let folder = self.folder_above(path).ok()?;
        match self.folders.get(&folder)?.durable.get(path.file_name()?.to_str()?)? {
            Target::File(key) => Some(*key),
            Target::Folder(_) => None,
        }
    }

    fn folder_above(&self, path: &Path) -> io::Result<Key> {
        match path.parent().map(|parent| self.find(parent)).transpose()?.flatten() {
            Some(Target::Folder(key)) => Ok(key),
            Some(Target::File(_)) => error(io::ErrorKind::NotADirectory),
            None => error(io::ErrorKind::NotFound),
        }
    }

    /// Content of the file at the path.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Arc<Vec<u8>>> {
        self.find_file(path).ok().flatten().map(|key| self.file_content(key))
    }

    /// Content of a file.
    pub(super) fn file_content(&self, key: Key) -> Arc<Vec<u8>> {
        Arc::clone(&self.file(key).content)
    }

    /// Stamp of a file.
    pub(super) fn stamp(&self, key: Key) -> Stamp {
        let file = self.file(key);
        Stamp {
            id: file.number,
            size_bytes: file.content.len() as u64,
            modified_ns: file.times.modified_ns,
            changed_ns: file.times.changed_ns,
        }
    }

    /// Names in a folder; none when there is no folder.
    ///
    /// # Errors
    /// When it is not a folder.
    pub fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        match self.find(path)? {
            Some(Target::Folder(key)) => Ok(self.folders[&key].names.keys().cloned().collect()),
            Some(Target::File(_)) => error(io::ErrorKind::NotADirectory),
            None => Ok(Vec::new()),
        }
    }

    /// All names of files in a folder with their contents.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Vec<(String, Arc<Vec<u8>>)> {
        let names = self.list(path).unwrap_or_default();
        names.into_iter().filter_map(|name| Some((name.clone(), self.content(&path.join(name))?))).collect()
    }

    /// A handle was opened.
    pub(super) fn opened(&mut self, key: Key) {
        self.file_mut(key).handles += 1;
    }

    /// A handle was closed.
    pub(super) fn closed(&mut self, key: Key) {
        if self.files.contains_key(&key) {
            let file = self.file_mut(key);
            file.handles = file.handles.saturating_sub(1);
            if file.handles == 0 && file.names == 0 {
                self.sweep();
            }
        }
    }

    /// The smallest number that no reachable file has: numbers of removed files come back.
    fn free_number(&self) -> u64 {
        let taken: BTreeSet<u64> = self
            .files
            .values()
            .filter(|file| file.names > 0 || file.handles > 0)
            .map(|file| file.number)
            .collect();
        (NUMBER_FIRST..u64::MAX).find(|number| !taken.contains(number)).unwrap_or(0)
    }

    /// Makes an empty file.
    pub(super) fn make_file(&mut self, path: &Path, now_ns: i64) -> io::Result<Key> {
        let (folder, name) = (self.folder_above(path)?, name_of(path)?);
        let times = Times { modified_ns: now_ns, changed_ns: now_ns };
        let key = self.next_key;
        self.next_key += 1;
        let file = FileNode {
            number: self.free_number(),
            names: 1,
            handles: 0,
            content: Arc::default(),
            times,
            durable: Arc::default(),
            durable_times: times,
            pending: Vec::new(),
        };
        self.files.insert(key, Arc::new(file));
        let at = self.next_change();
        self.folder_mut(folder).change(at, NameChange::Add(name, Target::File(key)));
        Ok(key)
    }

    /// Makes a folder.
    pub(super) fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        let (folder, name) = (self.folder_above(path)?, name_of(path)?);
        let key = self.next_key;
        self.next_key += 1;
        self.folders.insert(key, Arc::default());
        let at = self.next_change();
        self.folder_mut(folder).change(at, NameChange::Add(name, Target::Folder(key)));
        Ok(())
    }

    /// Writes.
    pub(super) fn write(&mut self, key: Key, offset: usize, bytes: &[u8], now_ns: i64) {
        let at = self.next_change();
        let file = self.file_mut(key);
        file.add(at, Content::Write { offset, bytes: bytes.into() });
        file.times = Times { modified_ns: now_ns, changed_ns: now_ns };
    }

    /// Cuts or extends.
    pub(super) fn set_length(&mut self, key: Key, length: usize, now_ns: i64) {
        let at = self.next_change();
        let file = self.file_mut(key);
        if file.content.len() != length {
            file.add(at, Content::Length(length));
        }
        file.times = Times { modified_ns: now_ns, changed_ns: now_ns };
    }

    /// Gives a file another name.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, now_ns: i64) -> io::Result<()> {
        let (folder, from_name, to_name) = (self.folder_above(from)?, name_of(from)?, name_of(to)?);
        if folder != self.folder_above(to)? {
            // The store never does it, and the fate of such a rename would need rules of its own.
            return error(io::ErrorKind::Unsupported);
        }
        let Some(key) = self.find_file(from)? else { return error(io::ErrorKind::NotFound) };
        if let Some(replaced) = self.find_file(to)? {
            if replaced == key {
                return Ok(());
            }
            self.file_mut(replaced).names -= 1;
        }
        self.file_mut(key).times.changed_ns = now_ns;
        let at = self.next_change();
        self.folder_mut(folder).change(at, NameChange::Move(from_name, to_name, Target::File(key)));
        Ok(())
    }

    /// Gives a file a second name.
    pub(super) fn link(&mut self, from: &Path, to: &Path, now_ns: i64) -> io::Result<()> {
        let (folder, name) = (self.folder_above(to)?, name_of(to)?);
        let Some(key) = self.find_file(from)? else { return error(io::ErrorKind::NotFound) };
        if self.find(to)?.is_some() {
            return error(io::ErrorKind::AlreadyExists);
        }
        let file = self.file_mut(key);
        file.names += 1;
        file.times.changed_ns = now_ns;
        let at = self.next_change();
        self.folder_mut(folder).change(at, NameChange::Add(name, Target::File(key)));
        Ok(())
    }

    /// Removes a name.
    pub(super) fn remove(&mut self, path: &Path, now_ns: i64) -> io::Result<()> {
        let Some(key) = self.find_file(path)? else { return Ok(()) };
        let (folder, name) = (self.folder_above(path)?, name_of(path)?);
        let file = self.file_mut(key);
        file.names -= 1;
        file.times.changed_ns = now_ns;
        let at = self.next_change();
        self.folder_mut(folder).change(at, NameChange::Remove(name, Target::File(key)));
        Ok(())
    }

    /// What was written to a file becomes durable.
    pub(super) fn sync_file(&mut self, key: Key) {
        self.file_mut(key).sync();
    }

    /// What was written to a file stays in doubt.
    pub(super) fn fail_sync(&mut self, key: Key) {
        for change in &mut self.file_mut(key).pending {
            change.is_doubtful |= !change.is_synced && matches!(change.change, Content::Write { .. });
        }
    }

    /// The names in a folder become durable.
    pub(super) fn sync_folder(&mut self, key: Key) {
        let folder = self.folder_mut(key);
        if !folder.pending.is_empty() {
            folder.pending.clear();
            folder.durable = folder.names.clone();
            self.sweep();
        }
    }

    /// All becomes durable.
    pub(super) fn sync_all(&mut self) {
        for file in self.files.values_mut() {
            let file = Arc::make_mut(file);
            file.pending.clear();
            file.durable = Arc::clone(&file.content);
            file.durable_times = file.times;
        }
        for key in self.folders.keys().copied().collect::<Vec<_>>() {
            self.sync_folder(key);
        }
    }

    /// Drops files that nothing leads to.
    pub(super) fn sweep(&mut self) {
        let mut reached = BTreeSet::new();
        for folder in self.folders.values() {
            let pending = folder.pending.iter().map(|(_, change)| match change {
                NameChange::Add(_, target)
                | NameChange::Remove(_, target)
                | NameChange::Move(_, _, target) => target,
            });
            for target in folder.names.values().chain(folder.durable.values()).chain(pending) {
                if let Target::File(key) = target {
                    reached.insert(*key);
                }
            }
        }
        self.files.retain(|key, file| file.handles > 0 || reached.contains(key));
    }

    /// Differs for disks that look different to a process, or whose pending changes differ.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        for (key, folder) in &self.folders {
            (key, &folder.names, folder.pending.len()).hash(&mut hasher);
        }
        for (key, file) in &self.files {
            (key, file.number, &file.content, file.times, file.pending.len()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}
