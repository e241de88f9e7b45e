//! `collection.update(key, fn)`, `collection.updateMany(keys, fn)` and `storage.transaction(places, fn)`: read, change,
//! write, atomically among all callers.
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
use super::updater::{LogPlaces, Made, Updater};
use crate::data::change::Change;
use crate::data::name::LogName;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::collection::changes_of;
use crate::store::expiry::Expiry;
use crate::store::request::{Belief, Expected, Replace, Request, Transaction, Work};

/// An update that is under way.
struct Update {
    store: Rc<Store>,
    updater: Updater,
    /// The places of its keys, by log.
    by_log: Vec<LogPlaces>,
    function: Kept,
    expiry: Option<Expiry>,
    deferred: Deferred,
}

/// What is to be updated, and what its keys are believed to have.
pub struct Asked {
    updater: Updater,
    by_log: Vec<LogPlaces>,
    expiry: Option<Expiry>,
    belief: Option<Belief>,
}

impl Asked {
    /// Before this call has anything else done: what that changes, or that it is under way, is no part of the belief.
    pub fn of(store: &Store, updater: Updater, expiry: Option<Expiry>) -> Self {
        let by_log = updater.by_log();
        let belief = belief_of_all(store, &updater, &by_log);
        Self { updater, by_log, expiry, belief }
    }

    /// The logs that it is about.
    pub fn logs(&self) -> impl Iterator<Item = &LogName> {
        self.by_log.iter().map(|(log, _)| log)
    }
}

