//! Player records: what a game's result makes of them, leaderboards, replacing the whole set.
//!
//! Invariant: fields that a result does not change keep their text. Numbers that we compute are
//! written as JavaScript writes them.

use std::collections::HashMap;

use crate::data::change::Change;
use crate::data::json::Members;
use crate::data::json::array_index;
use crate::data::json::elements;
use crate::data::json::number;
use crate::data::json::quote;
use crate::data::state::Member;
use crate::data::state::State;
use crate::data::time::iso;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::query::{Listed, Query, Rank, Top};
use crate::store::rule::{Outcome, Reads, Rule, View};

const HISTORY_ENTRIES_MAX: usize = 50;
/// The fields of a record with their defaults; `userId` and `username` are filled in.
const DEFAULTS: [(&str, &str); 12] = [
    ("\"userId\"", ""),
    ("\"username\"", "null"),
    ("\"totalGames\"", "0"),
    ("\"totalWins\"", "0"),
    ("\"totalScore\"", "0"),
    ("\"averageScore\"", "0"),
    ("\"bestScore\"", "0"),
    ("\"totalCorrectAnswers\"", "0"),
    ("\"totalIncorrectAnswers\"", "0"),
    ("\"totalAnswers\"", "0"),
    ("\"accuracyRate\"", "0"),
    ("\"gamesHistory\"", "[]"),
];

/// One player's result of one game.
#[derive(Clone, Debug)]
pub struct GameResult {
    /// Key literal.
    pub user_id: String,
    /// JSON text: a string or `null`.
    pub username: String,
    /// Points of this game.
    pub score: f64,
    /// Won it.
    pub is_winner: bool,
    /// Right answers in this game.
    pub correct_answers: f64,
    /// Wrong answers in this game.
    pub incorrect_answers: f64,
}

/// A record being worked on: fields in JavaScript's order of `{ ...defaults, ...stored }`.
struct Record<'a> {
    fields: Vec<(&'a str, Text<'a>)>,
}

enum Text<'a> {
    Stored(&'a str),
    New(String),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Stored(text) => text,
            Self::New(text) => text,
        }
    }
}

impl<'a> Record<'a> {
    fn new(user_id: &'a str, stored: Option<&'a str>) -> Self {
        let mut fields: Vec<(&str, Text)> =
            DEFAULTS.iter().map(|(name, value)| (*name, Text::Stored(value))).collect();
        fields[0].1 = Text::Stored(user_id);
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (name, value) in stored.filter(|text| text.starts_with('{')).into_iter().flat_map(Members::of) {
            let default = DEFAULTS.iter().position(|(known, _)| *known == name);
            let place = default.unwrap_or_else(|| *places.entry(name).or_insert(fields.len()));
            match fields.get_mut(place) {
                Some((_, field)) => *field = Text::Stored(value),
                None => fields.push((name, Text::Stored(value))),
            }
        }
        if fields.len() > DEFAULTS.len() {
            // Stable: only array indices move, to the front.
            fields.sort_by_key(|(name, _)| array_index(name).map_or((1, 0), |index| (0, index)));
        }
        Self { fields }
    }

    fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| *known == name).map_or("null", |(_, text)| text.as_str())
    }

    /// A field's number; 0 where there is none.
    fn number(&self, name: &str) -> f64 {
        number(self.text(name)).unwrap_or(0.0)
    }

    fn set(&mut self, name: &str, text: String) {
        if let Some((_, field)) = self.fields.iter_mut().find(|(known, _)| *known == name) {
            *field = Text::New(text);
        }
    }

    fn set_number(&mut self, name: &str, value: f64) {
        self.set(name, number_text(value));
    }

    fn into_text(self) -> String {
        let mut text = String::with_capacity(
            self.fields.iter().map(|(name, value)| name.len() + value.as_str().len() + 2).sum::<usize>() + 2,
        );
        for (name, value) in &self.fields {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(name);
            text.push(':');
            text.push_str(value.as_str());
        }
        text.push('}');
        text
    }
}

/// As `JSON.stringify` writes it.
fn number_text(value: f64) -> String {
    if value.is_finite() { ryu_js::Buffer::new().format_finite(value).to_owned() } else { "null".to_owned() }
}

