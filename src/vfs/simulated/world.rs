//! The state of a simulated machine, and what a call does to it: count, fail, change, end.
//!
//! Invariant: a watcher sees each change before it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::call::{Call, CallKind, Caller, Fault, FaultPlan, Interloper, MS, Watcher};
use super::disk::Disk;
use super::node::{Key, Target};
use crate::error::{Code, Error, Result};

/// Steps of the times of files, as ext4 has them.
const FILE_TIME_NS: i64 = 4 * MS;
const CALL_NS: i64 = 20_000;
const SYNC_NS: i64 = 400_000;

pub(super) struct World {
    pub(super) disk: Disk,
    pub(super) now_ns: i64,
    pub(super) monotonic_ns: i64,
    pub(super) calls: u64,
    pub(super) fault: Option<FaultPlan>,
    /// From this call on, the machine is off.
    pub(super) off_at: Option<u64>,
    pub(super) watcher: Option<Watcher>,
    pub(super) interloper: Option<(u64, Interloper)>,
    pub(super) trace: Option<Vec<Call>>,
    pub(super) processes: u64,
    pub(super) dead: BTreeSet<u64>,
    pub(super) handles: u64,
    /// Locked file → handle that holds it, and its process (0: until that time).
    pub(super) locks: BTreeMap<Key, (u64, u64, i64)>,
    pub(super) has_failed: bool,
}

impl World {
    pub(super) fn pass(&mut self, ns: i64) {
        self.now_ns = self.now_ns.saturating_add(ns);
        self.monotonic_ns = self.monotonic_ns.saturating_add(ns);
        let now = self.monotonic_ns;
        self.locks.retain(|_, (handle, _, until)| *handle != 0 || *until > now);
    }

    pub(super) fn times(&self) -> i64 {
        self.now_ns.div_euclid(FILE_TIME_NS) * FILE_TIME_NS
    }

    /// Begins a call: counts it, and says how it fails.
    pub(super) fn enter(
        &mut self,
        caller: Caller,
        name: &'static str,
        path: &Path,
        kind: CallKind,
    ) -> Result<Call> {
        if self.dead.contains(&caller.process) {
            return Err(off(name, path));
        }
        let call = Call { number: self.calls + 1, name, path: path.to_owned(), kind };
        self.pass(if kind == CallKind::Sync { SYNC_NS } else { CALL_NS });
        if caller.is_spared {
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
    pub(super) fn fault(&mut self, caller: Caller, call: &Call) -> Option<Fault> {
        let plan = self.fault.as_ref()?;
        let is_hit = (plan.first..plan.first.saturating_add(plan.count)).contains(&call.number)
            && plan.fault.is_for(call.kind)
            && !caller.is_spared;
        self.has_failed |= is_hit;
        is_hit.then_some(plan.fault)
    }

    pub(super) fn fail(&mut self, caller: Caller, call: &Call) -> Result<()> {
        match self.fault(caller, call) {
            Some(fault) => Err(failed(fault, call)),
            None => Ok(()),
        }
    }

    /// Ends a call that changed something: during it the power may be cut.
    pub(super) fn changed(&mut self, caller: Caller, call: &Call) -> Result<()> {
        if let Some(watcher) = &mut self.watcher {
            watcher(&self.disk, call);
        }
        let is_off = !caller.is_spared && self.off_at.is_some_and(|at| self.calls >= at);
        if is_off { Err(off(call.name, &call.path)) } else { Ok(()) }
    }

    /// A call that changes names or a length.
    pub(super) fn change<T>(
        &mut self,
        caller: Caller,
        name: &'static str,
        path: &Path,
        change: impl FnOnce(&mut Disk, i64) -> io::Result<T>,
    ) -> Result<T> {
        let call = self.enter(caller, name, path, CallKind::Change)?;
        self.fail(caller, &call)?;
        let times = self.times();
        let done = change(&mut self.disk, times).map_err(|error| Error::io(&error, name, path))?;
        self.changed(caller, &call)?;
        Ok(done)
    }

    pub(super) fn look<T>(
        &mut self,
        caller: Caller,
        name: &'static str,
        path: &Path,
        look: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> Result<T> {
        let call = self.enter(caller, name, path, CallKind::Look)?;
        self.fail(caller, &call)?;
        look(&mut self.disk).map_err(|error| Error::io(&error, name, path))
    }

    pub(super) fn write(
        &mut self,
        caller: Caller,
        key: Key,
        path: &Path,
        at: u64,
        bytes: &[u8],
    ) -> Result<()> {
        let call = self.enter(caller, "write", path, CallKind::Write { size_bytes: bytes.len() })?;
        let fault = self.fault(caller, &call);
        let written = match fault {
            None | Some(Fault::LateWrite) => bytes,
            Some(Fault::ShortWrite) => &bytes[..bytes.len() / 2],
            Some(_) => &[],
        };
        let times = self.times();
        if !written.is_empty() {
            self.disk.write(key, usize::try_from(at).unwrap_or(usize::MAX), written, times);
            self.changed(caller, &call)?;
        }
        fault.map_or(Ok(()), |fault| Err(failed(fault, &call)))
    }

    pub(super) fn sync_file(
        &mut self,
        caller: Caller,
        key: Key,
        name: &'static str,
        path: &Path,
    ) -> Result<()> {
        let call = self.enter(caller, name, path, CallKind::Sync)?;
        self.changed(caller, &call)?;
        if let Err(error) = self.fail(caller, &call) {
            self.disk.fail_sync(key);
            return Err(error);
        }
        self.disk.sync_file(key);
        Ok(())
    }

    /// Opens a file; gives the number of the handle.
    pub(super) fn open(&mut self, key: Key) -> u64 {
        self.handles += 1;
        self.disk.opened(key);
        self.handles
    }

    pub(super) fn make_dir(&mut self, caller: Caller, path: &Path) -> Result<bool> {
        match self.look(caller, "mkdir", path, |disk| disk.find(path))? {
            Some(Target::Folder(_)) => Ok(false),
            Some(Target::File(_)) => Err(Error::io(&io::ErrorKind::AlreadyExists.into(), "mkdir", path)),
            None => self.change(caller, "mkdir", path, |disk, _| disk.make_folder(path)).map(|()| true),
        }
    }
}

fn off(name: &'static str, path: &Path) -> Error {
    Error::system(Code::Unknown, "the simulated computer is off", name, path)
}

fn failed(fault: Fault, call: &Call) -> Error {
    Error::system(fault.code(), "a simulated fault", call.name, &call.path)
}
