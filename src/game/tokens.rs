//! The token list: one object, stored member by member.
//!
//! Invariant: after a save the stored object has exactly the members of the new one, in its order.

use crate::data::json::quote;
use crate::data::state::Member;
use crate::data::state::State;
use crate::data::time::iso;
use crate::store::request::Answer;
use crate::store::request::Line;
use crate::store::request::Outcome;

/// Replaces the token list. `tokens` and `artist_info` are JSON texts.
#[must_use]
pub fn save_tokens(
    state: &State,
    tokens: &str,
    count: usize,
    artist_info: Option<&str>,
    now_ms: i64,
) -> Outcome {
    let mut members = vec![
        Member::new("\"lastUpdated\"", &quote(&iso(now_ms))),
        Member::new("\"count\"", &count.to_string()),
        Member::new("\"tokens\"", tokens),
    ];
    members.extend(artist_info.map(|text| Member::new("\"artistInfo\"", text)));
    let place = |old: &Member| members.iter().position(|new| new.key() == old.key());
    let kept: Vec<usize> = state.iter().filter_map(place).collect();
    // What is set where it stands keeps its place, so the places must be right: 0, 1, 2 …
    let is_in_order = kept.iter().copied().eq(0..kept.len());
    let must_go = |old: &&Member| !is_in_order || place(old).is_none();
    let mut lines: Vec<Line> =
        state.iter().filter(must_go).map(|member| Line::Delete(member.key().to_owned())).collect();
    lines.push(Line::SetMany(members));
    Outcome { lines, answer: Answer::Undefined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_an_older_list_go() {
        let state =
            State::from_object(r#"{"lastUpdated":"x","count":1,"tokens":[1],"artistInfo":{},"note":1}"#);
        let outcome = save_tokens(&state, "[]", 0, None, 0);
        assert_eq!(
            outcome.lines[..2],
            [Line::Delete("\"artistInfo\"".into()), Line::Delete("\"note\"".into())]
        );
        let Line::SetMany(members) = &outcome.lines[2] else { panic!("one line sets the rest") };
        let text: Vec<&str> = members.iter().map(Member::text).collect();
        assert_eq!(text, ["\"lastUpdated\":\"1970-01-01T00:00:00.000Z\"", "\"count\":0", "\"tokens\":[]"]);
        assert_eq!(save_tokens(&State::default(), "[1]", 1, Some("{}"), 0).lines.len(), 1);
        let other_order = State::from_object(r#"{"tokens":[1],"count":1}"#);
        assert_eq!(save_tokens(&other_order, "[]", 0, None, 0).lines.len(), 3);
    }
}
