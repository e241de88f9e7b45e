//! What a process sees of a simulated machine: the calls of `FileSystem` and `File`.
//!
//! Invariant: each system call is one call here. It is counted, can fail, and can be the last one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::super::{File, FileSystem, Missing, Stamp};
use super::call::{CallKind, Caller, MS};
use super::node::{Key, Target};
use super::world::World;
use crate::error::{Error, Result};
use crate::vfs::Syncing;

/// A process on a simulated machine: what the store sees of it.
#[derive(Clone)]
pub struct Process {
    world: Arc<Mutex<World>>,
    caller: Caller,
}

impl Process {
    /// A process on the machine.
    pub(super) fn new(world: Arc<Mutex<World>>, caller: Caller) -> Self {
        Self { world, caller }
    }

    /// As the machine knows it.
    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    fn open(&self, world: &mut World, key: Key, path: &Path, position: Option<u64>) -> Box<dyn File> {
        let number = world.open(key);
        Box::new(Handle { process: self.clone(), number, key, path: path.to_owned(), position })
    }

    /// The world, for a call. An interloper may come before it.
    fn enter(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock();
        let calls = world.calls;
        if !self.caller.is_spared
            && let Some((_, interloper)) = world.interloper.take_if(|(at, _)| *at == calls + 1)
        {
            drop(world);
            interloper();
            world = self.world.lock();
        }
        world
    }

    /// The whole file at `path`; `None` when there is none. Not a call.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Arc<Vec<u8>>> {
        self.world.lock().disk.content(path)
    }

    /// Replaces a file as a careful editor does: temporary file, sync, rename, sync.
    ///
    /// # Errors
    /// As the calls that it makes.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let temporary = path.with_extension("editor");
        let mut file = self.create(&temporary)?;
        file.append(bytes)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| self.sync_dir(folder))
    }

    /// Writes a file as the old module does: emptied, written, not synced.
    ///
    /// # Errors
    /// As the calls that it makes.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.create(path)?.append(bytes)
    }

    /// Makes everything on the disk durable.
    pub fn sync_all(&self) {
        self.world.lock().disk.sync_all();
    }
}

impl FileSystem for Process {
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        let mut world = self.enter();
        world.look(self.caller, "stat", path, |disk| {
            Ok(match disk.find(path)? {
                Some(Target::File(key)) => Some(disk.stamp(key)),
                _ => None,
            })
        })
    }

    fn open_read(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        let mut world = self.enter();
        let found = world.look(self.caller, "open", path, |disk| disk.find_file(path))?;
        Ok(found.map(|key| self.open(&mut world, key, path, None)))
    }

    fn open_append(&self, path: &Path) -> Result<(Box<dyn File>, bool)> {
        let mut world = self.enter();
        let found = world.look(self.caller, "open", path, |disk| disk.find_file(path))?;
        let key = match found {
            Some(key) => key,
            None => world.change(self.caller, "open", path, |disk, now| disk.make_file(path, now))?,
        };
        Ok((self.open(&mut world, key, path, None), found.is_none()))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let mut world = self.enter();
        let key = world.change(self.caller, "open", path, |disk, now| match disk.find_file(path)? {
            Some(key) => {
                disk.set_length(key, 0, now);
                Ok(key)
            }
            None => disk.make_file(path, now),
        })?;
        Ok(self.open(&mut world, key, path, Some(0)))
    }

    fn open_in_place(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        let mut world = self.enter();
        let found = world.look(self.caller, "open", path, |disk| disk.find_file(path))?;
        let key = match found {
            None if missing == Missing::Create => {
                Some(world.change(self.caller, "open", path, |disk, now| disk.make_file(path, now))?)
            }
            found => found,
        };
        Ok(key.map(|key| self.open(&mut world, key, path, Some(0))))
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        let mut world = self.enter();
        let key = world.look(self.caller, "open", path, |disk| disk.find_file(path)).ok()??;
        // A lock that a test holds belongs to no process.
        world
            .locks
            .get(&key)
            .and_then(|(_, process, _)| u32::try_from(*process).ok())
            .filter(|process| *process > 0)
    }

    fn truncate(&self, path: &Path, size_bytes: u64, syncing: Syncing) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self.caller, "open", path, |disk| disk.find_file(path))?;
        let Some(key) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "open", path));
        };
        world.change(self.caller, "ftruncate", path, |disk, now| {
            disk.set_length(key, usize::try_from(size_bytes).unwrap_or(usize::MAX), now);
            Ok(())
        })?;
        if syncing.is_on() { world.sync_file(self.caller, key, "fsync", path) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.enter().change(self.caller, "rename", to, |disk, now| disk.rename(from, to, now))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.enter().change(self.caller, "link", to, |disk, now| disk.link(from, to, now))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self.caller, "copyfile", to, |disk| disk.find_file(from))?;
        let Some(source) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "copyfile", to));
        };
        let bytes = world.disk.file_content(source);
        let key = world.change(self.caller, "copyfile", to, |disk, now| match disk.find_file(to)? {
            Some(key) => {
                disk.set_length(key, 0, now);
                Ok(key)
            }
            None => disk.make_file(to, now),
        })?;
        world.write(self.caller, key, to, 0, &bytes)?;
        world.sync_file(self.caller, key, "fsync", to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.enter().change(self.caller, "unlink", path, |disk, now| disk.remove(path, now))
    }

    fn create_dir(&self, path: &Path) -> Result<bool> {
        self.enter().make_dir(self.caller, path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self.caller, "open", path, |disk| disk.find(path))?;
        let Some(Target::Folder(key)) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "open", path));
        };
        let call = world.enter(self.caller, "fsync", path, CallKind::Sync)?;
        world.changed(self.caller, &call)?;
        world.fail(self.caller, &call)?;
        world.disk.sync_folder(key);
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.enter().look(self.caller, "scandir", path, |disk| disk.list(path))
    }

    fn now_ms(&self) -> i64 {
        self.world.lock().now_ns.div_euclid(MS)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.world.lock().monotonic_ns / MS).unwrap_or(0)
    }

    fn sleep_us(&self, duration_us: u64) {
        self.world.lock().pass(i64::try_from(duration_us).unwrap_or(i64::MAX / 1000) * 1000);
    }
}

