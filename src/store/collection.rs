//! Keyed data of any kind: what `collection(name)` does, as requests to the engine.

use crate::data::json::quote;
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, object_of};
use crate::store::request::Scope;
use crate::store::request::{Answer, Line, Outcome, View, Work};

/// Sets a key literal to a value.
#[must_use]
pub fn set(key: &str, value: &str) -> Work {
    let member = Member::new(key, value);
    Work::Write(
        Scope::Keys,
        Box::new(move |_, _| {
            Ok(Outcome { lines: vec![Line::Set(member.clone())], answer: Answer::Undefined })
        }),
    )
}

/// Removes a key; tells whether it was there.
#[must_use]
pub fn delete(key: String) -> Work {
    Work::Write(
        Scope::Keys,
        Box::new(move |view, _| {
            let was_there = view.get(&key).is_some();
            let lines = if was_there { vec![Line::Delete(key.clone())] } else { Vec::new() };
            Ok(Outcome { lines, answer: Answer::Bool(was_there) })
        }),
    )
}

/// Removes all keys.
#[must_use]
pub fn clear() -> Work {
    Work::Write(
        Scope::Whole,
        Box::new(|view, _| {
            let lines = view.state().iter().map(|member| Line::Delete(member.key().to_owned())).collect();
            Ok(Outcome { lines, answer: Answer::Undefined })
        }),
    )
}

/// The value of a key, or undefined.
#[must_use]
pub fn get(view: &View, key: &str) -> Answer {
    view.get(key).map_or(Answer::Undefined, |value| Answer::Json(value.to_owned()))
}

/// The whole state as an object, put together beside the writer.
#[must_use]
pub fn whole() -> Work {
    Work::Whole(Box::new(|members| Answer::Texts(object_of(members.iter()))))
}

/// All keys, as a JSON array.
#[must_use]
pub fn keys<'a>(members: impl Iterator<Item = &'a Member>) -> Answer {
    let mut text = TextBuilder::new(TextKind::Array);
    members.for_each(|member| text.push(&[member.key()]));
    Answer::Texts(text.finish())
}

/// All keys with their values, as a JSON array of pairs.
#[must_use]
pub fn entries<'a>(members: impl Iterator<Item = &'a Member>) -> Answer {
    let mut text = TextBuilder::new(TextKind::Array);
    members.for_each(|member| text.push(&["[", member.key(), ",", member.value(), "]"]));
    Answer::Texts(text.finish())
}

/// The `limit` keys with the greatest numbers in a field literal, with their values.
#[must_use]
pub fn top(state: &State, field: &str, limit: usize) -> Answer {
    entries(state.top(field, limit, None).into_iter())
}

/// The place of a key by a field literal, or null.
#[must_use]
pub fn rank(state: &State, key: &str, field: &str) -> Answer {
    match state.rank(key, field, None) {
        Some((rank, of)) => Answer::Json(format!("{{{}:{rank},{}:{of}}}", quote("rank"), quote("of"))),
        None => Answer::Null,
    }
}
