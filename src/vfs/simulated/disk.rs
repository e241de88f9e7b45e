//! What is on a simulated disk: what every process sees, what is durable, and in between the changes
//! whose fate a power cut decides. The assumptions are in the header of `simulated`.
//!
//! ```text
//! file     durable content ─ change ─ change (in doubt) ─ change (synced) ─> content as seen
//! folder   durable names   ─ change ─ change                              ─> names as seen
//! ```
//!
//! Invariant: applying all pending changes, in order, to what is durable gives what is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use super::super::Stamp;
use super::outcome::Kept;

/// A file or folder; never used twice.
pub(super) type Key = u32;
const ROOT: Key = 0;
/// Unit in which a write is kept or lost.
pub(super) const SECTOR_BYTES: usize = 512;
const NUMBER_FIRST: u64 = 11;

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
struct Times {
    /// Of the last change of its content.
    pub modified_ns: i64,
    /// Of the last change of anything about it.
    pub changed_ns: i64,
}

#[derive(Clone, Debug)]
struct FileNode {
    number: u64,
    names: u32,
    handles: u32,
    content: Arc<Vec<u8>>,
    times: Times,
    durable: Arc<Vec<u8>>,
    durable_times: Times,
    pending: Vec<FileChange>,
}

#[derive(Clone, Debug)]
struct FileChange {
    at: u64,
    change: Content,
    /// A sync failed: it stays in doubt for ever.
    is_doubtful: bool,
    /// Durable, but something before it is in doubt.
    is_synced: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Write { offset: usize, bytes: Arc<[u8]> },
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct FolderNode {
    names: BTreeMap<String, Target>,
    durable: BTreeMap<String, Target>,
    pending: Vec<(u64, NameChange)>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Add(String, Target),
    Remove(String, Target),
    Move(String, String, Target),
}

/// A change that is not durable, as `Outcome` sees it.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    at: u64,
    /// Bytes of a write; `None` for another change.
    pub write: Option<(usize, usize)>,
    /// Whether it is a change of names.
    pub is_name: bool,
}

/// See the header of this file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<Key, Arc<FileNode>>,
    folders: BTreeMap<Key, Arc<FolderNode>>,
    next_key: Key,
    changes: u64,
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

impl FileNode {
    fn add(&mut self, at: u64, change: Content) {
        apply(Arc::make_mut(&mut self.content), &change);
        self.pending.push(FileChange { at, change, is_doubtful: false, is_synced: false });
    }

    fn sync(&mut self) {
        self.durable_times = self.times;
        if self.pending.iter().all(|change| !change.is_doubtful) {
            self.pending.clear();
            self.durable = Arc::clone(&self.content);
            return;
        }
        for change in &mut self.pending {
            change.is_synced |= !change.is_doubtful;
        }
        // Once it is cut off durably, it does not matter what became of a write.
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

fn apply(content: &mut Vec<u8>, change: &Content) {
    match change {
        Content::Write { offset, bytes } => put(content, *offset, bytes),
        Content::Length(length) => content.resize(*length, 0),
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl FolderNode {
    fn apply(names: &mut BTreeMap<String, Target>, change: &NameChange) {
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

    fn change(&mut self, at: u64, change: NameChange) {
        Self::apply(&mut self.names, &change);
        self.pending.push((at, change));
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

    fn file(&self, key: Key) -> &FileNode {
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

    /// The smallest number that no file has that can be reached: numbers of removed files come back.
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
            // The engine never does it, and the fate of such a rename would need rules of its own.
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
    fn sweep(&mut self) {
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

    /// Whether the file at the path has bytes whose sync failed, and that were not cut off since.
    #[must_use]
    pub fn is_in_doubt(&self, path: &Path) -> bool {
        let found = self.find_file(path).ok().flatten();
        found.is_some_and(|key| self.file(key).pending.iter().any(|change| change.is_doubtful))
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

    /// The disk after a power cut: `kept` tells what is kept of each pending change, by its number.
    pub(super) fn after_power_cut(&self, kept: &mut dyn FnMut(usize, &Pending) -> Kept) -> Self {
        let pending = self.pending();
        let fates: BTreeMap<u64, Kept> =
            pending.iter().enumerate().map(|(number, change)| (change.at, kept(number, change))).collect();
        let mut after = Self { changes: 0, ..self.clone() };
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

    /// After a power cut: drops what no name leads to, and counts names anew.
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
                    // The number had been given to a newer file while the removal was not durable.
                    file.number += 1000;
                }
            }
            numbers.insert(file.number);
        }
    }

    /// Tells disks apart that a process can tell apart, or whose pending changes differ.
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
