//! What a `Storage` object has: a folder that it has opened, or one that it opens when it is first needed.
//!
//! The storage behind the module's functions is of the second kind: `close()` empties its slot, and the next call opens
//! a folder anew, as `lib/standard.js` says.

use std::cell::RefCell;
use std::rc::Rc;

use super::environment::Environment;
use super::handle::Handle;
use super::js::{Fallible, Js, Kept, Value};
use crate::error::Error;

/// See the header of this file.
pub enum Slot {
    /// Opened when the object was made.
    Own(Rc<Handle>),
    /// Opened by a function of `lib/`, which calls `Slot::put`.
    Standard {
        /// That function.
        open: Kept,
        /// What it has opened.
        handle: RefCell<Option<Rc<Handle>>>,
    },
}

impl Slot {
    /// The slot of the module's storage.
    pub fn standard<'scope>(js: Js<'scope>, open: Value<'scope>) -> Fallible<'scope, Rc<Self>> {
        Ok(Rc::new(Self::Standard { open: js.keep(open)?, handle: RefCell::default() }))
    }

    /// The handle, which may be closed where the slot has its own.
    pub fn handle<'scope>(&self, js: Js<'scope>) -> Fallible<'scope, Rc<Handle>> {
        match self {
            Self::Own(handle) => Ok(Rc::clone(handle)),
            Self::Standard { open, handle } => {
                if handle.borrow().is_none() {
                    js.call(js.kept(open)?, js.undefined()?, &[])?;
                }
                let opened = handle.borrow().clone();
                Ok(opened.ok_or_else(|| Error::internal("the default storage was not opened"))?)
            }
        }
    }

    /// Puts in what was opened.
    pub fn put(&self, opened: Rc<Handle>) {
        if let Self::Standard { handle, .. } = self {
            *handle.borrow_mut() = Some(opened);
        }
    }

    /// Refuses further calls, or empties the slot; the promise resolves when the earlier calls are finished.
    pub fn close<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        let open = match self {
            Self::Own(handle) => Some(Rc::clone(handle)),
            Self::Standard { handle, .. } => handle.borrow_mut().take(),
        };
        if let Some(handle) = open {
            return handle.close(js, environment);
        }
        let (deferred, promise) = js.promise()?;
        js.settle(deferred, js.undefined());
        Ok(promise)
    }
}
