//! `collection.update(key, fn)` and `collection.updateMany(keys, fn)`: read, change, write, atomically among all callers.
//!
//! The function runs here, on the JavaScript thread, with the values that the keys are believed to have once the earlier
//! calls of this thread are done. The result is written only if all of them have those very values when the writer comes
//! to it. If not (somebody else wrote), the writer answers with the values that they have, holds this thread's later
//! calls, and the function runs again.
//!
//! If the function throws, and the values were not certain, the writer is asked for them, and the function runs again
//! with those: it may have refused a value that a key does not have.
//!
//! Invariant: a result is written only over the very values that its function was given. An error of the function rejects
//! the promise only if the keys had those values.

use std::rc::Rc;

use super::environment::{Environment, Then};
use super::js::{Deferred, Fallible, Js, Kept, Refusal, Value};
use super::store::Store;
use super::updater::{Made, Updater};
use crate::data::name::LogName;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::expiry::Expiry;
use crate::store::request::Belief;
use crate::store::request::Expected;
use crate::store::request::Replace;
use crate::store::request::Request;
use crate::store::request::Work;

/// An update that is under way.
struct Update {
    store: Rc<Store>,
    log: LogName,
    updater: Updater,
    function: Kept,
    expiry: Option<Expiry>,
    deferred: Deferred,
}

/// What is to be updated, and what its keys are believed to have.
pub struct Asked {
    log: LogName,
    updater: Updater,
    expiry: Option<Expiry>,
    belief: Option<Belief>,
}

impl Asked {
    /// Before this call has anything else done: what that changes, or that it is under way, is no part of the belief.
    pub fn of(store: &Store, log: &LogName, updater: Updater, expiry: Option<Expiry>) -> Self {
        let belief = belief(store, log, updater.keys());
        Self { log: log.clone(), updater, expiry, belief }
    }
}

/// What keys have once the calls of this thread that are under way are done. They may change what the place is certain
/// of now. `None` where nothing is known of one of them.
fn belief(store: &Store, log: &LogName, keys: &[String]) -> Option<Belief> {
    let own: Vec<_> = keys.iter().map(|key| store.predicted.get(log, key)).collect();
    if own.iter().all(Option::is_none) {
        return match store.backend.guess(log, keys) {
            Some(Belief::Certain(values)) if store.pending.get() > 0 => Some(Belief::Likely(values)),
            belief => belief,
        };
    }
    let others: Vec<String> =
        keys.iter().zip(&own).filter(|(_, own)| own.is_none()).map(|(key, _)| key.clone()).collect();
    let guessed = if others.is_empty() {
        Vec::new()
    } else {
        let (Belief::Certain(values) | Belief::Likely(values)) = store.backend.guess(log, &others)?;
        values
    };
    let mut guessed = guessed.into_iter();
    Some(Belief::Likely(own.into_iter().map(|own| own.unwrap_or_else(|| guessed.next().flatten())).collect()))
}

/// One way through the function: what it was given, and what it made of that.
struct Attempt {
    expected: Expected,
    made: Made,
    /// The values were others before.
    is_again: bool,
}

/// Starts an update; gives its promise.
pub fn update<'scope>(
    js: Js<'scope>,
    environment: &Rc<Environment>,
    store: &Rc<Store>,
    asked: Asked,
    function: Value<'scope>,
) -> Fallible<'scope, Value<'scope>> {
    let (deferred, promise) = js.promise()?;
    let Asked { log, updater, expiry, belief } = asked;
    let is_certain = matches!(belief, Some(Belief::Certain(_)));
    let function = js.keep(function)?;
    let update = Update { store: Rc::clone(store), log, updater, function, expiry, deferred };
    let unknown = || Attempt { expected: Expected::Unknown, made: Made::default(), is_again: false };
    match belief {
        None => update.send(js, environment, unknown()),
        Some(Belief::Certain(values) | Belief::Likely(values)) => {
            match update.run(js, environment, &values) {
                Ok(made) => {
                    let attempt = Attempt { expected: Expected::Values(values), made, is_again: false };
                    update.send(js, environment, attempt);
                }
                Err(refusal) if is_certain => js.settle(update.deferred, Err(refusal)),
                // The function may refuse a value that a key does not have: it gets the real ones.
                Err(_) => update.send(js, environment, unknown()),
            }
        }
    }
    Ok(promise)
}

impl Update {
    fn run<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Environment,
        values: &[Option<String>],
    ) -> std::result::Result<Made, Refusal<'scope>> {
        self.updater.run(js, environment, &self.function, values)
    }

    fn send(self, js: Js<'_>, environment: &Rc<Environment>, attempt: Attempt) {
        let Attempt { expected, made, is_again } = attempt;
        let Made { changed, changes, result } = made;
        let size_bytes = changed.iter().filter_map(|(_, value)| value.as_ref()).map(String::len).sum();
        for (place, value) in changed {
            self.store.predicted.set(&self.log, self.updater.keys()[place].clone(), value);
        }
        let (store, log) = (Rc::clone(&self.store), self.log.clone());
        let keys = self.updater.keys().to_vec();
        let replace = Replace { keys, expected, changes: Some(changes), expiry: self.expiry, is_again };
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
            Ok(Answer::Conflict(values)) => match self.run(js, environment, &values) {
                Ok(made) => {
                    let attempt = Attempt { expected: Expected::Values(values), made, is_again: true };
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
        let keys = self.updater.keys().to_vec();
        let replace =
            Replace { keys, expected: Expected::Unknown, changes: None, expiry: None, is_again: true };
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
