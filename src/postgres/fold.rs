//! How a call becomes part of a batch.
//!
//! Invariant: pure functions of the call, the rows that are known, and the batch so far. A call that cannot be folded
//! leaves the batch as it was.

use hashbrown::{HashMap, HashSet};

use crate::data::entry_text::{EntryText, Spelling};
use crate::data::json::time_ms;
use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::error::Result;
use crate::postgres::batch::Batch;
use crate::postgres::wire::{Key, Row};
use crate::store::answer::Answer;
use crate::store::query::Query;
use crate::store::request::{Expected, Replace, Request, Work};
use crate::store::rule::{Reads, Rule, View};

/// What folding a call into a batch comes to.
pub enum Folded {
    /// It is in the batch.
    Answer(Result<Answer>),
    /// Its keys have these values, which it did not expect.
    Conflict(Vec<Option<String>>),
    /// It can only be said once the batch is committed.
    Later,
}

/// What is known of the keys that calls need.
#[derive(Default)]
pub struct Rows {
    rows: HashMap<Key, Row>,
    /// These are of one moment.
    at_once: HashSet<Key>,
}

impl Rows {
    /// What a key has, as far as is known.
    pub fn set(&mut self, key: Key, row: Row) {
        self.rows.insert(key, row);
    }

    /// These keys, of which the rows are known or come next, have what they have at one moment; no others do.
    pub fn are_of_one_moment(&mut self, keys: impl Iterator<Item = Key>) {
        self.at_once = keys.collect();
    }

    fn get(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    /// Whether the keys are known to have had all of this at one moment.
    fn is_one_view(&self, keys: &[Key]) -> bool {
        keys.len() < 2 || keys.iter().all(|key| self.at_once.contains(key))
    }
}

/// Whether what is remembered of a key will do for a call.
#[derive(Clone, Copy)]
pub enum Freshness<'a> {
    /// A guess will do: the batch depends on its version.
    Guess,
    /// A guess will do if it is this value.
    GuessOf(Option<&'a str>),
    /// The call is told what the key has now.
    Now,
}

impl Freshness<'_> {
    /// Whether what is remembered will do. What is over by now is no value: a call that expects it is told so, and for that
    /// must see one moment.
    pub fn is_enough(self, row: &Row, now_ms: i64) -> bool {
        match self {
            Self::Guess => true,
            Self::GuessOf(value) => {
                let living = row.member.as_ref().filter(|member| !member.is_over(now_ms));
                living.map(Member::value) == value
            }
            Self::Now => false,
        }
    }
}

/// Whether a call is about a whole log.
#[must_use]
pub fn reads_whole(work: &Work) -> bool {
    match work {
        Work::Write(rule) => rule.reads() == Reads::Whole,
        Work::Read(query) => !query.is_of_keys(),
        Work::Compact | Work::Maintain(_) | Work::Copy(_) => true,
        Work::Append(_) | Work::Replace(_) | Work::Transact(_) => false,
    }
}

fn for_each_read(rule: &dyn Rule, mut visit: impl FnMut(&str)) {
    match rule.reads() {
        Reads::Nothing | Reads::Whole => {}
        Reads::Key(key) => visit(key),
        Reads::Keys(keys) => keys.into_iter().for_each(visit),
    }
}

/// The keys that a call needs to know, and how well.
pub fn for_each_key(request: &Request, mut visit: impl FnMut(Key, Freshness)) {
    let Request { log, work, .. } = request;
    let of = |log: &LogName, key: &str| Key { log: log.clone(), key: key.to_owned() };
    match work {
        Work::Write(rule) => for_each_read(&**rule, |key| visit(of(log, key), Freshness::Guess)),
        Work::Replace(replace) => for_each_expected(replace, |key, how| visit(of(log, key), how)),
        Work::Transact(transaction) => {
            for (log, replace) in &transaction.parts {
                for_each_expected(replace, |key, freshness| visit(of(log, key), freshness));
            }
        }
        Work::Read(query) => query.keys().iter().for_each(|key| visit(of(log, key), Freshness::Now)),
        Work::Append(_) | Work::Compact | Work::Maintain(_) | Work::Copy(_) => {}
    }
}

