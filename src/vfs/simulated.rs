//! A disk in memory, with a clock that a test sets. It can fail any call, end a process at any call,
//! and lose power at any call with every outcome that these assumptions allow.
//!
//! # What is assumed of a disk
//!
//! 1. **A write** changes what every process sees at once. Until the file is synced, a power cut keeps
//!    or loses each 512-byte sector of it on its own (sectors lie at multiples of 512 in the file), in
//!    any order, also across writes: a later one may be kept while an earlier one is lost. A sector is
//!    old or new, never a mixture.
//! 2. **The length** that a write gives a file is kept or lost on its own too. Where it is kept and the
//!    content is not, the content reads as zeros.
//! 3. **Cutting a file** is kept or lost like a write.
//! 4. **A sync of a file** (fdatasync, fsync), once it succeeded, makes durable all that was written to
//!    the file before, through whatever handle, its length included; not its name.
//! 5. **A sync that fails** leaves what it should have written in doubt for ever: it may be kept or
//!    lost, and a later sync that succeeds makes only durable what was written after the failure
//!    (Linux drops the pages). Lengths that were set by cutting, and names, are still durable after a
//!    later sync.
//! 6. **Names** (new files and folders, second names, renames, removals) are seen at once, and durable
//!    when their folder was synced. Until then a power cut keeps or loses each of them on its own, in
//!    any order. A rename is kept or lost as a whole; its target is never missing because of it. A
//!    name says nothing about the content: that of a renamed file which was not synced may be lost.
//! 7. **A folder whose own name is lost** is lost with all that is in it, synced or not.
//! 8. **A call that fails** has done nothing, except for a write, of which any beginning may be there,
//!    and a sync (5).
//! 9. **Times of files** have steps of 4 ms and follow the clock wherever it is set, also back. After
//!    a power cut they are those of the last sync, or later ones. The number of a removed file that
//!    nobody has open is given to the next new file.
//! 10. **Locks** belong to an open file. They are gone when it is closed, when its process ends, and
//!     at a power cut.
//! 11. **A process that is killed** keeps all that it wrote; of the write that it was in, any
//!     beginning. Nothing becomes durable by it.
//! 12. What was durable stays readable and unchanged. (Damage is put there by tests that want it.)
//!
//! `disk` holds the content, `outcome` what is left of it after a crash; here are the calls.

mod disk;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{File, FileSystem, Stamp};
use crate::error::{Error, Result};

pub use disk::Disk;
use disk::{Key, Target};
pub use outcome::{Kept, Outcome, Random};

const MS: i64 = 1_000_000;
/// Steps of the times of files, as ext4 has them.
const FILE_TIME_NS: i64 = 4 * MS;
const CALL_NS: i64 = 20_000;
const SYNC_NS: i64 = 400_000;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
    /// `EINTR`.
    Interrupted,
    /// `ENOSPC` after half of the bytes were written; only for writes.
    ShortWrite,
    /// `EIO` after all bytes were written; only for writes.
    LateWrite,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Io, Self::NoSpace, Self::Interrupted, Self::ShortWrite, Self::LateWrite];

    /// The code that the caller sees.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Io | Self::LateWrite => "EIO",
            Self::NoSpace | Self::ShortWrite => "ENOSPC",
            Self::Interrupted => "EINTR",
        }
    }

    fn is_for(self, kind: CallKind) -> bool {
        !matches!(self, Self::ShortWrite | Self::LateWrite) || matches!(kind, CallKind::Write { .. })
    }
}

/// Calls that fail: `count` of them from number `first` on.
#[derive(Clone, Copy, Debug)]
pub struct FaultPlan {
    /// Number of the first one.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How.
    pub fault: Fault,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Changes nothing.
    Look,
    /// Changes names, or a file's length.
    Change,
    /// Writes so many bytes.
    Write {
        /// How many.
        size_bytes: usize,
    },
    /// Makes changes durable.
    Sync,
}

