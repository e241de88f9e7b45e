//! What the files mean, written a second time from the contract alone: JSON that keeps its order, an
//! object in JavaScript's property order, the replay of a log. Slow, and shares no code with the `Folder`.
//!
//! Invariant: nothing here looks at `_crc`, `_edit` or `_more`, except to check the checksums and to
//! know where an operation ends. So what this replay makes of a log is what the old module makes of it.

use std::fmt::{self, Display, Write};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value whose objects keep the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value that `text` is; `None` when it is not JSON.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The layout of `JSON.stringify(value, null, 2)`.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.push_pretty(&mut out, 1);
        out
    }

    fn push_pretty(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        };
        match self {
            Self::List(items) if !items.is_empty() => {
                for (number, item) in items.iter().enumerate() {
                    out.push(if number == 0 { '[' } else { ',' });
                    line(out, depth);
                    item.push_pretty(out, depth + 1);
                }
                line(out, depth - 1);
                out.push(']');
            }
            Self::Object(members) if !members.is_empty() => {
                for (number, (key, value)) in members.iter().enumerate() {
                    out.push(if number == 0 { '{' } else { ',' });
                    line(out, depth);
                    let _ = write!(out, "{}: ", quoted(key));
                    value.push_pretty(out, depth + 1);
                }
                line(out, depth - 1);
                out.push('}');
            }
            other => {
                let _ = write!(out, "{other}");
            }
        }
    }
}

/// `text` as a JSON string literal.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string can be written")
}

/// The compact form.
impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if number == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (number, (key, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", if number == 0 { "" } else { "," }, quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Set(String, String),
    Delete(String),
}

/// A JavaScript object: keys, and values as compact text.
#[derive(Clone, Debug, Default)]
pub struct Ordered(Vec<(String, String)>);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Ordered {
    /// The object that `text` is; `None` when it is no object.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(Json::Object(members)) = Json::parse(text) else { return None };
        let mut object = Self::default();
        for (key, value) in members {
            object.set(&key, &value.to_string());
        }
        Some(object)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    pub fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((key.to_owned(), value.to_owned())),
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// Integer-like keys first, ascending, then the others in the order in which they came.
    pub fn in_order(&self) -> Vec<(&str, &str)> {
        let index = |key: &str| key.parse::<u32>().ok().filter(|n| *n < u32::MAX && n.to_string() == key);
        let mut members: Vec<_> = self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        members.sort_by_key(|(key, _)| index(key).map_or((1, 0), |number| (0, number)));
        members
    }

    /// Compact JSON.
    pub fn text(&self) -> String {
        let members: Vec<String> =
            self.in_order().iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
        format!("{{{}}}", members.join(","))
    }

    /// `JSON.stringify(this, null, 2)`.
    pub fn pretty(&self) -> String {
        Json::parse(&self.text()).expect("our own text").pretty()
    }

    /// What leads from this object to `other`: sets in its order, then deletes.
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        let sets = other.in_order().into_iter().filter(|(key, value)| self.get(key) != Some(value));
        let deletes = self.in_order().into_iter().filter(|(key, _)| other.get(key).is_none());
        sets.map(|(key, value)| Change::Set(key.to_owned(), value.to_owned()))
            .chain(deletes.map(|(key, _)| Change::Delete(key.to_owned())))
            .collect()
    }

    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Set(key, value) => self.set(key, value),
                Change::Delete(key) => self.remove(key),
            }
        }
    }

    /// In how many keys two objects differ.
    fn distance(&self, other: &Self) -> usize {
        self.changes_to(other).len()
    }
}

/// The states that a log passes through: the empty one, then one for each operation.
///
/// # Panics
/// On a line that the old module could not read, or whose checksum is wrong.
pub fn states(log: &[u8]) -> Vec<Ordered> {
    let mut states = vec![Ordered::default()];
    let mut state = Ordered::default();
    for_each_line(log, |line| {
        apply(line, &mut state);
        if line.member("_more").is_none() {
            states.push(state.clone());
        }
    });
    states
}

/// The object that a log comes to.
///
/// # Panics
/// As `states`.
pub fn replay(log: &[u8]) -> Ordered {
    let mut state = Ordered::default();
    for_each_line(log, |line| apply(line, &mut state));
    state
}

/// What an edited mirror was made from (contract Part 2 no. 6), where the last mirror is known: that, or the state of
/// the logs (oldest first) that is nearer, of which half of the content's keys come unchanged. Content that is exactly
/// an older state was put back as a whole.
pub fn base_of_edit(logs: &[Vec<u8>], last: &Ordered, content: &Ordered) -> Ordered {
    match nearest_candidate(logs, content) {
        Some(state) if (1..last.distance(content)).contains(&state.distance(content)) => state,
        _ => last.clone(),
    }
}