fn for_each_expected(replace: &Replace, mut visit: impl FnMut(&str, Freshness)) {
    let Replace { keys, expected, changes: Some(_), .. } = replace else { return };
    match expected {
        Expected::Unknown => keys.iter().for_each(|key| visit(key, Freshness::Now)),
        Expected::Values(values) => {
            let guesses = keys.iter().zip(values);
            guesses.for_each(|(key, value)| visit(key, Freshness::GuessOf(value.as_deref())));
        }
    }
}

/// Whether a call must see what several keys have at one moment.
#[must_use]
pub fn needs_one_view(work: &Work) -> bool {
    match work {
        Work::Replace(replace) => replace.keys.len() > 1,
        Work::Transact(_) => true,
        Work::Read(query) => query.keys().len() > 1,
        // A rule's answer counts only once the batch is committed, with all that it read.
        Work::Write(_) | Work::Append(_) | Work::Compact | Work::Maintain(_) | Work::Copy(_) => false,
    }
}

fn keys_of(log: &LogName, keys: &[String]) -> Vec<Key> {
    keys.iter().map(|key| Key { log: log.clone(), key: key.clone() }).collect()
}

/// The parts of a call with a function: what it changes in each log. None of another call.
fn parts_of(request: &Request) -> Option<Vec<(&LogName, &Replace)>> {
    match &request.work {
        Work::Replace(replace) => Some(vec![(&request.log, replace)]),
        Work::Transact(transaction) => {
            Some(transaction.parts.iter().map(|(log, replace)| (log, replace)).collect())
        }
        _ => None,
    }
}

/// The keys of a call with a function.
#[must_use]
pub fn keys_of_function(request: &Request) -> Vec<Key> {
    let parts = parts_of(request).unwrap_or_default();
    parts.iter().flat_map(|(log, replace)| keys_of(log, &replace.keys)).collect()
}

/// What the keys of a call with a function have, as far as is known of one moment, where that is not what it expects.
#[must_use]
pub fn conflict(rows: &Rows, request: &Request, now_ms: i64) -> Option<Vec<Option<String>>> {
    let parts = parts_of(request)?;
    if keys_of_function(request).iter().any(|key| rows.get(key).is_none()) {
        return None;
    }
    match fold_replace(&mut Batch::default(), rows, &parts, (true, now_ms)) {
        Folded::Conflict(found) => Some(found),
        Folded::Answer(_) | Folded::Later => None,
    }
}

/// Changes of keys in one log or several.
fn fold_replace(
    batch: &mut Batch,
    rows: &Rows,
    parts: &[(&LogName, &Replace)],
    (is_first, now_ms): (bool, i64),
) -> Folded {
    if parts.iter().all(|(_, replace)| replace.changes.is_none()) {
        return Folded::Answer(Ok(Answer::Undefined));
    }
    let keys: Vec<Key> = parts.iter().flat_map(|(log, replace)| keys_of(log, &replace.keys)).collect();
    let (mut found, mut is_as_expected, mut changes) = (Vec::new(), true, Vec::new());
    for (log, replace) in parts {
        let member_of =
            |key: &str| member_of(batch, rows, &Key { log: (*log).clone(), key: key.to_owned() }, now_ms);
        is_as_expected &= replace.is_as_expected(member_of);
        found.extend(replace.found(member_of));
        changes.extend(replace.changes_from(member_of, now_ms).into_iter().map(|change| (*log, change)));
    }
    if !is_as_expected {
        // What earlier calls of the batch made of the keys is told once it is committed. A function may refuse what
        // it gets, so it gets nothing that the keys never had together.
        let is_told = is_first && rows.is_one_view(&keys);
        return if is_told { Folded::Conflict(found) } else { Folded::Later };
    }
    batch.read_all(&keys, rows);
    for (log, change) in changes {
        batch.change(log, change);
    }
    Folded::Answer(Ok(Answer::Undefined))
}

/// A read of several keys shows one moment: that of the statement that read them, or that of the commit.
fn fold_read(batch: &mut Batch, rows: &Rows, (log, query): (&LogName, &Query), now_ms: i64) -> Folded {
    let keys = keys_of(log, query.keys());
    if keys.len() > 1 {
        if !batch.is_empty() {
            batch.read_all(&keys, rows);
        } else if !rows.is_one_view(&keys) {
            return Folded::Later;
        }
    }
    let batch = &*batch;
    let of_log = |key: &str| Key { log: log.clone(), key: key.to_owned() };
    Folded::Answer(Ok(query.of_keys(|key| member_of(batch, rows, &of_log(key), now_ms))))
}

