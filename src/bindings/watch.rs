//! A watch of one thread on the keys of a collection, for `lib/watch.js`.
//!
//! ```text
//! lib ──look──> the place notes what is new ──> Watcher ──bell──> this thread ──> lib: watched(id) ──take──> changes
//! ```
//!
//! Invariant: a watch does not keep its store in use, nor the event loop but while it looks. One that has ended is forgotten
//! by the place. Where a place has to ask for changes, closing waits for one more look behind all that was called.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use super::environment::{Environment, Then};
use super::handle::Handle;
use super::js::{Fallible, Js, Value};
use super::last_looks::{LastLooks, Looker};
use super::outlet::{EnvironmentOutlet, ForThread, Reason, WatchId};
use super::store::Store;
use crate::data::name::LogName;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::query::Query;
use crate::store::request::{Request, Work};
use crate::store::watch::{Bell, Filter, Watcher, WatcherRef};

/// Wakes the thread of a watch.
struct ThreadBell {
    thread: Weak<EnvironmentOutlet>,
    watch: WatchId,
}

impl ThreadBell {
    fn wake(&self, reason: Reason) {
        if let Some(thread) = self.thread.upgrade() {
            thread.notify(ForThread::Watched(self.watch, reason));
        }
    }
}

impl Bell for ThreadBell {
    fn ring(&self) {
        self.wake(Reason::Changes);
    }

    fn ring_to_look(&self) {
        self.wake(Reason::Look);
    }
}

/// See the header of this file.
pub struct Watch {
    id: WatchId,
    handle: Rc<Handle>,
    log: LogName,
    watcher: Arc<Watcher>,
    /// Where a place has to ask for changes: from where on.
    cursor: RefCell<Option<Box<dyn Cursor>>>,
    is_looking: Cell<bool>,
    /// Its storage is closed once this look, and one more, are over.
    last: RefCell<Option<Rc<LastLooks>>>,
}

impl Watch {
    /// A watch that begins with its first look.
    pub fn new(environment: &Environment, handle: &Rc<Handle>, log: LogName, filter: Filter) -> Rc<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let bell = ThreadBell { thread: Arc::downgrade(&environment.outlet), watch: id };
        let watcher = Watcher::new(filter, Box::new(bell));
        let watch = Rc::new(Self {
            id,
            handle: Rc::clone(handle),
            log,
            watcher,
            cursor: RefCell::default(),
            is_looking: Cell::default(),
            last: RefCell::default(),
        });
        handle.is_watched(&(Rc::clone(&watch) as Rc<dyn Looker>));
        watch
    }

    /// Its name in JavaScript.
    pub fn id(&self) -> WatchId {
        self.id
    }

    /// The name of its log.
    pub fn log(&self) -> &str {
        self.log.as_str()
    }

    /// Whether its storage is open.
    pub fn is_open(&self) -> bool {
        self.handle.store().is_ok()
    }

    /// Where its files are, unless the place is a server.
    pub fn data_folder(&self) -> Option<String> {
        self.handle.data_folder.as_ref().map(|folder| folder.display().to_string())
    }

    /// A promise that resolves when the place has looked for changes. The first look begins to watch; what this thread calls
    /// later is seen.
    pub fn look<'scope>(
        self: &Rc<Self>,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        let store = self.handle.store()?;
        let (deferred, promise) = js.promise()?;
        let settle = move |js: Js<'_>, answer: Result<()>| {
            js.settle(deferred, answer.map_err(Into::into).and_then(|()| js.undefined()));
        };
        self.ask(js, environment, &store, settle);
        Ok(promise)
    }

    fn ask(
        self: &Rc<Self>,
        js: Js<'_>,
        environment: &Rc<Environment>,
        store: &Rc<Store>,
        settle: impl FnOnce(Js<'_>, Result<()>) + 'static,
    ) {
        let this = Rc::clone(self);
        let then = Then::Do(Box::new(move |environment, js, answer: Result<Answer>| {
            let answer = answer.map(|answer| match answer {
                Answer::Cursor(cursor) | Answer::Piece(EntryPiece { cursor: Some(cursor), .. }) => {
                    this.cursor.replace(Some(cursor));
                }
                _ => {}
            });
            this.is_looking.set(false);
            if let Some(last) = this.last.take() {
                Rc::clone(&this).look_last(js, environment, last);
            }
            if this.watcher.has_ended() {
                this.cursor.take();
            }
            settle(js, answer);
        }));
        self.is_looking.set(true);
        let ticket = environment.ticket(js, store, then);
        if let Some(cursor) = self.cursor.take() {
            return store.backend.read_on(cursor, ticket);
        }
        let work = Work::Read(Query::Changes(WatcherRef(Arc::clone(&self.watcher))));
        let log = self.log.clone();
        store.backend.call(Request { log, is_collection: true, work, size_bytes: 0, ticket });
    }

    /// The next changes that wait, as an array; undefined where none do.
    pub fn take<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        match self.watcher.take() {
            Some(text) => environment.json.parse(js, &text),
            None => js.undefined(),
        }
    }

    /// Nothing is noted any more. True where the place has noted for it, and forgets it with one more look.
    pub fn end(&self) -> bool {
        self.watcher.end();
        self.cursor.take();
        self.handle.data_folder.is_some() && self.is_open()
    }
}

impl Looker for Watch {
    /// One that fails finds nothing.
    fn look_last(self: Rc<Self>, js: Js<'_>, environment: &Rc<Environment>, last: Rc<LastLooks>) {
        if self.is_looking.get() {
            // What was called during a look is behind it.
            self.last.replace(Some(last));
            return;
        }
        if !self.watcher.has_ended() {
            self.ask(js, environment, last.store(), |_, _| {});
        }
        last.one_less(js, environment);
    }
}