/// The same after a crash, where the last mirror may be one that a record tells of: content that is exactly an older
/// state is a stale mirror. Where nothing is near enough and nobody knows the last one, nothing is removed.
pub fn base_after_crash(logs: &[Vec<u8>], last: Option<&Ordered>, content: &Ordered) -> Ordered {
    let distance = |state: &Ordered| state.distance(content);
    let edited = logs.last().map(|log| states_with_edits(log)).unwrap_or_default().into_iter().rev();
    let edited = edited.filter(|state| is_near(state, content)).min_by_key(distance);
    let plain = nearest_candidate(logs, content);
    let fewest = [plain.as_ref(), last].into_iter().flatten().map(distance).min();
    if let Some(edited) = edited.filter(|state| fewest.is_none_or(|fewest| distance(state) < fewest)) {
        return edited;
    }
    match (plain, last) {
        (Some(state), Some(last)) if distance(&state) >= distance(last) => last.clone(),
        (Some(state), _) => state,
        (None, Some(last)) => last.clone(),
        (None, None) => {
            let all = logs.last().map(|log| states(log)).unwrap_or_default();
            let mut nearest =
                all.into_iter().rev().min_by_key(|state| state.distance(content)).unwrap_or_default();
            nearest.0.retain(|(key, _)| content.get(key).is_some());
            nearest
        }
    }
}

/// The states of a log, each with the edits of old mirrors that were logged behind it: a mirror that was edited when it
/// was old, and again later, was made from one of these.
fn states_with_edits(log: &[u8]) -> Vec<Ordered> {
    let is_of_old =
        |line: &Json| line.member("_edit").and_then(Json::text).is_some_and(|tag| tag.ends_with("-old"));
    let mut lines: Vec<(bool, Json)> = Vec::new();
    for_each_line(log, |line| lines.push((is_of_old(line), line.clone())));
    if !lines.iter().any(|(is_old, _)| *is_old) {
        return Vec::new();
    }
    (0..=lines.len())
        .filter(|at| *at == 0 || lines[at - 1].1.member("_more").is_none())
        .map(|at| {
            let mut state = Ordered::default();
            let later = lines[at..].iter().filter(|(is_old, _)| *is_old);
            lines[..at].iter().chain(later).for_each(|(_, line)| apply(line, &mut state));
            state
        })
        .collect()
}

/// At least half of the content's keys come unchanged.
fn is_near(state: &Ordered, content: &Ordered) -> bool {
    2 * content.0.iter().filter(|(key, value)| state.get(key) == Some(value)).count() >= content.0.len()
}

fn nearest_candidate(logs: &[Vec<u8>], content: &Ordered) -> Option<Ordered> {
    let candidates = logs.iter().flat_map(|log| states(log)).rev();
    candidates.filter(|state| is_near(state, content)).min_by_key(|state| state.distance(content))
}

fn for_each_line(log: &[u8], mut visit: impl FnMut(&Json)) {
    let text = std::str::from_utf8(log).expect("a log is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the log ends within a line: {text:?}");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let json =
            Json::parse(line).unwrap_or_else(|| panic!("the old module cannot read the line {line:?}"));
        check_sum(line);
        visit(&json);
    }
}

fn check_sum(line: &str) {
    if let Some((checked, stated)) = line.rsplit_once(",\"_crc\":\"") {
        assert_eq!(stated, format!("{:08x}\"}}", crc32fast::hash(checked.as_bytes())), "checksum of {line}");
    }
}

/// `applyEntry` of the old module, as JavaScript runs it.
pub fn apply(entry: &Json, state: &mut Ordered) {
    let key = entry.member("key");
    match entry.member("op").and_then(Json::text) {
        Some("SET") => match (key.filter(|key| key.is_truthy()), entry.member("value")) {
            (Some(key), Some(value)) => state.set(&key.to_js_string(), &value.to_string()),
            (Some(key), None) => state.remove(&key.to_js_string()),
            (None, _) => assign(state, entry.member("data")),
        },
        Some("DELETE") => state.remove(&key.map_or_else(|| "undefined".to_owned(), Json::to_js_string)),
        Some("CHECKPOINT") => assign(state, entry.member("state")),
        _ => {}
    }
}

/// `Object.assign(state, value)`.
fn assign(state: &mut Ordered, value: Option<&Json>) {
    match value {
        Some(Json::Object(members)) => {
            for (key, value) in members {
                state.set(key, &value.to_string());
            }
        }
        Some(Json::List(items)) => {
            for (number, item) in items.iter().enumerate() {
                state.set(&number.to_string(), &item.to_string());
            }
        }
        Some(Json::Text(text)) => {
            for (number, unit) in text.encode_utf16().enumerate() {
                let character = char::from_u32(u32::from(unit)).map(|one| quoted(&one.to_string()));
                let spelled = character.unwrap_or_else(|| format!("\"\\u{unit:04x}\""));
                state.set(&number.to_string(), &spelled);
            }
        }
        _ => {}
    }
}

impl Json {
    fn is_truthy(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => false,
            Self::Number(number) => number.as_f64() != Some(0.0),
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// `String(value)`.
    fn to_js_string(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => {
                ryu_js::Buffer::new().format(number.as_f64().unwrap_or(f64::NAN)).to_owned()
            }
            Self::List(items) => {
                let join =
                    |item: &Self| if *item == Self::Null { String::new() } else { item.to_js_string() };
                items.iter().map(join).collect::<Vec<_>>().join(",")
            }
            Self::Object(_) => "[object Object]".to_owned(),
            other => other.to_string(),
        }
    }
}
