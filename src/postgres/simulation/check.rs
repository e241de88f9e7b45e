//! What must be true of a history, whatever happened to messages, clients and servers.
//!
//! ```text
//! acknowledged   in the entries exactly once          a counter      goes up by one from entry to entry
//! unknown        at most once                         a call         whole, or not there
//! refused        not at all                           a thread       its calls in their order
//! a read         nothing older than what was acknowledged before it was asked
//! several keys   their values in an answer or a conflict are those of one moment
//! one that ends  goes up by one while it lives by the server's clock, and begins anew once it was over
//! ```
//!
//! Invariant: the checker looks at the server's entries and at the answers alone.

use std::collections::HashMap;

use crate::data::json::number_of_field;
use crate::data::state::Member;
use crate::postgres::simulation::client::{Call, Kind, Settled};
use crate::postgres::simulation::server::SimulatedServer;
use crate::postgres::wire::NewEntry;

/// How the keys of counters begin that end by themselves.
const ENDING: &str = "\"e";

/// Checks a history.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn check(server: &SimulatedServer, calls: &[Call]) -> Result<(), String> {
    let entries: Vec<(usize, &NewEntry)> = server
        .applied()
        .iter()
        .enumerate()
        .flat_map(|(batch, commit)| commit.entries.iter().map(move |entry| (batch, entry)))
        .collect();
    counters_go_up(&entries)?;
    ending_counters_begin_anew(server, &entries)?;
    calls_are_whole(&entries, calls)?;
    order_holds(&entries, calls)?;
    reads_are_fresh(&entries, calls)?;
    views_are_of_one_moment(&entries, calls)?;
    state_is_replay(server, &entries)
}

fn mark_of(entry: &NewEntry) -> Option<usize> {
    let mark = number_of_field(entry.value.as_deref()?, "\"by\"")?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of a call")]
    Some(mark as usize)
}

fn number_in(entry: &NewEntry) -> Option<f64> {
    number_of_field(entry.value.as_deref()?, "\"n\"")
}

fn counters_go_up(entries: &[(usize, &NewEntry)]) -> Result<(), String> {
    let mut numbers: HashMap<&str, f64> = HashMap::new();
    for (batch, entry) in entries {
        let (Some(key), Some(number)) = (entry.key.as_deref(), number_in(entry)) else { continue };
        if key.starts_with(ENDING) {
            continue;
        }
        let before = numbers.insert(key, number).unwrap_or(0.0);
        if (number - before - 1.0).abs() > f64::EPSILON {
            return Err(format!("counter {key} goes from {before} to {number} in batch {batch}"));
        }
    }
    Ok(())
}

/// Until when an entry removes what is over.
fn until_of(entry: &NewEntry) -> Option<i64> {
    entry.value.as_deref()?.strip_prefix("{\"op\":\"EXPIRE\",\"_until\":")?.strip_suffix('}')?.parse().ok()
}

fn ending_counters_begin_anew(
    server: &SimulatedServer,
    entries: &[(usize, &NewEntry)],
) -> Result<(), String> {
    let mut counters: HashMap<&str, (f64, i64)> = HashMap::new();
    for (batch, entry) in entries {
        if let Some(until_ms) = until_of(entry) {
            counters.retain(|_, (_, end_ms)| *end_ms > until_ms);
        }
        let (Some(key), Some(number)) = (entry.key.as_deref(), number_in(entry)) else { continue };
        if !key.starts_with(ENDING) {
            continue;
        }
        // An update of one that is over makes one that stays.
        let end_ms = entry.expires_ms.unwrap_or(i64::MAX);
        let before = counters.insert(key, (number, end_ms));
        let is_same = |one: f64, other: f64| (one - other).abs() < f64::EPSILON;
        let goes_on = before
            .is_some_and(|(last, end)| is_same(number, last + 1.0) && (end == end_ms || end == i64::MAX));
        // Who wrote it may have decided earlier that it was over, never that it will be.
        let may_begin = before.is_none_or(|(_, end)| end <= server.times_ms()[*batch]);
        if !(goes_on || may_begin && is_same(number, 1.0)) {
            return Err(format!(
                "counter {key} is {number} until {end_ms} in batch {batch}, behind {before:?}"
            ));
        }
    }
    Ok(())
}

