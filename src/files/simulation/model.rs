//! What a log must hold, worked out without the `Folder`. Operations that were acknowledged count. Each of the others
//! counts whole, or not at all.
//!
//! Invariant: nothing here calls the `Folder`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Code;

/// What an operation does to a state. Keys are JSON string literals, values JSON text.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Sets a key.
    Set(String, String),
    /// Sets a key that ends by itself at a time, in milliseconds since 1970.
    SetEnding(String, String, i64),
    /// Removes a key.
    Delete(String),
    /// Adds one to a number. The log holds the sum, so the `Folder`'s result is kept here (0: it did not run yet).
    Count(String, Arc<AtomicU64>),
    /// Removes every key.
    Clear,
}

/// An operation on one log.
#[derive(Clone, Debug)]
pub struct Op {
    /// Number of the log.
    pub log: usize,
    /// What it does, all or none.
    pub effects: Vec<Effect>,
    /// When it was called, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Op {
    /// Whether it removes every key, and does nothing else.
    fn clears(&self) -> bool {
        matches!(self.effects[..], [Effect::Clear])
    }
}

/// How an operation was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not yet.
    Open,
    /// It is done.
    Acked,
    /// It failed, with this code.
    Failed(Code),
}

/// Whether the order of a state's keys is known. It is not where somebody edited a mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// It is that of a JavaScript object.
    #[default]
    Known,
    /// Any order is right.
    Unknown,
}

/// A state: keys in the order in which they were set, and when some of them end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    members: Vec<(String, String)>,
    ends_ms: BTreeMap<String, i64>,
}

impl Model {
    /// Applies an effect of an operation that was called at `at_ms`. What was over by then is gone for good.
    pub fn apply(&mut self, effect: &Effect, at_ms: i64) {
        let ends_ms = std::mem::take(&mut self.ends_ms);
        self.members.retain(|(key, _)| ends_ms.get(key).is_none_or(|end_ms| *end_ms > at_ms));
        self.ends_ms = ends_ms.into_iter().filter(|(_, end_ms)| *end_ms > at_ms).collect();
        match effect {
            Effect::Set(key, value) => self.set(key, value.clone()),
            Effect::SetEnding(key, value, end_ms) => {
                self.set(key, value.clone());
                self.ends_ms.insert(key.clone(), *end_ms);
            }
            Effect::Delete(key) => {
                self.members.retain(|(known, _)| known != key);
                self.ends_ms.remove(key);
            }
            Effect::Count(key, result) => match result.load(Ordering::Relaxed) {
                0 => {}
                number => self.set(key, number.to_string()),
            },
            Effect::Clear => *self = Self::default(),
        }
    }

    /// The state with these members.
    pub fn of(members: &[(&str, &str)]) -> Self {
        let members = members.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { members, ends_ms: BTreeMap::new() }
    }

    /// Sets a key; one that is there keeps its place.
    pub fn set(&mut self, key: &str, value: String) {
        self.ends_ms.remove(key);
        match self.members.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.members.push((key.to_owned(), value)),
        }
    }

    /// The state at this time as a JSON object: in JavaScript's order, or sorted by key where that is not known.
    pub fn text(&self, order: Order, now_ms: i64) -> String {
        let is_there = |key: &String| self.ends_ms.get(key).is_none_or(|end_ms| *end_ms > now_ms);
        let mut members: Vec<&(String, String)> =
            self.members.iter().filter(|(key, _)| is_there(key)).collect();
        match order {
            Order::Known => members.sort_by_key(|(key, _)| index(key).map_or((1, 0), |index| (0, index))),
            Order::Unknown => members.sort(),
        }
        let mut text = String::from("{");
        for (number, (key, value)) in members.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{key}:{value}");
        }
        text.push('}');
        text
    }
}

/// Keys that JavaScript orders by number.
fn index(key: &str) -> Option<u32> {
    let digits = key.trim_matches('"');
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits && number != u32::MAX).then_some(number)
}

/// Operations and what was answered, up to some moment.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Number of the first operation; earlier ones were called before a crash.
    pub first_id: usize,
    /// The states before the first operation, one for each log.
    pub before: Vec<Model>,
    /// All operations, in the order in which they were called.
    pub ops: Vec<Op>,
    /// One for each operation that was called. Those beyond were not called yet.
    pub status: Vec<Status>,
    /// Whether the order of keys is known.
    pub order: Order,
    /// Nothing is promised: any state is right.
    pub is_unknown: bool,
    /// Where not each operation is synced: a power cut spares the acknowledged ones before this one.
    pub spared: Option<usize>,
}

