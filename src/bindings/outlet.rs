//! The way from other threads to a JavaScript thread: answers and events that are ready, and the wake-up.
//!
//! ```text
//! writer ──deliver, notify──> ready list ──one wake-up──> Environment, on the JavaScript thread
//! ```
//!
//! Invariant: while the list is not empty, the thread was woken or comes by itself.

use std::sync::{Arc, Weak};

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::Mutex;

use super::js::{Fallible, Js, guarded};
use crate::error::{Error, Result};
use crate::store::answer::Answer;
use crate::store::event::Notice;
use crate::store::ticket::Outlet;

static THREADS: Mutex<Vec<Weak<EnvironmentOutlet>>> = Mutex::new(Vec::new());

/// Calls this thread from any thread; does not keep the process alive.
pub type WakeUp = ThreadsafeFunction<(), (), (), Status, false, true>;

/// A wake-up of this thread, which runs `callback` on it. The callback must capture nothing: Deno calls a threadsafe
/// function also after it has freed what the function captured.
pub fn wake_up<F: Fn(Js<'_>) + 'static>(js: Js<'_>, callback: F) -> Fallible<'_, WakeUp> {
    const { assert!(size_of::<F>() == 0, "the callback of a wake-up captures nothing") };
    let env = js.env();
    let nothing = env
        .create_function_from_closure::<(), (), _>("settle", |_| Ok(()))
        .map_err(|_| Error::internal("a function could not be made"))?;
    let made = nothing
        .build_threadsafe_function::<()>()
        .weak::<true>()
        .build_callback(move |context| guarded(context.env, &callback));
    Ok(made.map_err(|_| Error::internal("no way back to this thread"))?)
}

/// An event for one thread.
#[derive(Clone)]
pub enum ForThread {
    /// Listeners and the logger of this hub get it.
    Heard(HubId, Arc<Notice>),
    /// Nobody hears it: this thread prints it.
    Printed(Arc<Notice>),
    /// Changes wait for a watch of this thread, or it is to look for some.
    Watched(WatchId, Reason),
}

/// Names a hub in JavaScript.
pub type HubId = u32;

/// Names a watch in JavaScript.
pub type WatchId = u32;

/// Why a watch is woken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Changes wait.
    Changes,
    /// There may be some that the place has not looked for.
    Look,
}

/// Answers and events on their way to the JavaScript thread.
pub struct EnvironmentOutlet {
    ready: Mutex<Ready>,
    wake_up: Mutex<Option<WakeUp>>,
}

#[derive(Default)]
struct Ready {
    answers: Vec<(usize, Result<Answer>)>,
    events: Vec<ForThread>,
    /// The thread was woken, or comes by itself until it finds nothing.
    is_woken: bool,
}

impl Outlet for EnvironmentOutlet {
    fn deliver(&self, id: usize, answer: Result<Answer>) {
        self.ready.lock().answers.push((id, answer));
    }

    fn flush(&self) {
        {
            let mut ready = self.ready.lock();
            if ready.is_woken || (ready.answers.is_empty() && ready.events.is_empty()) {
                return;
            }
            ready.is_woken = true;
        }
        self.wake();
    }
}

/// What an outlet had ready.
pub struct Taken {
    /// Answers by the ids of their calls.
    pub answers: Vec<(usize, Result<Answer>)>,
    /// Events, in order.
    pub events: Vec<ForThread>,
}

/// Whether the thread has work left besides what the outlet has ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing.
    Empty,
    /// Something: the thread comes again by itself.
    Some,
}

impl EnvironmentOutlet {
    /// An outlet that wakes nobody yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { ready: Mutex::default(), wake_up: Mutex::new(None) })
    }

    /// From now on the thread can be woken.
    pub fn connect(&self, wake_up: WakeUp) {
        *self.wake_up.lock() = Some(wake_up);
    }

    /// The thread ends: it is not woken any more.
    pub fn disconnect(&self) {
        *self.wake_up.lock() = None;
    }

    /// Wakes the thread.
    pub fn wake(&self) {
        if let Some(wake_up) = &*self.wake_up.lock() {
            wake_up.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Gives the wake-up to `change`, unless the thread has ended.
    pub fn with_wake_up(&self, change: impl FnOnce(&mut WakeUp)) {
        if let Some(wake_up) = &mut *self.wake_up.lock() {
            change(wake_up);
        }
    }

    /// Hands an event to the thread. False when the thread is gone.
    pub fn notify(&self, event: ForThread) -> bool {
        if self.wake_up.lock().is_none() {
            return false;
        }
        self.ready.lock().events.push(event);
        self.flush();
        true
    }

    /// Takes what is ready. `None` where nothing is left to do: the next answer wakes the thread.
    pub fn take(&self, backlog: Backlog) -> Option<Taken> {
        let mut ready = self.ready.lock();
        ready.is_woken = backlog == Backlog::Some || !ready.answers.is_empty() || !ready.events.is_empty();
        ready.is_woken.then(|| Taken {
            answers: std::mem::take(&mut ready.answers),
            events: std::mem::take(&mut ready.events),
        })
    }
}

/// Makes a thread one of those that print warnings; those that have ended are none any more.
pub fn join_threads(outlet: &Arc<EnvironmentOutlet>) {
    let mut threads = THREADS.lock();
    threads.retain(|thread| thread.strong_count() > 0);
    threads.push(Arc::downgrade(outlet));
}

/// The threads that use this package, the oldest first, which is the main one as a rule.
pub fn threads() -> Vec<Arc<EnvironmentOutlet>> {
    let mut threads = THREADS.lock();
    threads.retain(|thread| thread.strong_count() > 0);
    threads.iter().filter_map(Weak::upgrade).collect()
}