fn calls_are_whole(entries: &[(usize, &NewEntry)], calls: &[Call]) -> Result<(), String> {
    let mut found: HashMap<usize, usize> = HashMap::new();
    entries
        .iter()
        .filter_map(|(_, entry)| mark_of(entry))
        .for_each(|mark| *found.entry(mark).or_default() += 1);
    for (mark, call) in calls.iter().enumerate() {
        let once = match &call.kind {
            Kind::Add(keys) | Kind::UpdateMany(keys) => keys.len(),
            Kind::AddEnding(_) | Kind::Update(_) | Kind::Set(_) | Kind::Note => 1,
            Kind::Remove(_) | Kind::Get(_) | Kind::GetMany(_) => continue,
        };
        let count = found.get(&mark).copied().unwrap_or(0);
        let is_right = match &call.answer {
            Some((_, Settled::Done(_) | Settled::Read(_))) => count == once,
            Some((_, Settled::NotDone)) => count == 0,
            Some((_, Settled::Unknown)) | None => count == 0 || count == once,
        };
        if !is_right {
            return Err(format!("call {mark} {call:?} has {count} entries"));
        }
    }
    Ok(())
}

fn order_holds(entries: &[(usize, &NewEntry)], calls: &[Call]) -> Result<(), String> {
    let mut last: HashMap<usize, usize> = HashMap::new();
    for (_, entry) in entries {
        let Some(mark) = mark_of(entry) else { continue };
        let before = last.entry(calls[mark].client).or_insert(mark);
        if *before > mark {
            return Err(format!("call {mark} takes effect behind call {before} of the same client"));
        }
        *before = mark;
    }
    Ok(())
}

fn reads_are_fresh(entries: &[(usize, &NewEntry)], calls: &[Call]) -> Result<(), String> {
    for (mark, call) in calls.iter().enumerate() {
        let (Kind::Get(key), Some((answered_at, Settled::Done(number)))) = (&call.kind, &call.answer) else {
            continue;
        };
        let highest = |batches: usize| {
            let of_key =
                entries.iter().filter(|(batch, entry)| *batch < batches && entry.key.as_deref() == Some(key));
            of_key.filter_map(|(_, entry)| number_in(entry)).fold(0.0, f64::max)
        };
        let number = number.unwrap_or(0.0);
        if number < highest(call.asked_at) || number > highest(*answered_at) {
            return Err(format!("call {mark} reads {number} of {key}, from {call:?}"));
        }
    }
    Ok(())
}

