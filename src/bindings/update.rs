//! `collection.update(key, fn)`: read, change, write, atomically among all callers.
//!
//! The function runs here, on the JavaScript thread, with the value that the key will have once the
//! earlier calls of this thread are done; the result is written only if the key has that very value when
//! the writer comes to it. If not (somebody else wrote), the writer answers with the value that it has,
//! lets this thread's later calls wait, and the function runs again.
//!
//! Invariant: a result is written only over the very value that its function was given.

use std::rc::Rc;

use napi::ValueType;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Kept, Value};
use super::store::Store;
use crate::data::name::LogName;
use crate::error::{Error, Result};
use crate::store::answer::Answer;
use crate::store::request::Belief;
use crate::store::request::Expected;
use crate::store::request::Replace;
use crate::store::request::Request;
use crate::store::request::Work;

/// An update that is under way.
struct Update {
    store: Rc<Store>,
    log: LogName,
    key: String,
    function: Kept,
    deferred: Deferred,
}

/// One way through the function: what it was given, and what it gave.
struct Attempt {
    expected: Expected,
    result: String,
    /// The value was another one before.
    is_again: bool,
}

/// Starts an update; gives its promise.
pub fn update<'scope>(
    js: Js<'scope>,
    environment: &Rc<Environment>,
    store: &Rc<Store>,
    log: &LogName,
    key: String,
    function: Value<'scope>,
) -> Fallible<'scope, Value<'scope>> {
    let (deferred, promise) = js.promise()?;
    let own = store.predicted.get(log, &key).map(Belief::Likely);
    let belief = own.or_else(|| store.backend.guess(log, &key));
    // Earlier calls of this thread may change what it was certain of.
    let is_certain = matches!(belief, Some(Belief::Certain(_))) && store.pending.get() == 0;
    let update =
        Update { store: Rc::clone(store), log: log.clone(), key, function: js.keep(function)?, deferred };
    let unknown = || Attempt { expected: Expected::Unknown, result: String::new(), is_again: false };
    match belief {
        None => update.send(js, environment, unknown()),
        Some(Belief::Certain(value) | Belief::Likely(value)) => {
            match run(js, environment, &update.function, value.as_deref()) {
                Ok(result) => {
                    let attempt = Attempt { expected: Expected::Value(value), result, is_again: false };
                    update.send(js, environment, attempt);
                }
                Err(refusal) if is_certain => js.settle(update.deferred, Err(refusal)),
                // The function may refuse a value that the key does not have: it gets the real one.
                Err(_) => update.send(js, environment, unknown()),
            }
        }
    }
    Ok(promise)
}

impl Update {
    fn send(self, js: Js<'_>, environment: &Rc<Environment>, attempt: Attempt) {
        let Attempt { expected, result, is_again } = attempt;
        if matches!(expected, Expected::Value(_)) {
            self.store.predicted.set(&self.log, self.key.clone(), Some(result.clone()));
        }
        let (store, log) = (Rc::clone(&self.store), self.log.clone());
        let size_bytes = result.len();
        let replace = Replace { key: self.key.clone(), expected, value: Some(result.clone()), is_again };
        let then = Then::Do(Box::new(move |environment, js, answer| {
            self.answered(js, environment, answer, &result);
        }));
        let ticket = environment.ticket(js, &store, then);
        store.backend.call(Request {
            log,
            is_collection: true,
            work: Work::Replace(replace),
            size_bytes,
            ticket,
        });
    }

    fn answered(self, js: Js<'_>, environment: &Rc<Environment>, answer: Result<Answer>, result: &str) {
        let settled = match answer {
            Ok(Answer::Conflict(value)) => match run(js, environment, &self.function, value.as_deref()) {
                Ok(result) => {
                    let attempt = Attempt { expected: Expected::Value(value), result, is_again: true };
                    return self.send(js, environment, attempt);
                }
                Err(refusal) => {
                    self.give_up(js, environment);
                    Err(refusal)
                }
            },
            Ok(_) => environment.json.parse(js, result),
            Err(error) => Err(error.into()),
        };
        js.settle(self.deferred, settled);
    }

    /// Lets the calls go on that wait for this one.
    fn give_up(&self, js: Js<'_>, environment: &Rc<Environment>) {
        let key = self.key.clone();
        let replace = Replace { key, expected: Expected::Unknown, value: None, is_again: true };
        let ticket = environment.ticket(js, &self.store, Then::Do(Box::new(|_, _, _| {})));
        let log = self.log.clone();
        self.store.backend.call(Request {
            log,
            is_collection: true,
            work: Work::Replace(replace),
            size_bytes: 0,
            ticket,
        });
    }
}

/// Calls the function with the value; its result as text.
fn run<'scope>(
    js: Js<'scope>,
    environment: &Environment,
    function: &Kept,
    value: Option<&str>,
) -> Fallible<'scope, String> {
    let argument = value.map_or_else(|| js.undefined(), |text| environment.json.parse(js, text))?;
    let result = js.call(js.kept(function)?, js.undefined()?, &[argument])?;
    let is_object = js.type_of(result)? == ValueType::Object;
    let is_promise = is_object && js.type_of(js.get(result, "then")?)? == ValueType::Function;
    if is_promise {
        // Should it reject, nobody else handles that; our own error says what is wrong.
        let nothing = js.function("ignore", |_| {})?;
        js.call(js.get(result, "then")?, result, &[nothing, nothing])?;
    }
    let text = if is_promise { None } else { environment.json.stringify(js, result, &"The result of fn")? };
    let what =
        if is_promise { "a promise; it must work without waiting" } else { "nothing that JSON can hold" };
    Ok(text.ok_or_else(|| {
        Error::wrong_return(format!("The function given to update() returned {what}. Return the new value"))
    })?)
}
