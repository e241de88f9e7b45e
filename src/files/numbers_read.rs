//! A leaderboard by a field whose numbers are not kept yet: all values are read once, beside the writer, which goes on meanwhile.
//!
//! ```text
//! snapshot    a=1 b=2 c=3 d=4        answers the query
//! meanwhile       b=9     d gone  e=5
//! kept        1   ?   3           ?  what has changed is read on the writer's thread
//! ```
//!
//! Invariant: the numbers that are kept are those of the state at that moment.

use crate::data::json::number_of_field;
use crate::data::name::LogName;
use crate::data::ranking::{best, counted, place_of};
use crate::data::slots::Places;
use crate::data::state::{Kept, Member, Slot, State};
use crate::error::Result;
use crate::files::shelf::Shelf;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::store::answer::Answer;
use crate::store::query::{Query, Rank, Top, of_rank};

/// So many values that have changed meanwhile are read on the writer's thread. Of more the numbers are not kept.
const CHANGED_MAX: usize = 1000;

/// See the header of this file.
pub struct NumbersRead {
    snapshot: SlotSnapshot,
    field: String,
    now_ms: i64,
}

/// Numbers that were read, for the state to keep.
pub struct ReadNumbers {
    /// Whose they are.
    pub log: LogName,
    field: String,
    slots: Vec<Slot>,
    numbers: Vec<f64>,
}

impl NumbersRead {
    /// Of all values of the log as they are now.
    pub fn new(shelf: &Shelf, field: &str, now_ms: i64) -> Self {
        Self { snapshot: shelf.snapshot(State::all_places), field: field.to_owned(), now_ms }
    }

    /// Reads them; gives the answer to the query, too.
    ///
    /// # Errors
    /// `LogValues::read`.
    pub fn run(&self, log: LogName, query: &Query) -> Result<(Answer, ReadNumbers)> {
        let number = |member: Result<Member>| member.map(|member| number_in(&member, &self.field));
        let numbers = self.snapshot.members().map(number).collect::<Result<Vec<f64>>>()?;
        let answer = self.answer(query, &numbers)?;
        let slots = self.snapshot.places().iter().map(|(slot, _)| slot.clone()).collect();
        Ok((answer, ReadNumbers { log, field: self.field.clone(), slots, numbers }))
    }

    fn answer(&self, query: &Query, numbers: &[f64]) -> Result<Answer> {
        let places = self.snapshot.places();
        let counted = |missing: Option<f64>| {
            let live = (0_u32..).zip(places).filter(|(_, (slot, _))| !slot.is_over(self.now_ms));
            live.filter_map(move |(at, _)| Some((at, counted(numbers[at as usize], missing)?)))
        };
        if let Query::Rank(Rank { key, absent, .. }) = query {
            let own = (0_u32..).zip(places).find(|(_, (slot, _))| slot.key() == key);
            return Ok(of_rank(own.and_then(|(own, _)| place_of(own, || counted(*absent)))));
        }
        let (absent, limit) = match query {
            Query::Top(Top { absent, limit, .. }) => (*absent, *limit),
            _ => (None, 0),
        };
        let chosen = best(counted(absent), limit).into_iter().map(|at| places[at as usize].clone());
        Ok(query.of_best(self.snapshot.read(&chosen.collect::<Places>())?.iter()))
    }

    /// Whether a value was not at its place.
    pub fn has_moved(&self) -> bool {
        self.snapshot.has_moved()
    }
}

impl ReadNumbers {
    /// Keeps them with the state, which only the caller changes, where not too much of it has changed meanwhile.
    ///
    /// # Errors
    /// The system's.
    pub fn keep_with(self, shelf: &Shelf) -> Result<()> {
        let read = self.slots.iter().zip(self.numbers);
        let (mut numbers, changed) = shelf.with_state(|state| state.numbers_of(read));
        if changed.at.len() > CHANGED_MAX {
            return Ok(());
        }
        for (at, member) in changed.at.into_iter().zip(shelf.read_values(&changed.places)?) {
            numbers[at] = number_in(&member, &self.field);
        }
        shelf.add_field(&self.field, numbers);
        Ok(())
    }
}

