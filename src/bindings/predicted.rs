//! What a thread believes of keys while its calls are under way.
//!
//! Only a guess: where it is wrong, the writer says so.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::data::name::LogName;

/// A value; `None`: there is no such key.
type Believed = Option<String>;

/// What keys will have once the calls that are under way are done.
#[derive(Default)]
pub struct Predicted(RefCell<HashMap<LogName, HashMap<String, Believed>>>);

impl Predicted {
    /// The key will have this value (`None`: it will be gone).
    pub fn set(&self, log: &LogName, key: String, value: Option<String>) {
        self.0.borrow_mut().entry(log.clone()).or_default().insert(key, value);
    }

    /// Nothing is known any more.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// What to expect, if anything is known.
    pub fn get(&self, log: &LogName, key: &str) -> Option<Believed> {
        self.0.borrow().get(log)?.get(key).cloned()
    }
}
