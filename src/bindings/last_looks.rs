//! The looks that watches take before their storage is closed, where the place has to be asked for changes.
//!
//! ```text
//! close ──> all that was called is done ──> a look of each watch ──> the storage is closed
//! ```
//!
//! Invariant: the storage is closed once, when each of its watches has asked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::environment::{Environment, Then};
use super::js::Js;
use super::store::Store;
use crate::error::Result;
use crate::store::answer::Answer;

type Close = Box<dyn FnOnce(&Rc<Environment>, Js<'_>)>;

/// One who looks for changes.
pub trait Looker {
    /// Looks once more and says so to `last`: at once, or behind a look that is under way.
    fn look_last(self: Rc<Self>, js: Js<'_>, environment: &Rc<Environment>, last: Rc<LastLooks>);
}

/// See the header of this file.
pub struct LastLooks {
    store: Rc<Store>,
    /// How many have not asked for theirs.
    left: Cell<usize>,
    close: RefCell<Option<Close>>,
}

impl LastLooks {
    /// When all that was called is done, has each of them look once more; closes behind those looks.
    pub fn take(
        js: Js<'_>,
        environment: &Rc<Environment>,
        (store, lookers): (Rc<Store>, Vec<Rc<dyn Looker>>),
        close: Close,
    ) {
        if lookers.is_empty() {
            return close(environment, js);
        }
        let backend = Arc::clone(&store.backend);
        let used = Rc::clone(&store);
        let then = Then::Do(Box::new(move |environment, js, answer: Result<Answer>| {
            // Without a server there is nothing to be seen.
            let lookers = if answer.is_ok() { lookers } else { Vec::new() };
            let left = Cell::new(lookers.len() + 1);
            let last = Rc::new(Self { store, left, close: RefCell::new(Some(close)) });
            for looker in lookers {
                looker.look_last(js, environment, Rc::clone(&last));
            }
            last.one_less(js, environment);
        }));
        backend.flush(environment.ticket(js, &used, then));
    }

    /// What is looked at, though no call is accepted any more.
    pub fn store(&self) -> &Rc<Store> {
        &self.store
    }

    /// One of them has asked.
    pub fn one_less(&self, js: Js<'_>, environment: &Rc<Environment>) {
        if self.left.replace(self.left.get() - 1) == 1
            && let Some(close) = self.close.take()
        {
            close(environment, js);
        }
    }
}