/// A call, for whoever watches.
#[derive(Clone, Debug)]
pub struct Call {
    /// 1 for the first on this disk.
    pub number: u64,
    /// The system call.
    pub name: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What it does.
    pub kind: CallKind,
}

/// Sees each call that changes something, with the disk as it is when the power is cut during that
/// call: a change has been made and is not durable, a sync has not made anything durable.
pub type Watcher = Box<dyn FnMut(&Disk, &Call) + Send>;

/// Somebody who does something just before a call.
pub type Interloper = Box<dyn FnOnce() + Send>;

struct World {
    disk: Disk,
    now_ns: i64,
    monotonic_ns: i64,
    calls: u64,
    fault: Option<FaultPlan>,
    /// From this call on, the machine is off.
    off_at: Option<u64>,
    watcher: Option<Watcher>,
    interloper: Option<(u64, Interloper)>,
    trace: Option<Vec<Call>>,
    processes: u64,
    dead: BTreeSet<u64>,
    handles: u64,
    /// Locked file → handle that holds it, and its process (0: until that time).
    locks: BTreeMap<Key, (u64, u64, i64)>,
    has_failed: bool,
}

/// A simulated machine: a disk, a clock, and processes.
#[derive(Clone)]
pub struct SimulatedDisk {
    world: Arc<Mutex<World>>,
}