/// Up to this many operations without a trace are tried in all combinations.
const OPEN_MAX: usize = 10;

/// Whether an operation that was not acknowledged is in a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    There,
    Lost,
    Unknown,
}

/// Keys that operations change.
#[derive(Default)]
struct Keys<'a> {
    is_all: bool,
    keys: BTreeSet<&'a str>,
}

impl<'a> Keys<'a> {
    fn has(&self, key: &str) -> bool {
        self.is_all || self.keys.contains(key)
    }

    fn add(&mut self, op: &'a Op) {
        for effect in &op.effects {
            match effect {
                Effect::Clear => self.is_all = true,
                Effect::Set(key, _)
                | Effect::SetEnding(key, ..)
                | Effect::Delete(key)
                | Effect::Count(key, _) => {
                    self.keys.insert(key);
                }
            }
        }
    }
}

impl History {
    /// The state that explains the members `found` in a log at `now_ms` by what was called. Otherwise the states that the log may
    /// have, the likely ones first.
    pub fn explain(&self, log: usize, found: &[(&str, &str)], now_ms: i64) -> Result<Model, Vec<String>> {
        let text = Model::of(found).text(self.order, now_ms);
        let mut texts: Vec<String> = Vec::new();
        // A removal of all keys hides the traces of what was before it. So each is tried as the last that was done.
        let clears = self.ops.iter().enumerate().filter(|(_, op)| op.log == log && op.clears());
        for last_clear in std::iter::once(None).chain(clears.map(|(number, _)| Some(number))) {
            if let Some(model) = self.explain_behind(last_clear, log, (found, now_ms), &text, &mut texts) {
                return Ok(model);
            }
        }
        Err(texts)
    }

    /// The same, where `last_clear` is the only unanswered removal of all keys that was done. Adds what it tried to
    /// `texts`.
    fn explain_behind(
        &self,
        last_clear: Option<usize>,
        log: usize,
        (found, now_ms): (&[(&str, &str)], i64),
        found_text: &str,
        texts: &mut Vec<String>,
    ) -> Option<Model> {
        let called: Vec<(&Op, Fate)> = self.fates(last_clear, log, (found, now_ms));
        let unknown = called.iter().filter(|(_, fate)| *fate == Fate::Unknown).count();
        let tried = unknown.min(OPEN_MAX);
        for lost in 0..1_usize << tried {
            let mut model = self.before[log].clone();
            let mut number = 0;
            for (op, fate) in &called {
                let is_lost = match fate {
                    Fate::There => false,
                    Fate::Lost => true,
                    Fate::Unknown => {
                        number += 1;
                        // The oldest of very many share one fate.
                        lost >> (unknown - number).min(tried - 1) & 1 == 1
                    }
                };
                if !is_lost {
                    op.effects.iter().for_each(|effect| model.apply(effect, op.at_ms));
                }
            }
            let text = model.text(self.order, now_ms);
            if text == found_text {
                return Some(model);
            }
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        None
    }

    /// Finds each operation's trace, newest first: one that a later operation covers says nothing.
    fn fates(
        &self,
        last_clear: Option<usize>,
        log: usize,
        (found, now_ms): (&[(&str, &str)], i64),
    ) -> Vec<(&Op, Fate)> {
        let found: BTreeMap<&str, &str> = found.iter().copied().collect();
        // Keys that a later operation set for certain, and keys that one may have set.
        let (mut covered, mut may_be_covered) = (Keys::default(), Keys::default());
        let mut fates = Vec::new();
        let spared = self.spared.unwrap_or(usize::MAX);
        let called = self.ops.iter().zip(&self.status).enumerate().rev();
        for (number, (op, status)) in called.filter(|(_, (op, _))| op.log == log) {
            let mut fate = Fate::Unknown;
            if *status == Status::Acked && number < spared {
                fate = Fate::There;
            } else if op.clears() {
                fate = if last_clear == Some(number) { Fate::There } else { Fate::Lost };
            } else {
                for effect in &op.effects {
                    let (Effect::Set(key, value) | Effect::SetEnding(key, value, _)) = effect else {
                        continue;
                    };
                    // What is over leaves no trace.
                    let is_over = matches!(effect, Effect::SetEnding(_, _, end_ms) if *end_ms <= now_ms);
                    if !is_over && !covered.has(key) && fate != Fate::There {
                        if found.get(key.as_str()) == Some(&value.as_str()) {
                            fate = Fate::There;
                        } else if !may_be_covered.has(key) {
                            fate = Fate::Lost;
                        }
                    }
                }
            }
            match fate {
                Fate::There => covered.add(op),
                Fate::Unknown => may_be_covered.add(op),
                Fate::Lost => {}
            }
            fates.push((op, fate));
        }
        fates.reverse();
        fates
    }
}

impl History {
    /// Nothing was called yet, and the states are `models`.
    pub fn after(&self, models: Vec<Model>) -> Self {
        Self {
            first_id: self.first_id + self.ops.len(),
            before: models,
            order: self.order,
            is_unknown: self.is_unknown,
            ..Self::default()
        }
    }

