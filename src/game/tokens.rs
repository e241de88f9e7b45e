//! The token list: one object, stored member by member.
//!
//! Invariant: after a save the stored object has exactly the members of the new one, in its order.

use crate::data::change::Change;
use crate::data::json::quote;
use crate::data::state::Member;
use crate::data::state::State;
use crate::data::time::iso;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::rule::{Outcome, Reads, Rule, View};

/// Replaces the token list.
pub struct SaveTokens {
    /// A JSON array.
    pub tokens: String,
    /// How many elements it has.
    pub count: usize,
    /// JSON text.
    pub artist_info: Option<String>,
}

impl Rule for SaveTokens {
    fn reads(&self) -> Reads<'_> {
        Reads::Whole
    }

    fn apply(&self, view: &View, now_ms: i64) -> Result<Outcome> {
        let mut members = vec![
            Member::new("\"lastUpdated\"", &quote(&iso(now_ms))),
            Member::new("\"count\"", &self.count.to_string()),
            Member::new("\"tokens\"", &self.tokens),
        ];
        members.extend(self.artist_info.as_deref().map(|text| Member::new("\"artistInfo\"", text)));
        Ok(Outcome { changes: replacement(&view.state(), members), answer: Answer::Undefined })
    }
}

/// The changes after which the stored object has exactly these members, in this order.
fn replacement(state: &State, members: Vec<Member>) -> Vec<Change> {
    let place = |old: &Member| members.iter().position(|new| new.key() == old.key());
    let kept: Vec<usize> = state.iter().filter_map(place).collect();
    // What is set where it stands keeps its place, so the places must be right: 0, 1, 2 …
    let is_in_order = kept.iter().copied().eq(0..kept.len());
    let must_go = |old: &&Member| !is_in_order || place(old).is_none();
    let mut changes: Vec<Change> =
        state.iter().filter(must_go).map(|member| Change::Delete(member.key().to_owned())).collect();
    changes.push(Change::SetMany(members));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_an_older_list_go() {
        let state =
            State::from_object(r#"{"lastUpdated":"x","count":1,"tokens":[1],"artistInfo":{},"note":1}"#);
        let save = |state: &State, artist_info: Option<&str>| {
            let artist_info = artist_info.map(str::to_owned);
            let rule = SaveTokens { tokens: "[]".to_owned(), count: 0, artist_info };
            rule.apply(&View::of(state, 0), 0).expect("a list is saved").changes
        };
        let changes = save(&state, None);
        assert_eq!(
            changes[..2],
            [Change::Delete("\"artistInfo\"".into()), Change::Delete("\"note\"".into())]
        );
        let Change::SetMany(members) = &changes[2] else { panic!("one line sets the rest") };
        let text: Vec<&str> = members.iter().map(Member::text).collect();
        assert_eq!(text, ["\"lastUpdated\":\"1970-01-01T00:00:00.000Z\"", "\"count\":0", "\"tokens\":[]"]);
        assert_eq!(save(&State::default(), Some("{}")).len(), 1);
        let other_order = State::from_object(r#"{"tokens":[1],"count":1}"#);
        assert_eq!(save(&other_order, None).len(), 3);
    }
}