/// Folds a call into a batch. `is_first`: nothing is in it yet.
pub fn fold(batch: &mut Batch, rows: &Rows, request: &Request, (is_first, now_ms): (bool, i64)) -> Folded {
    let log = &request.log;
    // One that was held for the next try of an earlier call comes in the middle of a batch.
    let mut is_known = !reads_whole(&request.work);
    for_each_key(request, |key, _| {
        is_known &= rows.get(&key).is_some() || batch.value(&key).is_some();
    });
    if !is_known {
        return Folded::Later;
    }
    match &request.work {
        Work::Append(open) => {
            let at_ms = EntryText::new(open, Spelling::Ours).time().and_then(time_ms);
            batch.append(log, open, at_ms);
            Folded::Answer(Ok(Answer::Written(open.clone())))
        }
        Work::Write(rule) => Folded::Answer(fold_rule(batch, rows, (log, &**rule), now_ms)),
        Work::Replace(_) | Work::Transact(_) => {
            let parts = parts_of(request).unwrap_or_default();
            fold_replace(batch, rows, &parts, (is_first, now_ms))
        }
        Work::Read(query) => fold_read(batch, rows, (log, query), now_ms),
        Work::Compact | Work::Maintain(_) | Work::Copy(_) => Folded::Later,
    }
}

/// What a key has behind the calls so far.
fn member_of<'a>(batch: &'a Batch, rows: &'a Rows, key: &Key, now_ms: i64) -> Option<&'a Member> {
    let member = match batch.value(key) {
        Some(staged) => staged.as_ref(),
        None => rows.get(key).and_then(|row| row.member.as_ref()),
    };
    member.filter(|member| !member.is_over(now_ms))
}

impl Batch {
    /// A call reads these keys, as far as their rows are known.
    fn read_all(&mut self, keys: &[Key], rows: &Rows) {
        for key in keys {
            if let Some(row) = rows.get(key) {
                self.read(key, row);
            }
        }
    }
}

fn fold_rule(
    batch: &mut Batch,
    rows: &Rows,
    (log, rule): (&LogName, &dyn Rule),
    now_ms: i64,
) -> Result<Answer> {
    for_each_read(rule, |key| {
        let key = Key { log: log.clone(), key: key.to_owned() };
        if let Some(row) = rows.get(&key) {
            batch.read(&key, row);
        }
    });
    let outcome = rule.apply(&batch.view(log, now_ms), now_ms)?;
    for change in outcome.changes {
        batch.change(log, change);
    }
    Ok(outcome.answer)
}