/// NaN where it has none.
fn number_in(member: &Member, field: &str) -> f64 {
    number_of_field(member.value(), field).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::json::quote;
    use crate::files::log::paths::LogPaths;
    use std::path::Path;

    const FIELD: &str = "\"n\"";

    fn set(state: &mut State<Slot>, key: u32, number: u32) {
        state.set(Member::new(&quote(&format!("k{key}")), &format!("{{\"n\":{number}}}")));
    }

    fn shelf_of(numbers: impl Iterator<Item = u32>) -> Shelf {
        let name = LogName::new("players").expect("a name");
        let shelf = Shelf::new(LogPaths::new(Path::new("data"), &name));
        shelf.change(None, |state| (0..).zip(numbers).for_each(|(key, number)| set(state, key, number)));
        shelf
    }

    fn top(limit: usize) -> Query {
        let listed = crate::store::query::Listed::Values;
        Query::Top(Top { field: FIELD.to_owned(), limit, absent: None, listed })
    }

    fn read(shelf: &Shelf, query: &Query) -> (Answer, ReadNumbers) {
        let name = shelf.paths.name.clone();
        NumbersRead::new(shelf, FIELD, 0).run(name, query).expect("all is in memory")
    }

    #[test]
    fn numbers_are_kept_as_they_are_by_then() {
        let shelf = shelf_of((0..100).map(|key| key * 7 % 100));
        let (answer, numbers) = read(&shelf, &top(2));
        assert_eq!(json_of(answer), "[{\"n\":99},{\"n\":98}]");
        shelf.change(None, |state| {
            for key in (0..100).step_by(3) {
                state.remove(&quote(&format!("k{key}")));
            }
            (1..100).step_by(9).for_each(|key| set(state, key, 500 + key));
            (99..102).for_each(|key| set(state, key, 1000 + key));
        });
        numbers.keep_with(&shelf).expect("all is in memory");
        shelf.with_state(|state| {
            assert!(state.has_field(FIELD));
            let kept: Vec<&str> = state.top(FIELD, 200, None, 0).into_iter().map(Kept::key).collect();
            let mut anew = State::<Slot>::default();
            state.iter().for_each(|slot| anew.set(slot.clone()));
            let read: Vec<&str> = anew.top(FIELD, 200, None, 0).into_iter().map(Kept::key).collect();
            assert_eq!(kept, read);
        });
    }

    #[test]
    fn the_answer_is_that_of_the_moment_in_which_it_was_asked() {
        let shelf = shelf_of(0..50);
        let name = shelf.paths.name.clone();
        let rank = |key: &str| {
            let (key, field) = (quote(key), FIELD.to_owned());
            Query::Rank(Rank { key, field, absent: Some(0.0) })
        };
        let asked = NumbersRead::new(&shelf, FIELD, 0);
        shelf.change(None, |state| set(state, 3, 1000));
        for (key, expected) in
            [("k3", "{\"rank\":47,\"of\":50}"), ("k49", "{\"rank\":1,\"of\":50}"), ("x", "null")]
        {
            let (answer, _) = asked.run(name.clone(), &rank(key)).expect("all is in memory");
            assert_eq!(json_of(answer), expected, "{key}");
        }
    }

    fn json_of(answer: Answer) -> String {
        match answer {
            Answer::Json(text) => text,
            Answer::Null => "null".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn where_too_much_has_changed_nothing_is_kept() {
        let shelf = shelf_of(0..2000);
        let (_, numbers) = read(&shelf, &top(1));
        shelf.change(None, |state| (0..=1000).for_each(|key| set(state, key, 5000)));
        numbers.keep_with(&shelf).expect("all is in memory");
        assert!(!shelf.with_state(|state| state.has_field(FIELD)));
    }
}
