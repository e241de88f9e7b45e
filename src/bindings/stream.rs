//! A log as pieces of entries, or a collection as pieces of members, one after the other: what `lib/stream.js` and
//! `lib/iterate.js` make an async iterator of.
//!
//! ```text
//! Unopened ──read──> Away ──a piece──> At ──read──> Away ──…──> the empty piece, an error, or `close` ──> Gone
//! ```
//!
//! Invariant: at most one piece is being read, and what is `Gone` has no file open and does not keep its store in use: once
//! the storage is closed, the store's threads end with the last stream. Members are refused from then on, and never keep a
//! store in use.

use std::cell::RefCell;
use std::rc::Rc;

use super::environment::{Environment, Then};
use super::handle::Handle;
use super::js::{Deferred, Fallible, Js, Value};
use super::store::Store;
use crate::data::name::LogName;
use crate::error::{Error, Result};
use crate::game::LOGS;
use crate::store::answer::Answer;
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::query::Query;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::selection::Selection;

/// See the header of this file.
pub struct Pieces {
    log: LogName,
    is_collection: bool,
    source: Source,
    position: RefCell<Position>,
}

/// What is read.
enum Source {
    /// The entries of a log, to their end.
    Log,
    /// The members of a collection, as long as this handle is open.
    Members(Rc<Handle>),
}

enum Position {
    /// Before the first `read`: the log is not open.
    Unopened(User, Query),
    /// Behind a piece. The cursor has the log open.
    At(User, Box<dyn Cursor>),
    /// A piece is being read; the reader has the cursor.
    Away,
    /// Behind the last piece, after an error, or closed.
    Gone,
}

/// Between two pieces, a log keeps its store in use; members do not.
type User = Option<Rc<Store>>;

/// A call of `read` that is to be answered.
struct Caller {
    store: Rc<Store>,
    deferred: Deferred,
}

impl Pieces {
    /// The entries of a log, which is opened with the first `read`.
    pub fn of_log(store: Rc<Store>, log: LogName) -> Rc<Self> {
        let is_collection = LOGS.contains(&log.as_str());
        let position = RefCell::new(Position::Unopened(Some(store), Query::LogCursor));
        Rc::new(Self { log, is_collection, source: Source::Log, position })
    }

    /// Members of a collection, as they are at the first `read`.
    pub fn of_members(handle: Rc<Handle>, log: LogName, selection: Selection) -> Rc<Self> {
        let position = RefCell::new(Position::Unopened(None, Query::MemberCursor(selection)));
        Rc::new(Self { log, is_collection: true, source: Source::Members(handle), position })
    }

    /// Fails once the storage is closed, where members are read.
    pub fn check_open(&self) -> Result<()> {
        match &self.source {
            Source::Log => Ok(()),
            Source::Members(handle) => handle.store().map(|_| ()),
        }
    }

    /// The store to read with.
    fn store(&self, user: User) -> Result<Rc<Store>> {
        match (&self.source, user) {
            (Source::Members(handle), _) => handle.store(),
            (Source::Log, Some(store)) => Ok(store),
            (Source::Log, None) => Err(Error::internal("a log is read without its store")),
        }
    }

    /// What keeps the store in use until the next `read`.
    fn user(&self, store: Rc<Store>) -> User {
        matches!(self.source, Source::Log).then_some(store)
    }

    /// A promise of an array with the next entries; it is empty at the end.
    pub fn read<'scope>(
        self: &Rc<Self>,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = js.promise()?;
        match self.position.replace(Position::Away) {
            Position::Unopened(user, query) => match self.store(user) {
                Ok(store) => self.open(js, environment, query, Caller { store, deferred }),
                Err(error) => self.refuse(js, environment, deferred, error),
            },
            Position::At(user, cursor) => match self.store(user) {
                Ok(store) => self.read_at(js, environment, cursor, Caller { store, deferred }),
                Err(error) => self.refuse(js, environment, deferred, error),
            },
            Position::Away => {
                js.settle(deferred, Err(Error::internal("a piece of a log is being read").into()));
            }
            Position::Gone => {
                self.close();
                js.settle(deferred, environment.json.parse(js, "[]"));
            }
        }
        Ok(promise)
    }

    /// Nothing is read any more. Closes the file, at once or when the piece that is being read has come.
    pub fn close(&self) {
        self.position.replace(Position::Gone);
    }

    fn refuse(&self, js: Js<'_>, environment: &Rc<Environment>, deferred: Deferred, error: Error) {
        self.close();
        environment.answer(js, deferred, Err(error));
    }

    fn open(self: &Rc<Self>, js: Js<'_>, environment: &Rc<Environment>, query: Query, caller: Caller) {
        let store = Rc::clone(&caller.store);
        let ticket = environment.ticket(js, &store, self.then(caller));
        let (log, is_collection) = (self.log.clone(), self.is_collection);
        let work = Work::Read(query);
        store.backend.call(Request { log, is_collection, work, size_bytes: 0, ticket });
    }

    fn read_at(
        self: &Rc<Self>,
        js: Js<'_>,
        environment: &Rc<Environment>,
        cursor: Box<dyn Cursor>,
        caller: Caller,
    ) {
        let store = Rc::clone(&caller.store);
        store.backend.read_on(cursor, environment.ticket(js, &store, self.then(caller)));
    }

    fn then(self: &Rc<Self>, caller: Caller) -> Then {
        let this = Rc::clone(self);
        Then::Do(Box::new(move |environment, js, answer| this.answered(js, environment, answer, caller)))
    }

    fn answered(
        self: &Rc<Self>,
        js: Js<'_>,
        environment: &Rc<Environment>,
        answer: Result<Answer>,
        caller: Caller,
    ) {
        let is_closed = matches!(*self.position.borrow(), Position::Gone);
        let entries = match answer {
            Ok(Answer::Cursor(cursor)) if !is_closed => {
                return self.read_at(js, environment, cursor, caller);
            }
            Ok(Answer::Piece(EntryPiece { text, cursor: Some(cursor) })) if !is_closed => {
                self.position.replace(Position::At(self.user(caller.store), cursor));
                environment.json.parse(js, &text)
            }
            Ok(_) => {
                self.close();
                environment.json.parse(js, "[]")
            }
            Err(error) => Err(error.into()),
        };
        if entries.is_err() {
            self.close();
        }
        js.settle(caller.deferred, entries);
    }
}
