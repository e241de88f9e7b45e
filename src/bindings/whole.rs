//! A whole state of which not all values are in memory: read a piece at a time by the reader's thread, while this thread parses the
//! piece before.
//!
//! ```text
//! reader        piece 1   piece 2   piece 3   end
//! this thread             1         2         3 ── the promise
//! ```
//!
//! Invariant: at most two pieces are in memory as text, and each is parsed in a turn of its own. Where another program has
//! changed the log meanwhile, all of it is asked for again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Kept, Value};
use super::store::Store;
use crate::data::name::LogName;
use crate::data::text::{Piece, TextKind};
use crate::error::{Code, Error, Result};
use crate::store::answer::Answer;
use crate::store::cursor::{Cursor, EntryPiece, WholeCursor};
use crate::store::query::Query;
use crate::store::request::{Request, Work};

/// So often it is asked for again.
const TRIES_MAX: u32 = 5;

/// See the header of this file.
pub struct Whole {
    store: Rc<Store>,
    log: LogName,
    kind: TextKind,
    /// Gone once the promise is settled.
    deferred: RefCell<Option<Deferred>>,
    so_far: RefCell<Option<Kept>>,
    tries: Cell<u32>,
}

impl Whole {
    /// Reads all that the cursor gives, and settles the promise with it.
    pub fn read(
        js: Js<'_>,
        environment: &Rc<Environment>,
        store: Rc<Store>,
        deferred: Deferred,
        found: WholeCursor,
    ) {
        let WholeCursor { log, kind, cursor } = found;
        let (deferred, so_far) = (RefCell::new(Some(deferred)), RefCell::default());
        let whole = Rc::new(Self { store, log, kind, deferred, so_far, tries: Cell::new(0) });
        whole.read_on(js, environment, cursor);
    }

    fn read_on(self: &Rc<Self>, js: Js<'_>, environment: &Rc<Environment>, cursor: Box<dyn Cursor>) {
        let this = Rc::clone(self);
        let then = Then::Do(Box::new(move |environment, js, answer| this.take(js, environment, answer)));
        self.store.backend.read_on(cursor, environment.ticket(js, &self.store, then));
    }

    fn take(self: &Rc<Self>, js: Js<'_>, environment: &Rc<Environment>, answer: Result<Answer>) {
        if self.deferred.borrow().is_none() {
            return;
        }
        match answer {
            Ok(Answer::Piece(EntryPiece { text, cursor: Some(cursor) })) => {
                self.read_on(js, environment, cursor);
                if let Err(refusal) = self.add(js, environment, text) {
                    self.settle(js, Err(refusal));
                }
            }
            Ok(Answer::Piece(EntryPiece { text, cursor: None })) => {
                let whole = match self.so_far.take() {
                    Some(whole) => js.kept(&whole),
                    None => environment.json.parse(js, &text),
                };
                self.settle(js, whole);
            }
            Err(error) if error.code() == Code::LogReplaced && self.tries.get() < TRIES_MAX => {
                self.ask_again(js, environment);
            }
            Err(error) => self.settle(js, Err(error.into())),
            Ok(_) => self.settle(js, Err(Error::internal("a piece of a state was something else").into())),
        }
    }

    fn add<'scope>(&self, js: Js<'scope>, environment: &Environment, text: String) -> Fallible<'scope, ()> {
        let mut so_far = self.so_far.borrow_mut();
        if let Some(whole) = &*so_far {
            return environment.json.merge(js, self.kind, js.kept(whole)?, &Piece::Text(text));
        }
        *so_far = Some(js.keep(environment.json.parse(js, &text)?)?);
        Ok(())
    }

    fn ask_again(self: &Rc<Self>, js: Js<'_>, environment: &Rc<Environment>) {
        self.tries.set(self.tries.get() + 1);
        self.so_far.take();
        let this = Rc::clone(self);
        let then = Then::Do(Box::new(move |environment, js, answer| match answer {
            Ok(Answer::Whole(WholeCursor { cursor, .. })) => this.read_on(js, environment, cursor),
            Ok(answer) => {
                let value = environment.value_of(js, answer);
                this.settle(js, value);
            }
            Err(error) => this.settle(js, Err(error.into())),
        }));
        let query = if self.kind == TextKind::Array { Query::Entries } else { Query::All };
        let ticket = environment.ticket(js, &self.store, then);
        let (log, work) = (self.log.clone(), Work::Read(query));
        self.store.backend.call(Request { log, is_collection: true, work, size_bytes: 0, ticket });
    }

    fn settle<'scope>(&self, js: Js<'scope>, value: Fallible<'scope, Value<'scope>>) {
        if let Some(deferred) = self.deferred.take() {
            js.settle(deferred, value);
        }
    }
}
