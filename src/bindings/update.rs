//! `collection.update(key, fn)`: read, change, write, atomically among all callers.
//!
//! The function runs here, on the JavaScript thread, with the value that the key has; the result is
//! written only if the key still has that value when the writer comes to it. If not, the writer
//! answers with the value that it has, and the function runs again. Updates of one key that come while
//! one is under way wait, and then go together: each sees the result of the one before.
//!
//! Invariant: a result is written only over the very value that its function was given.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use napi::ValueType;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Kept, Value};
use super::stores::Store;
use crate::engine::{Answer, LogName, Request, View, collection};
use crate::error::{Error, Result};

/// A call of `update` that waits for its turn.
struct Update {
    function: Kept,
    deferred: Deferred,
}

/// The updates of one collection of one thread.
#[derive(Default)]
pub struct Updates {
    /// By key literal; there while one is under way.
    waiting: RefCell<HashMap<String, VecDeque<Update>>>,
}

/// What the updates of a collection work on.
#[derive(Clone)]
pub struct Target {
    /// The store.
    pub store: Rc<Store>,
    /// The collection's log.
    pub log: LogName,
    /// The collection's updates.
    pub updates: Rc<Updates>,
}

impl Target {
    /// Starts an update, or lets it wait for those of the same key.
    pub fn update(
        &self,
        js: Js,
        environment: &Rc<Environment>,
        key: String,
        function: Value,
    ) -> Fallible<Value> {
        let (deferred, promise) = js.promise()?;
        let update = Update { function: js.keep(function)?, deferred };
        if let Some(queue) = self.updates.waiting.borrow_mut().get_mut(&key) {
            queue.push_back(update);
            return Ok(promise);
        }
        self.updates.waiting.borrow_mut().insert(key.clone(), VecDeque::new());
        let known = self.store.writer.shelf(&self.log).and_then(|shelf| {
            shelf.read(self.store.writer.files(), true, |state| Some(current(&View::of(state), &key)))
        });
        match known {
            Some(value) => self.round(js, environment, key, value, vec![update]),
            // The writer has to look first: a value that no key has makes it answer with the real one.
            None => self.send(js, environment, key, Some(String::new()), Vec::new(), vec![update]),
        }
        Ok(promise)
    }

    /// Runs the functions one after the other on `value` and sends the results.
    fn round(
        &self,
        js: Js,
        environment: &Rc<Environment>,
        key: String,
        value: Option<String>,
        updates: Vec<Update>,
    ) {
        let (mut latest, mut results, mut passed) = (value.clone(), Vec::new(), Vec::new());
        for update in updates {
            match run(js, environment, &update.function, latest.as_deref()) {
                Ok(text) => {
                    latest = Some(text.clone());
                    results.push(text);
                    passed.push(update);
                }
                Err(refusal) => {
                    js.release(update.function);
                    js.settle(update.deferred, Err(refusal));
                }
            }
        }
        if passed.is_empty() {
            self.next(js, environment, key, value);
        } else {
            self.send(js, environment, key, value, results, passed);
        }
    }

    fn send(
        &self,
        js: Js,
        environment: &Rc<Environment>,
        key: String,
        expected: Option<String>,
        results: Vec<String>,
        updates: Vec<Update>,
    ) {
        let target = self.clone();
        let work = collection::replace(key.clone(), expected, results.clone());
        let then = Then::Do(Box::new(move |environment, js, answer| {
            target.answered(js, environment, key, answer, results, updates);
        }));
        let ticket = environment.ticket(js, &self.store, then);
        self.store.writer.call(Request { log: self.log.clone(), is_collection: true, work, ticket });
    }

    fn answered(
        &self,
        js: Js,
        environment: &Rc<Environment>,
        key: String,
        answer: Result<Answer>,
        results: Vec<String>,
        updates: Vec<Update>,
    ) {
        match answer {
            Ok(Answer::Conflict(value)) => self.round(js, environment, key, value, updates),
            Ok(_) => {
                let value = results.last().cloned();
                for (update, result) in updates.into_iter().zip(results) {
                    js.release(update.function);
                    js.settle(update.deferred, environment.parse(js, &result));
                }
                self.next(js, environment, key, value);
            }
            Err(error) => {
                for update in updates {
                    js.release(update.function);
                    js.settle(update.deferred, Err(error.clone().into()));
                }
                self.next(js, environment, key, None);
            }
        }
    }

    /// Those that came meanwhile; `value` is what the key probably has.
    fn next(&self, js: Js, environment: &Rc<Environment>, key: String, value: Option<String>) {
        let waiting = self.updates.waiting.borrow_mut().get_mut(&key).map(std::mem::take).unwrap_or_default();
        if waiting.is_empty() {
            self.updates.waiting.borrow_mut().remove(&key);
        } else {
            self.round(js, environment, key, value, waiting.into());
        }
    }
}

fn current(view: &View, key: &str) -> Option<String> {
    view.get(key).map(str::to_owned)
}

/// Calls the function with the value; its result as text.
fn run(js: Js, environment: &Environment, function: &Kept, value: Option<&str>) -> Fallible<String> {
    let argument = value.map_or_else(|| js.undefined(), |text| environment.parse(js, text))?;
    let result = js.call(js.kept(function)?, js.undefined()?, &[argument])?;
    let kind = js.type_of(result)?;
    let is_promise = kind == ValueType::Object && js.type_of(js.get(result, "then")?)? == ValueType::Function;
    let text = if is_promise { None } else { environment.stringify(js, result, "the result of fn")? };
    let what =
        if is_promise { "a promise; it must work without waiting" } else { "nothing that JSON can hold" };
    Ok(text.ok_or_else(|| {
        Error::wrong_return(format!("The function given to update() returned {what}. Return the new value"))
    })?)
}