/// `Math.round`: halves go up, also below zero.
fn round(value: f64) -> f64 {
    let floor = value.floor();
    if value - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// The record of a player with every field, as `getPlayerStats` gives it.
#[must_use]
pub fn player_stats(user_id: &str, stored: Option<&str>) -> String {
    Record::new(user_id, stored).into_text()
}

/// The record after a game.
fn after_game(stored: Option<&str>, result: &GameResult, now_ms: i64) -> String {
    let mut record = Record::new(&result.user_id, stored);
    let games = record.number("\"totalGames\"") + 1.0;
    let score = record.number("\"totalScore\"") + result.score;
    let correct = record.number("\"totalCorrectAnswers\"") + result.correct_answers;
    let incorrect = record.number("\"totalIncorrectAnswers\"") + result.incorrect_answers;
    let answers = correct + incorrect;
    let wins = record.number("\"totalWins\"") + f64::from(u8::from(result.is_winner));
    let best = record.number("\"bestScore\"").max(result.score);
    let history = history_with(record.text("\"gamesHistory\""), result, now_ms);
    record.set("\"username\"", result.username.clone());
    record.set_number("\"totalGames\"", games);
    record.set_number("\"totalWins\"", wins);
    record.set_number("\"totalScore\"", score);
    record.set_number("\"averageScore\"", round(score / games));
    record.set_number("\"bestScore\"", best);
    record.set_number("\"totalCorrectAnswers\"", correct);
    record.set_number("\"totalIncorrectAnswers\"", incorrect);
    record.set_number("\"totalAnswers\"", answers);
    record.set_number("\"accuracyRate\"", if answers > 0.0 { round(100.0 * correct / answers) } else { 0.0 });
    record.set("\"gamesHistory\"", history);
    record.into_text()
}

/// The history with one more game, its newest 50.
fn history_with(history: &str, result: &GameResult, now_ms: i64) -> String {
    let games: Vec<&str> = elements(history).collect();
    let kept = &games[games.len().saturating_sub(HISTORY_ENTRIES_MAX - 1)..];
    let mut text = String::with_capacity(history.len() + 160);
    text.push('[');
    for game in kept {
        text.push_str(game);
        text.push(',');
    }
    text.push_str("{\"date\":");
    text.push_str(&quote(&iso(now_ms)));
    for (name, value) in [
        ("score", number_text(result.score)),
        ("isWinner", result.is_winner.to_string()),
        ("correctAnswers", number_text(result.correct_answers)),
        ("incorrectAnswers", number_text(result.incorrect_answers)),
    ] {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":");
        text.push_str(&value);
    }
    text.push_str("}]");
    text
}

/// Counts one result; answers with the new record.
impl Rule for GameResult {
    fn reads(&self) -> Reads<'_> {
        Reads::Key(&self.user_id)
    }

    fn apply(&self, view: &View, now_ms: i64) -> Result<Outcome> {
        let record = after_game(view.get(&self.user_id), self, now_ms);
        let change = Change::Set(view.changed(&self.user_id, &record));
        Ok(Outcome { changes: vec![change], answer: Answer::Json(record) })
    }
}

/// Counts a whole game's results in one line; answers with the new records, in the same order.
pub struct GameResults(pub Vec<GameResult>);

impl Rule for GameResults {
    fn reads(&self) -> Reads<'_> {
        Reads::Keys(self.0.iter().map(|result| result.user_id.as_str()).collect())
    }

    fn apply(&self, view: &View, now_ms: i64) -> Result<Outcome> {
        let mut order: Vec<&str> = Vec::new();
        let mut newest: HashMap<&str, String> = HashMap::new();
        let mut records = Vec::with_capacity(self.0.len());
        for result in &self.0 {
            let id = result.user_id.as_str();
            let known = newest.get(id).map(String::as_str);
            if known.is_none() {
                order.push(id);
            }
            let record = after_game(known.or_else(|| view.get(id)), result, now_ms);
            records.push(record.clone());
            newest.insert(id, record);
        }
        let members: Vec<Member> =
            order.iter().filter_map(|id| newest.get(id).map(|record| view.changed(id, record))).collect();
        let changes = if members.is_empty() { Vec::new() } else { vec![Change::SetMany(members)] };
        Ok(Outcome { changes, answer: Answer::Json(format!("[{}]", records.join(","))) })
    }
}

/// Replaces the whole set by this JSON object: only what differs is logged, so that the result also has the new order.
pub struct SavePlayers(pub String);

impl Rule for SavePlayers {
    fn reads(&self) -> Reads<'_> {
        Reads::Whole
    }

    fn apply(&self, view: &View, _: i64) -> Result<Outcome> {
        let changes = replacement(&view.state(), &State::from_object(&self.0));
        Ok(Outcome { changes, answer: Answer::Undefined })
    }
}

/// The changes that lead from one state to the other, order included.
fn replacement(state: &State, new: &State) -> Vec<Change> {
    let mut changes: Vec<Change> = state
        .iter()
        .filter(|old| new.get(old.key()).is_none())
        .map(|old| Change::Delete(old.key().to_owned()))
        .collect();
    // Keys keep their places only as far as both orders agree; behind that they are set anew.
    let is_ordered_by_number = |member: &&Member| array_index(member.key()).is_some();
    let mut kept = state.iter().filter(|old| !is_ordered_by_number(old) && new.get(old.key()).is_some());
    let mut is_in_place = true;
    let mut members = Vec::new();
    for member in new.iter() {
        let old = state.get(member.key());
        // What a player had of an expiry stays.
        let member = &member.clone().with_expiry(old.and_then(Member::expires_ms));
        if !is_ordered_by_number(&member) {
            is_in_place = is_in_place && kept.next().is_none_or(|next| next.key() == member.key());
            if !is_in_place && old.is_some() {
                changes.push(Change::Delete(member.key().to_owned()));
                members.push(member.clone());
                continue;
            }
        }
        if old != Some(member) {
            members.push(member.clone());
        }
    }
    if !members.is_empty() {
        changes.push(Change::SetMany(members));
    }
    changes
}