fn views_are_of_one_moment(entries: &[(usize, &NewEntry)], calls: &[Call]) -> Result<(), String> {
    for (mark, call) in calls.iter().enumerate() {
        let (Kind::GetMany(keys) | Kind::UpdateMany(keys)) = &call.kind else { continue };
        let read = match &call.answer {
            Some((answered_at, Settled::Read(numbers))) => Some((*answered_at, numbers)),
            _ => None,
        };
        let told = call.told.iter().map(|(told_at, numbers)| (*told_at, numbers));
        for (seen_at, numbers) in told.chain(read) {
            let seen: HashMap<&str, f64> = numbers.iter().map(|(key, n)| (key.as_str(), *n)).collect();
            if !was_so(entries, keys, &seen, (call.asked_at, seen_at)) {
                return Err(format!(
                    "call {mark} sees {numbers:?} of {keys:?}, which was never so: {call:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether the keys had these numbers between two calls, after so many batches, and before so many.
fn was_so(
    entries: &[(usize, &NewEntry)],
    keys: &[String],
    seen: &HashMap<&str, f64>,
    (after, before): (usize, usize),
) -> bool {
    let mut now: HashMap<&str, f64> = HashMap::new();
    for number in 0..=entries.len() {
        let next = entries.get(number);
        let last = number.checked_sub(1).map(|last| &entries[last]);
        let is_between = match (last, next) {
            (Some((_, last)), Some((_, next))) => mark_of(last).is_none() || mark_of(last) != mark_of(next),
            _ => true,
        };
        let is_after = next.is_none_or(|(batch, _)| *batch >= after);
        let is_before = last.is_none_or(|(batch, _)| *batch < before);
        if is_between && is_after && is_before && now == *seen {
            return true;
        }
        if let Some((_, entry)) = next
            && let (Some(key), Some(count)) = (entry.key.as_deref(), number_in(entry))
            && keys.iter().any(|known| known == key)
        {
            now.insert(key, count);
        }
    }
    false
}

fn state_is_replay(server: &SimulatedServer, entries: &[(usize, &NewEntry)]) -> Result<(), String> {
    let mut values: HashMap<&str, (Option<&str>, Option<i64>)> = HashMap::new();
    for (_, entry) in entries {
        if let Some(until_ms) = until_of(entry) {
            let over =
                values.values_mut().filter(|(_, end_ms)| end_ms.is_some_and(|end_ms| end_ms <= until_ms));
            over.for_each(|value| *value = (None, None));
        }
        if let Some(key) = entry.key.as_deref() {
            values.insert(key, (entry.value.as_deref(), entry.expires_ms));
        }
    }
    for (key, value) in values {
        let row = server.row(&crate::postgres::wire::Key { log: super::client::log(), key: key.to_owned() });
        let member = row.member.as_ref();
        let kept = (member.map(Member::value), member.and_then(Member::expires_ms));
        if kept != value {
            return Err(format!("{key} has {kept:?}, and its last entry says {value:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::change::Change;
    use crate::data::state::Member;
    use crate::postgres::batch::Batch;
    use crate::postgres::change_id::ChangeIds;
    use crate::postgres::simulation::client::log;
    use crate::postgres::simulation::server::Mutation;

    #[test]
    fn the_checker_finds_a_view_of_several_keys_that_never_was() {
        let keys = || vec!["\"a\"".to_owned(), "\"b\"".to_owned()];
        let mut server = SimulatedServer::new(Mutation::None);
        let mut ids = ChangeIds::default();
        let call = |kind, asked_at, answer| Call {
            client: 0,
            kind,
            asked_at,
            told: Vec::new(),
            answer: Some(answer),
        };
        let mut calls = Vec::new();
        // Both counters go up together, twice.
        for mark in 0..2 {
            let member = |key: &String| Member::new(key, &format!("{{\"n\":{},\"by\":{mark}}}", mark + 1));
            let mut batch = Batch::default();
            batch.change(&log(), Change::SetMany(keys().iter().map(member).collect()));
            server.commit(&batch.commit(ids.next(0))).expect("it is committed");
            calls.push(call(Kind::Add(keys()), mark, (mark + 1, Settled::Done(None))));
        }
        for (asked_at, a, b, was_so) in [
            (0, 0.0, 0.0, true),
            (0, 1.0, 1.0, true),
            (2, 2.0, 2.0, true),
            (0, 1.0, 2.0, false),
            (0, 2.0, 1.0, false),
            (1, 0.0, 0.0, false),
            (2, 1.0, 1.0, false),
        ] {
            let numbers = keys().into_iter().zip([a, b]).filter(|(_, number)| *number > 0.0).collect();
            let read = call(Kind::GetMany(keys()), asked_at, (2, Settled::Read(numbers)));
            let calls = [calls.clone(), vec![read]].concat();
            assert_eq!(check(&server, &calls).is_ok(), was_so, "{a} and {b}, asked at {asked_at}");
        }
    }
}
