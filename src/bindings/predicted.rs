//! What a thread believes of keys while its calls are under way.
//!
//! Only a guess: where it is wrong, the writer says so.
//!
//! Invariant: a value is kept as long as the call that sets it is under way, and no longer. From then on the state has it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::data::name::LogName;

/// A value; `None`: there is no such key.
type Believed = Option<String>;

/// The values of a log's keys, each with the number of its prediction.
type OfLog = HashMap<Rc<str>, (u64, Believed)>;

/// What keys will have once the calls that are under way are done.
#[derive(Default)]
pub struct Predicted {
    values: RefCell<HashMap<LogName, OfLog>>,
    /// Those of the call that is being made.
    new: RefCell<Predictions>,
    last_number: Cell<u64>,
}

/// What one call sets: each key with the number of its prediction.
pub type Predictions = Vec<(LogName, Rc<str>, u64)>;

impl Predicted {
    /// The key will have this value (`None`: it will be gone) once the call that is being made is done.
    pub fn set(&self, log: &LogName, key: &str, value: Option<String>) {
        let (key, number) = (Rc::from(key), self.last_number.get() + 1);
        self.last_number.set(number);
        self.values.borrow_mut().entry(log.clone()).or_default().insert(Rc::clone(&key), (number, value));
        self.new.borrow_mut().push((log.clone(), key, number));
    }

    /// What the call that is being made sets.
    pub fn of_call(&self) -> Predictions {
        self.new.take()
    }

    /// The call is done.
    pub fn settled(&self, predictions: Predictions) {
        let mut values = self.values.borrow_mut();
        for (log, key, number) in predictions {
            if let Some(of_log) = values.get_mut(&log)
                && of_log.get(&key).is_some_and(|(last, _)| *last == number)
            {
                of_log.remove(&key);
            }
        }
    }

    /// Nothing is known any more.
    pub fn forget(&self) {
        self.values.borrow_mut().clear();
    }

    /// What to expect, if anything is known.
    pub fn get(&self, log: &LogName, key: &str) -> Option<Believed> {
        let values = self.values.borrow();
        let (_, value) = values.get(log)?.get(key)?;
        Some(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_as_long_as_the_last_call_that_sets_it() {
        let (predicted, log) = (Predicted::default(), LogName::new("players").expect("a name"));
        let set = |key: &str, value: &str| {
            predicted.set(&log, key, Some(value.to_owned()));
            predicted.of_call()
        };
        let value = |key: &str| predicted.get(&log, key);
        let (first, second, other) = (set("a", "1"), set("a", "2"), set("b", "3"));
        predicted.settled(first);
        assert_eq!(value("a"), Some(Some("2".to_owned())), "a later call sets it, too");
        predicted.settled(other);
        assert_eq!((value("a"), value("b")), (Some(Some("2".to_owned())), None));
        predicted.settled(second);
        assert_eq!(value("a"), None);
        predicted.set(&log, "c", None);
        predicted.forget();
        predicted.settled(predicted.of_call());
        assert_eq!(value("c"), None);
    }
}