/// The same of the keys of all logs, in their order. What several logs have is not known of one moment.
fn belief_of_all(store: &Store, updater: &Updater, by_log: &[LogPlaces]) -> Option<Belief> {
    if let [(log, _)] = by_log {
        return belief(store, log, updater.keys());
    }
    let mut values = vec![None; updater.keys().len()];
    for (log, places) in by_log {
        let keys: Vec<String> = places.iter().map(|place| updater.keys()[*place].clone()).collect();
        let (Belief::Certain(of_log) | Belief::Likely(of_log)) = belief(store, log, &keys)?;
        places.iter().zip(of_log).for_each(|(place, value)| values[*place] = value);
    }
    Some(Belief::Likely(values))
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
    /// So often the values were others before.
    tries: u32,
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
    let Asked { updater, by_log, expiry, belief } = asked;
    let function = js.keep(function)?;
    let update = Update { store: Rc::clone(store), updater, by_log, function, expiry, deferred };
    if let Some(Belief::Certain(values)) = belief {
        match update.run(js, environment, &values) {
            Ok(made) => {
                let attempt = Attempt { expected: Expected::Values(values), made, tries: 0 };
                update.send(js, environment, attempt);
            }
            Err(refusal) => js.settle(update.deferred, Err(refusal)),
        }
    } else {
        let attempt = update.attempt_on(js, environment, belief, 0);
        update.send(js, environment, attempt);
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

    /// What the function makes of what is believed. It may refuse a value that a key does not have: then it gets the real
    /// ones.
    fn attempt_on(
        &self,
        js: Js<'_>,
        environment: &Environment,
        belief: Option<Belief>,
        tries: u32,
    ) -> Attempt {
        if let Some(Belief::Certain(values) | Belief::Likely(values)) = belief
            && let Ok(made) = self.run(js, environment, &values)
        {
            return Attempt { expected: Expected::Values(values), made, tries };
        }
        Attempt { expected: Expected::Unknown, made: Made::default(), tries }
    }

    fn send(self, js: Js<'_>, environment: &Rc<Environment>, attempt: Attempt) {
        let Attempt { expected, made, tries } = attempt;
        let Made { changed, result } = made;
        let size_bytes = changed.iter().filter_map(|(_, value)| value.as_ref()).map(String::len).sum();
        let work = self.work(&expected, Some(&changed), tries);
        for (place, value) in changed {
            self.store.predicted.set(self.updater.log_of(place), &self.updater.keys()[place], value);
        }
        let (store, log) = (Rc::clone(&self.store), self.first_log());
        let then = Then::Do(Box::new(move |environment, js, answer| {
            self.answered(js, environment, answer, (&result, tries));
        }));
        let ticket = environment.ticket_of_change(js, &store, then);
        store.backend.call(Request { log, is_collection: true, work, size_bytes, ticket });
    }

    fn first_log(&self) -> LogName {
        self.by_log[0].0.clone()
    }

    /// The step as a place does it: `changed` are places with their new values, none to give up.
    fn work(&self, expected: &Expected, changed: Option<&[(usize, Option<String>)]>, tries: u32) -> Work {
        let mut parts = self.by_log.iter().map(|(log, places)| {
            let keys = places.iter().map(|place| self.updater.keys()[*place].clone()).collect();
            let replace = Replace {
                keys,
                expected: match expected {
                    Expected::Unknown => Expected::Unknown,
                    Expected::Values(values) => {
                        Expected::Values(places.iter().map(|place| values[*place].clone()).collect())
                    }
                },
                changes: changed.map(|changed| self.changes(log, expected, changed)),
                expiry: self.expiry,
                tries,
            };
            (log.clone(), replace)
        });
        match (parts.next(), parts.len()) {
            (Some((_, replace)), 0) => Work::Replace(replace),
            (first, _) => Work::Transact(Transaction { parts: first.into_iter().chain(parts).collect() }),
        }
    }

    /// What is changed in one log: a key that is not there is not removed.
    fn changes(
        &self,
        log: &LogName,
        expected: &Expected,
        changed: &[(usize, Option<String>)],
    ) -> Vec<Change> {
        let had = |place: usize| match expected {
            Expected::Unknown => None,
            Expected::Values(values) => values[place].as_deref(),
        };
        let of_log = changed.iter().filter(|(place, _)| self.updater.log_of(*place) == log);
        changes_of(
            of_log
                .map(|(place, value)| (self.updater.keys()[*place].as_str(), had(*place), value.as_deref())),
        )
    }

    fn answered(
        self,
        js: Js<'_>,
        environment: &Rc<Environment>,
        answer: Result<Answer>,
        (result, tries): (&[Option<String>], u32),
    ) {
        let settled = match answer {
            Ok(Answer::Conflict(found)) => {
                let values = self.by_place(found);
                match self.run(js, environment, &values) {
                    Ok(made) => {
                        let attempt = Attempt { expected: Expected::Values(values), made, tries: tries + 1 };
                        return self.send(js, environment, attempt);
                    }
                    Err(refusal) => {
                        self.give_up(js, environment);
                        Err(refusal)
                    }
                }
            }
            Ok(Answer::ConflictBehind(found)) => {
                let belief = match found {
                    Some(found) => Some(Belief::Likely(self.by_place(found))),
                    None => belief_of_all(&self.store, &self.updater, &self.by_log),
                };
                let attempt = self.attempt_on(js, environment, belief, tries + 1);
                return self.send(js, environment, attempt);
            }
            Ok(_) => self.updater.result(js, environment, result),
            Err(error) => Err(error.into()),
        };
        js.settle(self.deferred, settled);
    }

    /// What was found log by log, in the order of the keys.
    fn by_place(&self, found: Vec<Option<String>>) -> Vec<Option<String>> {
        let mut values = vec![None; found.len()];
        let places = self.by_log.iter().flat_map(|(_, places)| places);
        places.zip(found).for_each(|(place, value)| values[*place] = value);
        values
    }

    /// Lets the calls go on that wait for this one.
    fn give_up(&self, js: Js<'_>, environment: &Rc<Environment>) {
        let work = self.work(&Expected::Unknown, None, 1);
        let ticket = environment.ticket(js, &self.store, Then::Do(Box::new(|_, _, _| {})));
        let log = self.first_log();
        self.store.backend.call(Request { log, is_collection: true, work, size_bytes: 0, ticket });
    }
}