    /// Without the operations that failed.
    pub fn without_failed(&self) -> Self {
        let mut history = self.clone();
        let failed = |status: &Status| matches!(status, Status::Failed(_));
        let pairs = self.ops.iter().zip(&self.status).filter(|(_, status)| !failed(status));
        (history.ops, history.status) = pairs.map(|(op, status)| (op.clone(), *status)).unzip();
        history
    }

    /// Checks that no acknowledged count was lost: each is more than the one before.
    pub fn check_counts(&self) -> Result<(), String> {
        let mut last: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        for (op, status) in self.ops.iter().zip(&self.status) {
            for effect in &op.effects {
                match effect {
                    Effect::Clear => last.retain(|(log, _), _| *log != op.log),
                    Effect::Count(key, result) if *status == Status::Acked => {
                        let result = result.load(Ordering::Relaxed);
                        let before = last.insert((op.log, key), result);
                        if before.is_some_and(|before| result <= before) {
                            return Err(format!("a count of {key} was lost: {before:?}, then {result}"));
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_operations_count_whole_or_not_at_all() {
        let set = |key: &str, value: &str| Effect::Set(key.into(), value.into());
        let history = History {
            before: vec![Model::default()],
            ops: vec![
                Op { log: 0, effects: vec![set("\"b\"", "1"), set("\"7\"", "2")], at_ms: 0 },
                Op { log: 0, effects: vec![Effect::Delete("\"b\"".into()), set("\"a\"", "3")], at_ms: 0 },
                Op {
                    log: 0,
                    effects: vec![Effect::Count("\"n\"".into(), Arc::new(AtomicU64::new(1)))],
                    at_ms: 0,
                },
                Op { log: 0, effects: vec![Effect::Clear], at_ms: 0 },
            ],
            status: vec![Status::Acked, Status::Open, Status::Failed(Code::Eio)],
            ..History::default()
        };
        let texts =
            [r#"{"7":2,"a":3,"n":1}"#, r#"{"7":2,"a":3}"#, r#"{"7":2,"b":1,"n":1}"#, r#"{"7":2,"b":1}"#];
        for members in [
            vec![("\"7\"", "2"), ("\"a\"", "3"), ("\"n\"", "1")],
            vec![("\"7\"", "2"), ("\"a\"", "3")],
            vec![("\"7\"", "2"), ("\"b\"", "1"), ("\"n\"", "1")],
            vec![("\"7\"", "2"), ("\"b\"", "1")],
        ] {
            let model = history.explain(0, &members, 0).unwrap();
            assert!(texts.contains(&model.text(Order::Known, 0).as_str()), "{}", model.text(Order::Known, 0));
        }
        assert!(history.explain(0, &[("\"7\"", "2"), ("\"a\"", "3"), ("\"b\"", "1")], 0).is_err());
        assert!(history.explain(0, &[("\"a\"", "3")], 0).is_err());
    }

    #[test]
    fn a_removal_of_all_keys_that_was_not_answered_hides_nothing() {
        let set = |key: String, value: usize| Effect::Set(key, value.to_string());
        // More operations than are tried in all combinations; every second one is there.
        let ops: Vec<Op> = (0..30)
            .map(|number| Op { log: 0, effects: vec![set(format!("\"k{number}\""), number)], at_ms: 0 })
            .chain([Op { log: 0, effects: vec![Effect::Clear], at_ms: 0 }])
            .collect();
        let history = History {
            before: vec![Model::default()],
            status: vec![Status::Failed(Code::Eio); ops.len()],
            ops,
            ..History::default()
        };
        let members: Vec<(String, String)> =
            (0..30).step_by(2).map(|number| (format!("\"k{number}\""), number.to_string())).collect();
        let members: Vec<(&str, &str)> =
            members.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert!(history.explain(0, &members, 0).is_ok());
        assert!(history.explain(0, &[], 0).is_ok());
        assert!(history.explain(0, &[("\"k1\"", "2")], 0).is_err());
    }
}