impl SimulatedDisk {
    /// An empty disk at a time in 2026.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Disk::new(), 1_795_446_000_000)
    }

    /// A machine that starts with this disk.
    #[must_use]
    pub fn with(disk: Disk, now_ms: i64) -> Self {
        let world = World {
            disk,
            now_ns: now_ms * MS,
            monotonic_ns: 0,
            calls: 0,
            fault: None,
            off_at: None,
            watcher: None,
            interloper: None,
            trace: None,
            processes: 0,
            dead: BTreeSet::new(),
            handles: 0,
            locks: BTreeMap::new(),
            has_failed: false,
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// A new process.
    #[must_use]
    pub fn process(&self) -> Process {
        let mut world = self.world.lock();
        world.processes += 1;
        Process { world: Arc::clone(&self.world), number: world.processes, is_spared: false }
    }

    /// A process (a person, a test) whose calls never fail and are not counted.
    #[must_use]
    pub fn outsider(&self) -> Process {
        Process { is_spared: true, ..self.process() }
    }

    /// The disk as it is.
    #[must_use]
    pub fn disk(&self) -> Disk {
        self.world.lock().disk.clone()
    }

    /// Calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.world.lock().now_ns.div_euclid(MS)
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: u64) {
        self.world.lock().pass(i64::try_from(ms).unwrap_or(i64::MAX / MS) * MS);
    }

    /// Sets the clock of the day; the other clock never jumps.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.world.lock().now_ns = now_ms * MS;
    }

    /// Sets which calls fail; `None` ends it.
    pub fn set_fault(&self, plan: Option<FaultPlan>) {
        let mut world = self.world.lock();
        world.fault = plan;
        world.has_failed = false;
    }

    /// Whether a call failed since `set_fault`.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.world.lock().has_failed
    }

    /// The machine goes off during the call of this number.
    pub fn set_off_at(&self, call: Option<u64>) {
        self.world.lock().off_at = call;
    }

    /// Whether the machine went off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        let world = self.world.lock();
        world.off_at.is_some_and(|at| world.calls >= at)
    }

    /// Has each call that changes something shown to `watcher`.
    pub fn watch(&self, watcher: Option<Watcher>) {
        self.world.lock().watcher = watcher;
    }

    /// Has `interloper` come in before the call of that number.
    pub fn interrupt_at(&self, call: u64, interloper: Interloper) {
        self.world.lock().interloper = Some((call, interloper));
    }

    /// Starts keeping a list of all calls.
    pub fn start_trace(&self) {
        self.world.lock().trace = Some(Vec::new());
    }

    /// The list of calls since `start_trace`.
    #[must_use]
    pub fn take_trace(&self) -> Vec<Call> {
        self.world.lock().trace.take().unwrap_or_default()
    }

    /// Ends a process at once.
    pub fn kill(&self, process: &Process) {
        let mut world = self.world.lock();
        world.dead.insert(process.number);
        world.locks.retain(|_, (_, holder, _)| *holder != process.number);
    }

    /// Another program holds the lock on the file at `path` for that long.
    pub fn hold_lock(&self, path: &Path, ms: u64) {
        let mut world = self.world.lock();
        let until = world.monotonic_ns.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX / MS) * MS);
        if let Ok(Some(Target::File(key))) = world.disk.find(path) {
            world.locks.insert(key, (0, 0, until));
        }
    }
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    fn pass(&mut self, ns: i64) {
        self.now_ns = self.now_ns.saturating_add(ns);
        self.monotonic_ns = self.monotonic_ns.saturating_add(ns);
        let now = self.monotonic_ns;
        self.locks.retain(|_, (handle, _, until)| *handle != 0 || *until > now);
    }

    fn times(&self) -> i64 {
        self.now_ns.div_euclid(FILE_TIME_NS) * FILE_TIME_NS
    }

    /// Begins a call: counts it, and says how it fails.
    fn enter(&mut self, process: &Process, name: &'static str, path: &Path, kind: CallKind) -> Result<Call> {
        if self.dead.contains(&process.number) {
            return Err(off(name, path));
        }
        let call = Call { number: self.calls + 1, name, path: path.to_owned(), kind };
        self.pass(if kind == CallKind::Sync { SYNC_NS } else { CALL_NS });
        if process.is_spared {
            return Ok(call);
        }
        self.calls += 1;
        if self.off_at.is_some_and(|at| self.calls > at) {
            return Err(off(name, path));
        }
        if let Some(trace) = &mut self.trace {
            trace.push(call.clone());
        }
        Ok(call)
    }

    /// How the call fails, if it does.
    fn fault(&mut self, process: &Process, call: &Call) -> Option<Fault> {
        let plan = self.fault.as_ref()?;
        let is_hit = (plan.first..plan.first.saturating_add(plan.count)).contains(&call.number)
            && plan.fault.is_for(call.kind)
            && !process.is_spared;
        self.has_failed |= is_hit;
        is_hit.then_some(plan.fault)
    }

    fn fail(&mut self, process: &Process, call: &Call) -> Result<()> {
        match self.fault(process, call) {
            Some(fault) => Err(failed(fault, call)),
            None => Ok(()),
        }
    }

    /// Ends a call that changed something: during it the power may be cut.
    fn changed(&mut self, process: &Process, call: &Call) -> Result<()> {
        if let Some(watcher) = &mut self.watcher {
            watcher(&self.disk, call);
        }
        let is_off = !process.is_spared && self.off_at.is_some_and(|at| self.calls >= at);
        if is_off { Err(off(call.name, &call.path)) } else { Ok(()) }
    }

    /// A call that changes names or a length.
    fn change<T>(
        &mut self,
        process: &Process,
        name: &'static str,
        path: &Path,
        change: impl FnOnce(&mut Disk, i64) -> io::Result<T>,
    ) -> Result<T> {
        let call = self.enter(process, name, path, CallKind::Change)?;
        self.fail(process, &call)?;
        let times = self.times();
        let done = change(&mut self.disk, times).map_err(|error| Error::io(&error, name, path))?;
        self.changed(process, &call)?;
        Ok(done)
    }

    fn look<T>(
        &mut self,
        process: &Process,
        name: &'static str,
        path: &Path,
        look: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> Result<T> {
        let call = self.enter(process, name, path, CallKind::Look)?;
        self.fail(process, &call)?;
        look(&mut self.disk).map_err(|error| Error::io(&error, name, path))
    }

    fn write(&mut self, process: &Process, key: Key, path: &Path, at: u64, bytes: &[u8]) -> Result<()> {
        let call = self.enter(process, "write", path, CallKind::Write { size_bytes: bytes.len() })?;
        let fault = self.fault(process, &call);
        let written = match fault {
            None | Some(Fault::LateWrite) => bytes,
            Some(Fault::ShortWrite) => &bytes[..bytes.len() / 2],
            Some(_) => &[],
        };
        let times = self.times();
        if !written.is_empty() {
            self.disk.write(key, usize::try_from(at).unwrap_or(usize::MAX), written, times);
            self.changed(process, &call)?;
        }
        fault.map_or(Ok(()), |fault| Err(failed(fault, &call)))
    }

    fn sync_file(&mut self, process: &Process, key: Key, name: &'static str, path: &Path) -> Result<()> {
        let call = self.enter(process, name, path, CallKind::Sync)?;
        self.changed(process, &call)?;
        if let Err(error) = self.fail(process, &call) {
            self.disk.fail_sync(key);
            return Err(error);
        }
        self.disk.sync_file(key);
        Ok(())
    }

    fn open(&mut self, process: &Process, key: Key, path: &Path, position: Option<u64>) -> Box<dyn File> {
        self.handles += 1;
        self.disk.opened(key);
        let path = path.to_owned();
        Box::new(Handle { process: process.clone(), number: self.handles, key, path, position })
    }

    fn make_dir(&mut self, process: &Process, path: &Path) -> Result<bool> {
        match self.look(process, "mkdir", path, |disk| disk.find(path))? {
            Some(Target::Folder(_)) => Ok(false),
            Some(Target::File(_)) => Err(Error::io(&io::ErrorKind::AlreadyExists.into(), "mkdir", path)),
            None => self.change(process, "mkdir", path, |disk, _| disk.make_folder(path)).map(|()| true),
        }
    }
}

