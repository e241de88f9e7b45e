//! A log as pieces of entries, one after the other: what `lib/stream.js` makes an async iterator of.
//!
//! Invariant: at most one piece is being read.

use std::cell::RefCell;
use std::rc::Rc;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Value};
use super::store::Store;
use crate::data::name::LogName;
use crate::error::Result;
use crate::game::LOGS;
use crate::store::answer::Answer;
use crate::store::cursor::Cursor;
use crate::store::query::Query;
use crate::store::request::Request;
use crate::store::request::Work;

/// See the header of this file.
pub struct LogPieces {
    store: Rc<Store>,
    log: LogName,
    is_collection: bool,
    position: RefCell<Position>,
}

enum Position {
    Unopened,
    At(Box<dyn Cursor>),
    /// Being read from, or at the end.
    Gone,
}

impl LogPieces {
    /// Opens the log with the first `read`.
    pub fn new(store: Rc<Store>, log: LogName) -> Rc<Self> {
        let is_collection = LOGS.contains(&log.as_str());
        Rc::new(Self { store, log, is_collection, position: RefCell::new(Position::Unopened) })
    }

    /// A promise of an array with the next entries; it is empty at the end.
    pub fn read<'scope>(
        self: &Rc<Self>,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = js.promise()?;
        match self.position.replace(Position::Gone) {
            Position::Gone => js.settle(deferred, environment.json.parse(js, "[]")),
            Position::At(cursor) => self.read_at(js, environment, cursor, deferred),
            Position::Unopened => {
                let ticket = environment.ticket(js, &self.store, self.then(deferred));
                let (log, is_collection) = (self.log.clone(), self.is_collection);
                self.store.backend.call(Request {
                    log,
                    is_collection,
                    work: Work::Read(Query::LogCursor),
                    size_bytes: 0,
                    ticket,
                });
            }
        }
        Ok(promise)
    }

    fn then(self: &Rc<Self>, deferred: Deferred) -> Then {
        let this = Rc::clone(self);
        Then::Do(Box::new(move |environment, js, answer| this.answered(js, environment, answer, deferred)))
    }

    fn read_at(
        self: &Rc<Self>,
        js: Js<'_>,
        environment: &Rc<Environment>,
        cursor: Box<dyn Cursor>,
        deferred: Deferred,
    ) {
        self.store.backend.read_on(cursor, environment.ticket(js, &self.store, self.then(deferred)));
    }

    fn answered(
        self: &Rc<Self>,
        js: Js<'_>,
        environment: &Rc<Environment>,
        answer: Result<Answer>,
        deferred: Deferred,
    ) {
        match answer {
            Ok(Answer::Cursor(cursor)) => self.read_at(js, environment, cursor, deferred),
            Ok(Answer::Piece(piece)) => {
                let entries = environment.json.parse(js, &piece.text);
                if entries.is_ok() {
                    *self.position.borrow_mut() = Position::At(piece.cursor);
                }
                js.settle(deferred, entries);
            }
            Ok(_) => js.settle(deferred, environment.json.parse(js, "[]")),
            Err(error) => js.settle(deferred, Err(error.into())),
        }
    }
}
