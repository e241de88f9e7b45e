//! Game states: what is stored for a channel while a game is on.
//!
//! Invariant: the stored text is the caller's state with `lastUpdated`, in the order of
//! `{ ...state, lastUpdated }`.

use crate::data::change::Change;
use crate::data::json::Members;
use crate::data::json::quote;
use crate::data::state::Member;
use crate::data::time::iso;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::rule::{Outcome, Reads, Rule, View};

const LAST_UPDATED: &str = "\"lastUpdated\"";

/// Stores the state of a channel.
pub struct SaveGame {
    /// Key literal.
    pub channel: String,
    /// A JSON object.
    pub text: String,
}

impl Rule for SaveGame {
    fn reads(&self) -> Reads<'_> {
        Reads::Nothing
    }

    fn apply(&self, _: &View, now_ms: i64) -> Result<Outcome> {
        let stored = with_last_updated(&self.text, &quote(&iso(now_ms)));
        let change = Change::Set(Member::new(&self.channel, &stored));
        Ok(Outcome { changes: vec![change], answer: Answer::Undefined })
    }
}

/// Removes the state of the channel with this key literal: a tombstone, whether there was one or not.
pub struct ClearGame(pub String);

impl Rule for ClearGame {
    fn reads(&self) -> Reads<'_> {
        Reads::Nothing
    }

    fn apply(&self, _: &View, _: i64) -> Result<Outcome> {
        Ok(Outcome { changes: vec![Change::Delete(self.0.clone())], answer: Answer::Undefined })
    }
}

fn with_last_updated(text: &str, time: &str) -> String {
    let mut stored = String::with_capacity(text.len() + time.len() + LAST_UPDATED.len() + 2);
    let mut is_set = false;
    stored.push('{');
    for (key, value) in Members::of(text) {
        let is_time = key == LAST_UPDATED;
        is_set |= is_time;
        push_member(&mut stored, key, if is_time { time } else { value });
    }
    if !is_set {
        push_member(&mut stored, LAST_UPDATED, time);
    }
    stored.push('}');
    stored
}

fn push_member(text: &mut String, key: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    text.push_str(key);
    text.push(':');
    text.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_last_unless_the_state_has_it_elsewhere() {
        assert_eq!(with_last_updated("{}", "9"), r#"{"lastUpdated":9}"#);
        assert_eq!(
            with_last_updated(r#"{"round":1,"x":[1,{"y":2}]}"#, "9"),
            r#"{"round":1,"x":[1,{"y":2}],"lastUpdated":9}"#
        );
        assert_eq!(
            with_last_updated(r#"{"lastUpdated":"old","round":1}"#, "9"),
            r#"{"lastUpdated":9,"round":1}"#
        );
    }
}
