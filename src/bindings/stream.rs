//! `streamLogEntries`: an async iterator that reads a log about 1 MiB at a time.
//!
//! Invariant: calls of `next` are answered in order, and at most one piece is being read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Kept, Value};
use super::stores::Store;
use crate::data::name::LogName;
use crate::error::Result;
use crate::files::log::read::EntryCursor;
use crate::store::request::Answer;
use crate::store::request::Request;
use crate::store::request::Work;

/// See the header of this file.
pub struct EntryStream {
    store: Rc<Store>,
    log: LogName,
    is_collection: bool,
    cursor: RefCell<Cursor>,
    piece: RefCell<Option<Piece>>,
    waiting: RefCell<VecDeque<Deferred>>,
    is_reading: Cell<bool>,
    /// What waits is served after a turn of the event loop.
    is_postponed: Cell<bool>,
    is_ended: Cell<bool>,
    /// The iterator is garbage: nobody asks for more.
    is_abandoned: Cell<bool>,
}

enum Cursor {
    Unopened,
    At(EntryCursor),
    /// Being read from, or at the end.
    Gone,
}

/// Entries that were read: a JavaScript array, and how far it is used up.
struct Piece {
    entries: Kept,
    index: u32,
    length: u32,
}

impl EntryStream {
    /// A stream that opens the log with its first `next`.
    pub fn new(store: Rc<Store>, log: LogName, is_collection: bool) -> Rc<Self> {
        Rc::new(Self {
            store,
            log,
            is_collection,
            cursor: RefCell::new(Cursor::Unopened),
            piece: RefCell::default(),
            waiting: RefCell::default(),
            is_reading: Cell::new(false),
            is_postponed: Cell::new(false),
            is_ended: Cell::new(false),
            is_abandoned: Cell::new(false),
        })
    }

    /// A promise of `{ value, done }`.
    pub fn next(self: &Rc<Self>, js: Js, environment: &Rc<Environment>) -> Fallible<Value> {
        let (deferred, promise) = js.promise()?;
        self.waiting.borrow_mut().push_back(deferred);
        self.serve(js, environment);
        Ok(promise)
    }

    /// Ends the iteration.
    pub fn end(&self, js: Js) -> Fallible<Value> {
        self.is_ended.set(true);
        *self.cursor.borrow_mut() = Cursor::Gone;
        if let Some(piece) = self.piece.borrow_mut().take() {
            js.release(piece.entries);
        }
        let (deferred, promise) = js.promise()?;
        js.settle(deferred, item(js, None));
        Ok(promise)
    }

    /// The iterator was left without `return`: its entries are let go of, once what was asked for is answered.
    pub fn abandon(&self, js: Js) {
        self.is_abandoned.set(true);
        self.let_go(js);
    }

    fn let_go(&self, js: Js) {
        if self.is_abandoned.get()
            && self.waiting.borrow().is_empty()
            && let Some(piece) = self.piece.borrow_mut().take()
        {
            js.release(piece.entries);
        }
    }

    /// Answers what waits, as far as entries are there, and reads more: one now, the others in a slice.
    fn serve(self: &Rc<Self>, js: Js, environment: &Rc<Environment>) {
        if self.is_idle() && environment.may_go_on(js, 1) {
            self.serve_one(js, environment);
        }
        self.serve_later(js, environment);
    }

    fn serve_later(self: &Rc<Self>, js: Js, environment: &Rc<Environment>) {
        if self.is_idle() {
            let this = Rc::clone(self);
            self.is_postponed.set(true);
            let go_on = move |environment: &Rc<Environment>, js: Js| {
                this.is_postponed.set(false);
                this.serve_one(js, environment);
                this.serve_later(js, environment);
            };
            environment.later(js, 1, Box::new(go_on));
        }
        self.let_go(js);
    }

    /// Somebody waits, and nothing is under way for him.
    fn is_idle(&self) -> bool {
        !self.is_reading.get() && !self.is_postponed.get() && !self.waiting.borrow().is_empty()
    }

    /// Answers what waits first, or sees to it that it will be.
    fn serve_one(self: &Rc<Self>, js: Js, environment: &Rc<Environment>) {
        if let Some(entry) = self.take_entry(js) {
            let deferred = self.waiting.borrow_mut().pop_front();
            if let Some(deferred) = deferred {
                js.settle(deferred, entry.and_then(|entry| item(js, Some(entry))));
            }
            return;
        }
        let this = Rc::clone(self);
        let then = Then::Do(Box::new(move |environment, js, answer| this.answered(js, environment, answer)));
        match self.cursor.replace(Cursor::Gone) {
            Cursor::Gone => {
                for deferred in self.waiting.take() {
                    js.settle(deferred, item(js, None));
                }
            }
            Cursor::At(cursor) => {
                self.is_reading.set(true);
                self.store.writer.read_on(cursor, environment.ticket(js, &self.store, then));
            }
            Cursor::Unopened => {
                self.is_reading.set(true);
                let ticket = environment.ticket(js, &self.store, then);
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
    }

    fn take_entry(&self, js: Js) -> Option<Fallible<Value>> {
        let mut piece = self.piece.borrow_mut();
        let open = piece.as_mut()?;
        let entry = js.kept(&open.entries).and_then(|entries| js.element(entries, open.index));
        open.index += 1;
        if open.index >= open.length
            && let Some(used_up) = piece.take()
        {
            js.release(used_up.entries);
        }
        Some(entry)
    }

    fn answered(self: &Rc<Self>, js: Js, environment: &Rc<Environment>, answer: Result<Answer>) {
        self.is_reading.set(false);
        match answer {
            _ if self.is_ended.get() => {}
            Ok(Answer::Cursor(cursor)) => *self.cursor.borrow_mut() = Cursor::At(cursor),
            Ok(Answer::Piece(piece)) => match self.keep_piece(js, environment, &piece.text) {
                Ok(true) => *self.cursor.borrow_mut() = Cursor::At(piece.cursor),
                Ok(false) => {}
                Err(refusal) => self.fail(js, refusal),
            },
            Ok(_) => {}
            Err(error) => self.fail(js, error.into()),
        }
        self.serve(js, environment);
    }

    /// False when there are no more entries.
    fn keep_piece(&self, js: Js, environment: &Environment, text: &str) -> Fallible<bool> {
        let entries = environment.parse(js, text)?;
        let length = js.length(entries)?;
        if length > 0 {
            *self.piece.borrow_mut() = Some(Piece { entries: js.keep(entries)?, index: 0, length });
        }
        Ok(length > 0)
    }

    fn fail(&self, js: Js, refusal: super::js::Refusal) {
        if let Some(deferred) = self.waiting.borrow_mut().pop_front() {
            js.settle(deferred, Err(refusal));
        }
    }
}

fn item(js: Js, entry: Option<Value>) -> Fallible<Value> {
    let item = js.object()?;
    js.set(item, "value", entry.map_or_else(|| js.undefined(), Ok)?)?;
    js.set(item, "done", js.bool(entry.is_none())?)?;
    Ok(item)
}