/// Applies a rule that reads the whole log. What it changes must still be as it was read.
///
/// # Errors
/// What the rule refuses.
pub fn fold_whole(
    batch: &mut Batch,
    log: &LogName,
    rule: &dyn Rule,
    rows: &[Row],
    now_ms: i64,
) -> Result<Answer> {
    let mut state = State::default();
    rows.iter().filter_map(|row| row.member.clone()).for_each(|member| state.set(member));
    let outcome = rule.apply(&View::of(&state, now_ms), now_ms)?;
    for row in rows {
        if let Some(member) = &row.member {
            batch.read(&Key { log: log.clone(), key: member.key().to_owned() }, row);
        }
    }
    for change in outcome.changes {
        batch.change(log, change);
    }
    batch.forget_what_stays();
    Ok(outcome.answer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::change::Change;
    use crate::postgres::change_id::ChangeId;
    use crate::store::collection;
    use crate::store::ticket::{Outlet, Ticket};

    struct Nobody;

    impl Outlet for Nobody {
        fn deliver(&self, _: usize, _: Result<Answer>) {}

        fn flush(&self) {}
    }

    fn request(work: Work) -> Request {
        let log = LogName::new("coins").expect("a name");
        let ticket = Ticket::new(Arc::new(Nobody), 0);
        Request { log, is_collection: true, work, size_bytes: 0, ticket }
    }

    #[test]
    fn a_call_about_a_whole_log_is_no_part_of_a_batch() {
        let (mut batch, rows) = (Batch::default(), Rows::default());
        for work in [collection::clear(), Work::Read(Query::Size), Work::Compact] {
            assert!(matches!(fold(&mut batch, &rows, &request(work), (true, 0)), Folded::Later));
        }
        assert!(batch.is_empty());
    }

    #[test]
    fn a_call_about_a_key_that_nobody_has_read_waits() {
        let (mut batch, rows) = (Batch::default(), Rows::default());
        let delete = request(collection::delete("\"a\"".to_owned()));
        assert!(matches!(fold(&mut batch, &rows, &delete, (true, 0)), Folded::Later));
        let set = request(collection::set("\"a\"", "1"));
        assert!(matches!(fold(&mut batch, &rows, &set, (true, 0)), Folded::Answer(Ok(_))));
        assert!(matches!(
            fold(&mut batch, &rows, &delete, (true, 0)),
            Folded::Answer(Ok(Answer::Bool(true)))
        ));
    }

    fn key(literal: &str) -> Key {
        Key { log: LogName::new("coins").expect("a name"), key: literal.to_owned() }
    }

    fn row(literal: &str, value: &str) -> Row {
        Row { version: ChangeId::of_bytes([1; 16]), member: Some(Member::new(literal, value)) }
    }

    /// Two keys whose rows are known, but not of one moment.
    fn two_guesses() -> (Rows, Vec<String>) {
        let literals = ["\"a\"", "\"b\""];
        let mut rows = Rows::default();
        for literal in literals {
            rows.set(key(literal), row(literal, "1"));
        }
        (rows, literals.map(str::to_owned).to_vec())
    }

    fn replace(keys: Vec<String>, expected: [&str; 2]) -> Request {
        let expected = Expected::Values(expected.map(|value| Some(value.to_owned())).to_vec());
        let changes = Some(vec![Change::Delete(keys[0].clone())]);
        request(Work::Replace(Replace { keys, expected, changes, expiry: None, tries: 0 }))
    }

    #[test]
    fn a_read_of_several_keys_waits_until_they_are_read_at_one_moment() {
        let (mut rows, keys) = two_guesses();
        let read = request(Work::Read(Query::GetMany(keys)));
        let mut batch = Batch::default();
        assert!(matches!(fold(&mut batch, &rows, &read, (true, 0)), Folded::Later));
        rows.are_of_one_moment(["\"a\"", "\"b\""].map(key).into_iter());
        let Folded::Answer(Ok(Answer::Texts(texts))) = fold(&mut batch, &rows, &read, (true, 0)) else {
            panic!("it is answered")
        };
        assert_eq!(texts.joined(), r#"[["a",1],["b",1]]"#);
        assert!(batch.is_empty(), "a read alone is not committed");
    }

    #[test]
    fn a_read_of_several_keys_behind_a_write_is_of_the_moment_of_the_commit() {
        let (rows, keys) = two_guesses();
        let mut batch = Batch::default();
        fold(&mut batch, &rows, &request(collection::set("\"a\"", "2")), (true, 0));
        let read = request(Work::Read(Query::GetMany(keys)));
        let Folded::Answer(Ok(Answer::Texts(texts))) = fold(&mut batch, &rows, &read, (false, 0)) else {
            panic!("it is answered")
        };
        assert_eq!(texts.joined(), r#"[["a",2],["b",1]]"#);
        let commit = batch.commit(ChangeId::NONE);
        let expected: Vec<_> = commit.keys.iter().map(|effect| effect.expected).collect();
        assert_eq!(expected, [None, Some(ChangeId::of_bytes([1; 16]))], "b must still be what was read");
    }

    #[test]
    fn a_conflict_of_several_keys_shows_what_they_had_together() {
        let (mut rows, keys) = two_guesses();
        let mut batch = Batch::default();
        let wrong = replace(keys.clone(), ["1", "2"]);
        assert!(matches!(fold(&mut batch, &rows, &wrong, (true, 0)), Folded::Later));
        rows.are_of_one_moment(["\"a\"", "\"b\""].map(key).into_iter());
        assert!(matches!(fold(&mut batch, &rows, &wrong, (false, 0)), Folded::Later));
        assert!(matches!(
            fold(&mut batch, &rows, &wrong, (true, 0)),
            Folded::Conflict(found) if found == [Some("1".to_owned()), Some("1".to_owned())]
        ));
        let right = replace(keys, ["1", "1"]);
        assert!(batch.is_empty());
        assert!(matches!(fold(&mut batch, &rows, &right, (true, 0)), Folded::Answer(Ok(_))));
        assert!(batch.commit(ChangeId::NONE).keys.iter().all(|effect| effect.expected.is_some()));
    }
}