/// The best records by a field literal. A record without that number counts as 0.
#[must_use]
pub fn leaderboard(field: String, limit: usize) -> Query {
    Query::Top(Top { field, limit, absent: Some(0.0), listed: Listed::Values })
}

/// A player's place in the whole leaderboard; null for a player never seen.
#[must_use]
pub fn rank(user_id: String, field: String) -> Query {
    Query::Rank(Rank { key: user_id, field, absent: Some(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(score: f64) -> GameResult {
        GameResult {
            user_id: "\"u\"".into(),
            username: "\"Ann\"".into(),
            score,
            is_winner: true,
            correct_answers: 1.0,
            incorrect_answers: 2.0,
        }
    }

    #[test]
    fn a_player_never_seen_has_the_default_record() {
        assert_eq!(
            player_stats("\"u\"", None),
            r#"{"userId":"u","username":null,"totalGames":0,"totalWins":0,"totalScore":0,"averageScore":0,"bestScore":0,"totalCorrectAnswers":0,"totalIncorrectAnswers":0,"totalAnswers":0,"accuracyRate":0,"gamesHistory":[]}"#
        );
    }

    #[test]
    fn a_game_changes_what_the_contract_says_and_nothing_else() {
        let stored =
            r#"{"userId":"u","x":1.50,"totalGames":1,"totalScore":-4,"gamesHistory":[{"a":1}],"7":[]}"#;
        assert_eq!(
            after_game(Some(stored), &result(1.0), 0),
            r#"{"7":[],"userId":"u","username":"Ann","totalGames":2,"totalWins":1,"totalScore":-3,"averageScore":-1,"bestScore":1,"totalCorrectAnswers":1,"totalIncorrectAnswers":2,"totalAnswers":3,"accuracyRate":33,"gamesHistory":[{"a":1},{"date":"1970-01-01T00:00:00.000Z","score":1,"isWinner":true,"correctAnswers":1,"incorrectAnswers":2}],"x":1.50}"#
        );
    }

    #[test]
    fn history_keeps_its_newest_fifty() {
        let mut record = None;
        for game in 0..60 {
            record = Some(after_game(record.as_deref(), &result(f64::from(game)), 0));
        }
        let record = record.unwrap();
        let history = Members::of(&record).find(|(name, _)| *name == "\"gamesHistory\"").unwrap().1;
        let games: Vec<&str> = elements(history).collect();
        assert_eq!(games.len(), 50);
        assert!(games[0].contains("\"score\":10,") && games[49].contains("\"score\":59,"));
    }

    #[test]
    fn numbers_print_as_in_javascript() {
        for (value, text) in
            [(1.0, "1"), (0.5, "0.5"), (1e21, "1e+21"), (-0.0, "0"), (1e-7, "1e-7"), (f64::INFINITY, "null")]
        {
            assert_eq!(number_text(value), text);
        }
        for (value, rounded) in
            [(0.5, 1.0), (-0.5, 0.0), (-1.5, -1.0), (2.5, 3.0), (0.499_999_999_999_999_94, 0.0)]
        {
            assert!((round(value) - rounded).abs() < f64::EPSILON, "{value}");
        }
    }

    #[test]
    fn replacing_the_set_leads_to_the_new_content_in_the_new_order() {
        let texts = [
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"b":2,"a":1,"c":3}"#,
            r#"{"c":3,"a":1,"9":0,"b":5}"#,
            r#"{"x":1,"a":1}"#,
            r#"{"a":1,"b":2,"c":3,"d":4}"#,
            r#"{"5":1,"b":2}"#,
            "{}",
        ];
        for before in texts {
            for after in texts {
                let mut state = State::from_object(before);
                let new = State::from_object(after);
                for change in replacement(&state, &new) {
                    match change {
                        Change::Delete(key) => assert!(state.remove(&key), "{before} {after}"),
                        Change::SetMany(members) => members.into_iter().for_each(|member| state.set(member)),
                        Change::Set(member) => state.set(member),
                    }
                }
                assert!(state.iter().eq(new.iter()), "{before} → {after}");
            }
        }
        let state = State::from_object(r#"{"a":1,"b":2}"#);
        assert!(replacement(&state, &state).is_empty());
    }
}
