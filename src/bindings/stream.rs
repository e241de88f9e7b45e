//! A log as pieces of entries, one after the other: what `lib/stream.js` makes an async iterator of.
//!
//! Invariant: at most one piece is being read.

use std::cell::RefCell;
use std::rc::Rc;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Value};
use super::stores::Store;
use crate::data::name::LogName;
use crate::error::Result;
use crate::files::log::read::EntryCursor;
use crate::store::request::Answer;
use crate::store::request::Request;
use crate::store::request::Work;

/// See the header of this file.
pub struct LogPieces {
    store: Rc<Store>,
    log: LogName,
    is_collection: bool,
    cursor: RefCell<Cursor>,
}

enum Cursor {
    Unopened,
    At(EntryCursor),
    /// Being read from, or at the end.
    Gone,
}

impl LogPieces {
    /// Opens the log with the first `read`.
    pub fn new(store: Rc<Store>, log: LogName, is_collection: bool) -> Rc<Self> {
        Rc::new(Self { store, log, is_collection, cursor: RefCell::new(Cursor::Unopened) })
    }

    /// A promise of an array with the next entries; it is empty at the end.
    pub fn read(self: &Rc<Self>, js: Js, environment: &Rc<Environment>) -> Fallible<Value> {
        let (deferred, promise) = js.promise()?;
        match self.cursor.replace(Cursor::Gone) {
            Cursor::Gone => js.settle(deferred, environment.parse(js, "[]")),
            Cursor::At(cursor) => self.read_at(js, environment, cursor, deferred),
            Cursor::Unopened => {
                let ticket = environment.ticket(js, &self.store, self.then(deferred));
                let (log, is_collection) = (self.log.clone(), self.is_collection);
                self.store.writer.call(Request {
                    log,
                    is_collection,
                    work: Work::Cursor,
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
        js: Js,
        environment: &Rc<Environment>,
        cursor: EntryCursor,
        deferred: Deferred,
    ) {
        self.store.writer.read_on(cursor, environment.ticket(js, &self.store, self.then(deferred)));
    }

    fn answered(
        self: &Rc<Self>,
        js: Js,
        environment: &Rc<Environment>,
        answer: Result<Answer>,
        deferred: Deferred,
    ) {
        match answer {
            Ok(Answer::Cursor(cursor)) => self.read_at(js, environment, cursor, deferred),
            Ok(Answer::Piece(piece)) => {
                let entries = environment.parse(js, &piece.text);
                if entries.is_ok() {
                    *self.cursor.borrow_mut() = Cursor::At(piece.cursor);
                }
                js.settle(deferred, entries);
            }
            Ok(_) => js.settle(deferred, environment.parse(js, "[]")),
            Err(error) => js.settle(deferred, Err(error.into())),
        }
    }
}
