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
//! `node` and `disk` hold the content, `pending`, `crash` and `outcome` say what is left of it,
//! `call`, `process` and `world` are the calls; here is what a test sees.

mod call;
mod crash;
mod disk;
mod node;
mod outcome;
mod pending;
mod process;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

pub use call::{Call, CallKind, Fault, FaultPlan, Interloper, Watcher};
use call::{Caller, MS};
pub use disk::Disk;
use node::Target;
pub use outcome::{Kept, Outcome, Random};
pub use process::Process;
use world::World;

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
        let caller = Caller { process: world.processes, is_spared: false };
        Process::new(Arc::clone(&self.world), caller)
    }

    /// A process (a person, a test) whose calls never fail and are not counted.
    #[must_use]
    pub fn outsider(&self) -> Process {
        let caller = Caller { is_spared: true, ..self.process().caller() };
        Process::new(Arc::clone(&self.world), caller)
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

    /// Sets the time of day. The other clock never jumps.
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

    /// From now on, `watcher` sees each call that changes something.
    pub fn watch(&self, watcher: Option<Watcher>) {
        self.world.lock().watcher = watcher;
    }

    /// `interloper` comes before the call of that number.
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
        let number = process.caller().process;
        world.dead.insert(number);
        world.locks.retain(|_, (_, holder, _)| *holder != number);
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
