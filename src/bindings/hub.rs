//! Events on their way from a folder's writer to every JavaScript thread that uses it. `lib/events.js` keeps the
//! listeners and loggers of a thread; the hub knows which events they want.
//!
//! ```text
//! writer ──notify──> Hub ──> each thread that listens or logs ──> lib/events.js
//!                     └────> where nobody does, the oldest thread prints a problem
//! ```
//!
//! A thread that listens to nothing is not woken up.
//!
//! Invariant: a problem that is to be printed is heard, logged, or printed once; never lost while a thread lives.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::outlet::{EnvironmentOutlet, ForThread, HubId, threads};
use crate::store::event::{Kind, Notice, NoticeSink};
use crate::visible::made_visible;

static HUBS: Mutex<Vec<Weak<Hub>>> = Mutex::new(Vec::new());

/// Who listens to one folder's events; shared by all threads.
pub struct Hub {
    id: HubId,
    members: Mutex<Vec<Member>>,
}

struct Member {
    thread: Weak<EnvironmentOutlet>,
    listening: Listening,
}

/// Which events one thread wants of a hub. Bit N stands for event N of `EventName::ALL`.
#[derive(Clone, Copy, Default)]
pub struct Listening {
    /// Events with listeners, those that only observe included.
    pub wanted: u32,
    /// Events with listeners that do not only observe.
    pub heard: u32,
    /// What the thread does with all events in words.
    pub logging: Logging,
}

/// What the option `logger` says.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Logging {
    /// Not given: problems are warnings of the process.
    #[default]
    Default,
    /// Nothing is logged or printed.
    Silent,
    /// An object logs them.
    Given,
}

impl Listening {
    fn wants(self, event: usize) -> bool {
        self.wanted & (1 << event) != 0 || self.logging == Logging::Given
    }

    fn hears(self, event: usize) -> bool {
        self.heard & (1 << event) != 0
    }
}

impl Hub {
    /// A hub that nobody listens to.
    pub fn new() -> Arc<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let hub = Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), members: Mutex::default() });
        let mut hubs = HUBS.lock();
        hubs.retain(|hub| hub.strong_count() > 0);
        hubs.push(Arc::downgrade(&hub));
        hub
    }

    /// The hub of this name, while its folder is open anywhere.
    pub fn of(id: HubId) -> Option<Arc<Self>> {
        HUBS.lock().iter().filter_map(Weak::upgrade).find(|hub| hub.id == id)
    }

    /// Its name in JavaScript.
    pub fn id(&self) -> HubId {
        self.id
    }

    /// What a thread wants from now on.
    pub fn publish(&self, thread: &Arc<EnvironmentOutlet>, listening: Listening) {
        let thread = Arc::downgrade(thread);
        let mut members = self.members.lock();
        members.retain(|member| member.thread.strong_count() > 0 && !member.thread.ptr_eq(&thread));
        members.push(Member { thread, listening });
    }

    /// Prints a problem that no promise reports, unless somebody listens or logs.
    pub fn print_unless_heard(&self, thread: &EnvironmentOutlet, kind: Kind, message: String) {
        let message = made_visible(message);
        let notice = Notice { kind, message, payload: String::new(), is_printed: true };
        let event = kind.name.index();
        let is_heard = self.members.lock().iter().any(|Member { thread, listening }| {
            let is_taken = listening.hears(event) || listening.logging != Logging::Default;
            thread.strong_count() > 0 && is_taken
        });
        if !is_heard {
            thread.notify(ForThread::Printed(Arc::new(notice)));
        }
    }
}

/// Where a writer puts its events.
pub struct Sink(pub Arc<Hub>);

impl NoticeSink for Sink {
    fn notify(&self, notice: Notice) {
        let event = notice.kind.name.index();
        let notice = Arc::new(notice);
        let (mut is_heard, mut is_logged) = (false, false);
        let mut wanted = Vec::new();
        for Member { thread, listening } in &*self.0.members.lock() {
            let Some(thread) = thread.upgrade() else { continue };
            is_logged |= listening.logging != Logging::Default;
            if listening.wants(event) {
                wanted.push((thread, listening.hears(event)));
            }
        }
        for (thread, hears) in wanted {
            is_heard |= thread.notify(ForThread::Heard(self.0.id, Arc::clone(&notice))) && hears;
        }
        if !notice.is_printed || is_heard || is_logged {
            return;
        }
        if !threads().iter().any(|thread| thread.notify(ForThread::Printed(Arc::clone(&notice)))) {
            eprintln!("progressive-storage: {}: {}", notice.kind.code, notice.message);
        }
    }
}