fn off(name: &'static str, path: &Path) -> Error {
    let mut error = Error::io(&io::ErrorKind::Other.into(), name, path);
    "EOFF".clone_into(&mut error.message);
    error.code = "EOFF";
    error
}

fn failed(fault: Fault, call: &Call) -> Error {
    // As Linux numbers them; other systems know them by the code.
    let number = match fault {
        Fault::NoSpace | Fault::ShortWrite => 28,
        Fault::Io | Fault::LateWrite => 5,
        Fault::Interrupted => 4,
    };
    let mut error = Error::io(&io::Error::from_raw_os_error(number), call.name, &call.path);
    error.code = fault.code();
    error
}

/// A process on a simulated machine: what the engine sees of it.
#[derive(Clone)]
pub struct Process {
    world: Arc<Mutex<World>>,
    number: u64,
    is_spared: bool,
}

impl Process {
    /// The world, for a call; before it, an interloper may come in.
    fn enter(&self) -> parking_lot::MutexGuard<'_, World> {
        let mut world = self.world.lock();
        let calls = world.calls;
        if !self.is_spared
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
        world.look(self, "stat", path, |disk| {
            Ok(match disk.find(path)? {
                Some(Target::File(key)) => Some(disk.stamp(key)),
                _ => None,
            })
        })
    }

    fn open_read(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        let mut world = self.enter();
        let found = world.look(self, "open", path, |disk| disk.find_file(path))?;
        Ok(found.map(|key| world.open(self, key, path, None)))
    }

    fn open_append(&self, path: &Path) -> Result<(Box<dyn File>, bool)> {
        let mut world = self.enter();
        let found = world.look(self, "open", path, |disk| disk.find_file(path))?;
        let key = match found {
            Some(key) => key,
            None => world.change(self, "open", path, |disk, now| disk.make_file(path, now))?,
        };
        Ok((world.open(self, key, path, None), found.is_none()))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let mut world = self.enter();
        let key = world.change(self, "open", path, |disk, now| match disk.find_file(path)? {
            Some(key) => {
                disk.set_length(key, 0, now);
                Ok(key)
            }
            None => disk.make_file(path, now),
        })?;
        Ok(world.open(self, key, path, Some(0)))
    }

    fn open_lock(&self, path: &Path, create: bool) -> Result<Option<Box<dyn File>>> {
        let mut world = self.enter();
        let found = world.look(self, "open", path, |disk| disk.find_file(path))?;
        let key = match found {
            None if create => Some(world.change(self, "open", path, |disk, now| disk.make_file(path, now))?),
            found => found,
        };
        Ok(key.map(|key| world.open(self, key, path, Some(0))))
    }

    fn truncate(&self, path: &Path, size_bytes: u64, sync: bool) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self, "open", path, |disk| disk.find_file(path))?;
        let Some(key) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "open", path));
        };
        world.change(self, "ftruncate", path, |disk, now| {
            disk.set_length(key, usize::try_from(size_bytes).unwrap_or(usize::MAX), now);
            Ok(())
        })?;
        if sync { world.sync_file(self, key, "fsync", path) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.enter().change(self, "rename", to, |disk, now| disk.rename(from, to, now))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.enter().change(self, "link", to, |disk, now| disk.link(from, to, now))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self, "copyfile", to, |disk| disk.find_file(from))?;
        let Some(source) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "copyfile", to));
        };
        let bytes = world.disk.file_content(source);
        let key = world.change(self, "copyfile", to, |disk, now| match disk.find_file(to)? {
            Some(key) => {
                disk.set_length(key, 0, now);
                Ok(key)
            }
            None => disk.make_file(to, now),
        })?;
        world.write(self, key, to, 0, &bytes)?;
        world.sync_file(self, key, "fsync", to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.enter().change(self, "unlink", path, |disk, now| disk.remove(path, now))
    }

    fn create_dir(&self, path: &Path) -> Result<bool> {
        self.enter().make_dir(self, path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let mut world = self.enter();
        let found = world.look(self, "open", path, |disk| disk.find(path))?;
        let Some(Target::Folder(key)) = found else {
            return Err(Error::io(&io::ErrorKind::NotFound.into(), "open", path));
        };
        let call = world.enter(self, "fsync", path, CallKind::Sync)?;
        world.changed(self, &call)?;
        world.fail(self, &call)?;
        world.disk.sync_folder(key);
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.enter().look(self, "scandir", path, |disk| disk.list(path))
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
        world.look(&self.process, "read", &self.path, |disk| {
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
        world.write(&self.process, self.key, &self.path, at, bytes)?;
        self.position = self.position.map(|position| position + bytes.len() as u64);
        Ok(())
    }

    fn sync_data(&mut self) -> Result<()> {
        self.process.enter().sync_file(&self.process, self.key, "fdatasync", &self.path)
    }

    fn stamp(&self) -> Result<Stamp> {
        let mut world = self.process.enter();
        world.look(&self.process, "fstat", &self.path, |disk| Ok(disk.stamp(self.key)))
    }

    fn try_lock(&mut self) -> Result<bool> {
        let mut world = self.process.enter();
        world.look(&self.process, "flock", &self.path, |_| Ok(()))?;
        let holder = (self.number, self.process.number, 0);
        Ok(world.locks.entry(self.key).or_insert(holder).0 == self.number)
    }

    fn unlock(&mut self) -> Result<()> {
        let mut world = self.process.enter();
        world.look(&self.process, "flock", &self.path, |_| Ok(()))?;
        if world.locks.get(&self.key).is_some_and(|(handle, _, _)| *handle == self.number) {
            world.locks.remove(&self.key);
        }
        Ok(())
    }

    fn overwrite(&mut self, bytes: &[u8]) -> Result<()> {
        let mut world = self.process.enter();
        world.write(&self.process, self.key, &self.path, 0, bytes)?;
        world.change(&self.process, "ftruncate", &self.path, |disk, now| {
            disk.set_length(self.key, bytes.len(), now);
            Ok(())
        })
    }
}
