//! Keyed data of any kind: what `collection(name)` writes, as rules.

use crate::data::change::Change;
use crate::data::state::Member;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::expiry::Expiry;
use crate::store::request::Work;
use crate::store::rule::{Outcome, Reads, Rule, View};

/// Sets a key. Without an expiry it clears the one that is there.
struct Set(Member, Option<Expiry>);

impl Rule for Set {
    fn reads(&self) -> Reads<'_> {
        Reads::Nothing
    }

    fn apply(&self, _: &View, now_ms: i64) -> Result<Outcome> {
        let member = self.0.clone().with_expiry(self.1.map(|expiry| expiry.at(now_ms)));
        Ok(Outcome { changes: vec![Change::Set(member)], answer: Answer::Undefined })
    }
}

/// Sets keys, none twice: all or none.
struct SetMany(Vec<Member>);

impl Rule for SetMany {
    fn reads(&self) -> Reads<'_> {
        Reads::Nothing
    }

    fn apply(&self, _: &View, _: i64) -> Result<Outcome> {
        Ok(Outcome { changes: set_all(self.0.clone()), answer: Answer::Undefined })
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

/// Removes key literals, none twice: all or none.
struct DeleteMany(Vec<String>);

impl Rule for DeleteMany {
    fn reads(&self) -> Reads<'_> {
        Reads::Keys(self.0.iter().map(String::as_str).collect())
    }

    fn apply(&self, view: &View, _: i64) -> Result<Outcome> {
        let there = self.0.iter().filter(|key| view.get(key).is_some());
        let changes: Vec<Change> = there.cloned().map(Change::Delete).collect();
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 keys")]
        let answer = Answer::Number(changes.len() as f64);
        Ok(Outcome { changes, answer })
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

/// Sets a key literal to a value, which stays.
#[must_use]
pub fn set(key: &str, value: &str) -> Work {
    set_expiring(key, value, None)
}

/// Sets a key literal to a value, which is over at that time.
#[must_use]
pub fn set_expiring(key: &str, value: &str, expiry: Option<Expiry>) -> Work {
    Work::Write(Box::new(Set(Member::new(key, value), expiry)))
}

/// Sets keys, none twice, all or none.
#[must_use]
pub fn set_many(members: Vec<Member>) -> Work {
    Work::Write(Box::new(SetMany(members)))
}

/// Removes key literals, none twice, all or none; answers how many were there.
#[must_use]
pub fn delete_many(keys: Vec<String>) -> Work {
    Work::Write(Box::new(DeleteMany(keys)))
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

fn set_all(mut members: Vec<Member>) -> Vec<Change> {
    match members.len() {
        0 => Vec::new(),
        1 => members.pop().map(Change::Set).into_iter().collect(),
        _ => vec![Change::SetMany(members)],
    }
}

/// The changes that give keys these values, `None` to remove one: none of a key that is not there and need not go. `had`
/// is what they have before.
#[must_use]
pub fn changes_of<'a>(
    values: impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)>,
) -> Vec<Change> {
    let (mut members, mut gone) = (Vec::new(), Vec::new());
    for (key, had, value) in values {
        match value {
            Some(value) => members.push(Member::new(key, value)),
            None if had.is_some() => gone.push(Change::Delete(key.to_owned())),
            None => {}
        }
    }
    let mut changes = set_all(members);
    changes.append(&mut gone);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::state::State;

    fn outcome(work: Work, members: &[(&str, &str)]) -> Outcome {
        let mut state = State::default();
        for (key, value) in members {
            state.set(Member::new(key, value));
        }
        let Work::Write(rule) = work else { panic!("it is a write") };
        rule.apply(&View::of(&state, 0), 0).expect("the rule applies")
    }

    #[test]
    fn several_keys_are_set_in_one_change_and_none_in_no_change() {
        let members = vec![Member::new("\"a\"", "1"), Member::new("\"b\"", "2")];
        assert_eq!(outcome(set_many(members.clone()), &[]).changes, [Change::SetMany(members.clone())]);
        assert_eq!(outcome(set_many(members[..1].to_vec()), &[]).changes, [Change::Set(members[0].clone())]);
        assert!(outcome(set_many(Vec::new()), &[]).changes.is_empty());
    }

    #[test]
    fn only_keys_that_are_there_are_removed_and_counted() {
        let keys = || vec!["\"a\"".to_owned(), "\"b\"".to_owned()];
        let Outcome { changes, answer } = outcome(delete_many(keys()), &[("\"b\"", "2"), ("\"c\"", "3")]);
        assert_eq!(changes, [Change::Delete("\"b\"".to_owned())]);
        assert!(matches!(answer, Answer::Number(count) if (count - 1.0).abs() < f64::EPSILON));
        assert!(outcome(delete_many(keys()), &[]).changes.is_empty());
    }

    #[test]
    fn values_become_one_set_and_the_removals_of_what_is_there() {
        let values = [
            ("\"a\"", Some("1"), None),
            ("\"b\"", None, Some("2")),
            ("\"c\"", None, None),
            ("\"d\"", Some("4"), Some("5")),
        ];
        let members = vec![Member::new("\"b\"", "2"), Member::new("\"d\"", "5")];
        let changes = changes_of(values.into_iter());
        assert_eq!(changes, [Change::SetMany(members), Change::Delete("\"a\"".to_owned())]);
        assert!(changes_of(std::iter::empty()).is_empty());
    }
}
