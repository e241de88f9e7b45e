//! Keyed data of any kind: what `collection(name)` writes, as rules.

use crate::data::change::Change;
use crate::data::state::Member;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::request::Work;
use crate::store::rule::{Outcome, Reads, Rule, View};

/// Sets a key.
struct Set(Member);

impl Rule for Set {
    fn reads(&self) -> Reads<'_> {
        Reads::Nothing
    }

    fn apply(&self, _: &View, _: i64) -> Result<Outcome> {
        Ok(Outcome { changes: vec![Change::Set(self.0.clone())], answer: Answer::Undefined })
    }
}

/// Removes a key literal.
struct Delete(String);

impl Rule for Delete {
    fn reads(&self) -> Reads<'_> {
        Reads::Key(&self.0)
    }

    fn apply(&self, view: &View, _: i64) -> Result<Outcome> {
        let was_there = view.get(&self.0).is_some();
        let changes = if was_there { vec![Change::Delete(self.0.clone())] } else { Vec::new() };
        Ok(Outcome { changes, answer: Answer::Bool(was_there) })
    }
}

/// Removes all keys.
struct Clear;

impl Rule for Clear {
    fn reads(&self) -> Reads<'_> {
        Reads::Whole
    }

    fn apply(&self, view: &View, _: i64) -> Result<Outcome> {
        let changes = view.state().iter().map(|member| Change::Delete(member.key().to_owned())).collect();
        Ok(Outcome { changes, answer: Answer::Undefined })
    }
}

/// Sets a key literal to a value.
#[must_use]
pub fn set(key: &str, value: &str) -> Work {
    Work::Write(Box::new(Set(Member::new(key, value))))
}

/// Removes a key literal; answers whether it was there.
#[must_use]
pub fn delete(key: String) -> Work {
    Work::Write(Box::new(Delete(key)))
}

/// Removes all keys.
#[must_use]
pub fn clear() -> Work {
    Work::Write(Box::new(Clear))
}