/// An open file.
struct Handle {
    process: Process,
    number: u64,
    key: Key,
    path: PathBuf,
    /// Where the next bytes go; `None`: always to the end.
    position: Option<u64>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut world = self.process.world.lock();
        if world.locks.get(&self.key).is_some_and(|(handle, _, _)| *handle == self.number) {
            world.locks.remove(&self.key);
        }
        world.disk.closed(self.key);
    }
}

impl File for Handle {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut world = self.process.enter();
        world.look(self.process.caller, "read", &self.path, |disk| {
            let content = disk.file_content(self.key);
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            let size = buffer.len().min(content.len() - start);
            buffer[..size].copy_from_slice(&content[start..start + size]);
            Ok(size)
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut world = self.process.enter();
        let at = self.position.unwrap_or_else(|| world.disk.stamp(self.key).size_bytes);
        world.write(self.process.caller, self.key, &self.path, at, bytes)?;
        self.position = self.position.map(|position| position + bytes.len() as u64);
        Ok(())
    }

    fn sync_data(&mut self) -> Result<()> {
        self.process.enter().sync_file(self.process.caller, self.key, "fdatasync", &self.path)
    }

    fn stamp(&self) -> Result<Stamp> {
        let mut world = self.process.enter();
        world.look(self.process.caller, "fstat", &self.path, |disk| Ok(disk.stamp(self.key)))
    }

    fn try_lock(&mut self) -> Result<bool> {
        let mut world = self.process.enter();
        world.look(self.process.caller, "flock", &self.path, |_| Ok(()))?;
        let holder = (self.number, self.process.caller.process, 0);
        Ok(world.locks.entry(self.key).or_insert(holder).0 == self.number)
    }

    fn unlock(&mut self) -> Result<()> {
        let mut world = self.process.enter();
        world.look(self.process.caller, "flock", &self.path, |_| Ok(()))?;
        if world.locks.get(&self.key).is_some_and(|(handle, _, _)| *handle == self.number) {
            world.locks.remove(&self.key);
        }
        Ok(())
    }

    fn overwrite(&mut self, bytes: &[u8]) -> Result<()> {
        let mut world = self.process.enter();
        world.write(self.process.caller, self.key, &self.path, 0, bytes)?;
        world.change(self.process.caller, "ftruncate", &self.path, |disk, now| {
            disk.set_length(self.key, bytes.len(), now);
            Ok(())
        })
    }
}
