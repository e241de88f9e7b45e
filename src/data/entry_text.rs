//! What an entry means: which keys it changes, wherever entries are kept.
//!
//! ```text
//! {"timestamp":ISO,"op":"SET","key":K,"value":V}      one key
//! {"timestamp":ISO,"op":"SET","data":{…}}             several keys
//! {"timestamp":ISO,"op":"DELETE","key":K}             a key is removed
//! {"op":"CHECKPOINT","state":{…},"compactedAt":ISO}   a state is merged
//! {"timestamp":ISO,"op":"EXPIRE","_until":ms}         whatever is over by then is removed
//! ```
//!
//! What ends by itself has `"_expires":ms` behind its value, and behind several values `"_expires":{"key":ms,…}`. A SET
//! without it clears it. Readers that do not know these two properties ignore them.
//!
//! Any other `op`, or none, changes nothing.
//!
//! Invariant: `changes` is the one place that says what an entry means, and `apply` what that does to a state.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use crate::data::json;
use crate::data::state::{Member, State};

/// How a checkpoint begins that we wrote; with a checksum, nothing else begins so.
pub(crate) const CHECKPOINT_START: &str = "{\"op\":\"CHECKPOINT\",\"state\":";

/// Properties of an entry that are the package's own and that no caller sees.
pub const OWN_PROPERTIES: [&str; 5] = ["\"_crc\"", "\"_edit\"", "\"_memory\"", "\"_more\"", END_PROPERTY];
/// Stands in the line that ends an operation.
pub(crate) const END_PROPERTY: &str = "\"_end\"";

/// Behind what ends by itself: when.
pub(crate) const EXPIRES_START: &str = ",\"_expires\":";
/// In the line that removes what is over: until when.
pub(crate) const UNTIL_START: &str = ",\"_until\":";

/// What an entry does to one key, or to those that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange<'a> {
    /// Key literal, compact value, when it is over.
    Set(&'a str, &'a str, Option<i64>),
    /// Key literal.
    Delete(&'a str),
    /// All keys whose time is over by then are removed.
    Expire(i64),
}

impl KeyChange<'_> {
    /// Does it to a state.
    pub fn apply(self, state: &mut State) {
        match self {
            Self::Set(key, value, expires_ms) => state.set(Member::expiring(key, value, expires_ms)),
            Self::Delete(key) => {
                state.remove(key);
            }
            Self::Expire(until_ms) => state.expire(until_ms),
        }
    }

    /// What it makes of one key that has `before`: the member, `None` where it is removed. The outer `None`: it does not
    /// touch the key.
    #[must_use]
    pub fn of_key(self, key: &str, before: Option<&Member>) -> Option<Option<Member>> {
        match self {
            Self::Set(changed, value, expires_ms) if changed == key => {
                Some(Some(Member::expiring(key, value, expires_ms)))
            }
            Self::Delete(changed) if changed == key => Some(None),
            Self::Expire(until_ms) if before.is_some_and(|before| before.is_over(until_ms)) => Some(None),
            _ => None,
        }
    }
}

/// What stands behind several members that end by themselves: nothing where none does.
#[must_use]
pub(crate) fn expiries_text(members: &[Member]) -> String {
    let mut text = String::new();
    for (member, expires_ms) in members.iter().filter_map(|member| Some((member, member.expires_ms()?))) {
        text.push_str(if text.is_empty() { EXPIRES_START } else { "," });
        if text.ends_with(':') {
            text.push('{');
        }
        let _ = write!(text, "{}:{expires_ms}", member.key());
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// A value and its expiry, as a record of a history has them.
#[must_use]
pub(crate) fn shown_of(member: &Member) -> String {
    let expiry = member.expires_ms().map(|expires_ms| format!(",\"expiresAt\":{expires_ms}"));
    format!(",\"value\":{}{}", member.value(), expiry.unwrap_or_default())
}

/// When the keys of an entry are over.
enum Expiries<'a> {
    Nothing,
    One(i64),
    Several(HashMap<Cow<'a, str>, i64>),
}

impl<'a> Expiries<'a> {
    /// From the text of `_expires`.
    fn of(text: Option<&'a str>) -> Self {
        match text {
            None => Self::Nothing,
            Some(text) if text.starts_with('{') => {
                let time =
                    |(key, text): (&'a str, &str)| Some((json::canonical_key(key), text.parse().ok()?));
                Self::Several(json::Members::of(text).filter_map(time).collect())
            }
            Some(text) => text.parse().map_or(Self::Nothing, Self::One),
        }
    }

    fn of_one(&self) -> Option<i64> {
        if let Self::One(expires_ms) = self { Some(*expires_ms) } else { None }
    }

    fn of_key(&self, key: &str) -> Option<i64> {
        if let Self::Several(expiries) = self { expiries.get(key).copied() } else { None }
    }
}

/// Who wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// This package: the text is compact.
    Ours,
    /// Anybody: there may be white space, and properties in any order.
    Any,
}

/// An entry as text: a JSON object without its closing brace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryText<'a> {
    open: &'a str,
    spelling: Spelling,
}

impl<'a> EntryText<'a> {
    /// The entry of this text.
    #[must_use]
    pub fn new(open: &'a str, spelling: Spelling) -> Self {
        Self { open, spelling }
    }

    /// The text without its closing brace.
    #[must_use]
    pub fn open(&self) -> &'a str {
        self.open
    }

    /// Its properties.
    #[must_use]
    pub fn members(&self) -> json::Members<'a> {
        json::Members::of(self.open)
    }

    /// The text of `op`; `null` without one.
    #[must_use]
    pub fn op(&self) -> &'a str {
        self.last("\"op\"").unwrap_or("null")
    }

    /// The text of `timestamp`, or of a checkpoint's `compactedAt`.
    #[must_use]
    pub fn time(&self) -> Option<&'a str> {
        self.last("\"timestamp\"").or_else(|| self.last("\"compactedAt\""))
    }

    fn last(&self, name: &str) -> Option<&'a str> {
        self.members().filter(|(key, _)| json::canonical_key(key) == name).last().map(|(_, value)| value)
    }

    /// Calls `apply` for each key that the entry changes, in order, as JavaScript does it:
    ///
    /// ```text
    /// SET         if (!key) Object.assign(state, data); else if (value === undefined) delete state[key]; else state[key] = value
    /// DELETE      delete state[key]
    /// CHECKPOINT  Object.assign(state, state of the entry)
    /// EXPIRE      for (const key in state) if (expiry of key <= _until) delete state[key]
    /// ```
    ///
    /// except that `__proto__` is an ordinary key, and that a key which JavaScript refuses (an object whose own
    /// `toString` is no function) changes nothing.
    pub fn changes(&self, mut apply: impl FnMut(KeyChange)) {
        if self.spelling == Spelling::Ours
            && let Some(state) = self.open.strip_prefix(CHECKPOINT_START)
            && state.starts_with('{')
        {
            // The members are handed on as they are found: its end need not be looked for first. No string holds the
            // text between: its quotation marks would be escaped.
            let expiries = if state.ends_with('}') {
                state.rfind(EXPIRES_START).map(|at| &state[at + EXPIRES_START.len()..])
            } else {
                None
            };
            return self.assign(state, &Expiries::of(expiries), &mut apply);
        }
        let (mut op, mut key, mut value, mut data, mut state) = (None, None, None, None, None);
        let (mut expires, mut until) = (None, None);
        for (name, text) in self.members() {
            match &*json::canonical_key(name) {
                "\"op\"" => op = Some(text),
                "\"key\"" => key = Some(text),
                "\"value\"" => value = Some(text),
                "\"data\"" => data = Some(text),
                "\"state\"" => state = Some(text),
                "\"_expires\"" => expires = Some(text),
                "\"_until\"" => until = Some(text),
                _ => {}
            }
        }
        let expiries = Expiries::of(expires);
        match op.map(json::canonical_key).as_deref() {
            Some("\"SET\"") => match (key.filter(|key| json::is_truthy(key)), value) {
                (Some(key), Some(value)) => {
                    if let Some(key) = json::property_key(key) {
                        apply(KeyChange::Set(&key, &self.compact(value), expiries.of_one()));
                    }
                }
                (Some(key), None) => delete(key, &mut apply),
                (None, _) => self.assign(data.unwrap_or_default(), &expiries, &mut apply),
            },
            Some("\"DELETE\"") => delete(key.unwrap_or("undefined"), &mut apply),
            Some("\"CHECKPOINT\"") => self.assign(state.unwrap_or_default(), &expiries, &mut apply),
            Some("\"EXPIRE\"") => {
                if let Some(until_ms) = until.and_then(|text| text.parse().ok()) {
                    apply(KeyChange::Expire(until_ms));
                }
            }
            _ => {}
        }
    }

    /// `Object.assign(state, value)`: the members of an object, the items of an array, the characters of a string.
    fn assign(&self, value: &'a str, expiries: &Expiries, apply: &mut impl FnMut(KeyChange)) {
        let index = |number: usize| format!("\"{number}\"");
        match value.as_bytes().first() {
            Some(b'{') => {
                for (key, value) in json::Members::of(value) {
                    let key = json::canonical_key(key);
                    apply(KeyChange::Set(&key, &self.compact(value), expiries.of_key(&key)));
                }
            }
            Some(b'[') => {
                for (number, item) in json::elements(value).enumerate() {
                    apply(KeyChange::Set(&index(number), &self.compact(item), None));
                }
            }
            Some(b'"') => {
                for (number, unit) in json::unquote_utf16(value).into_iter().enumerate() {
                    apply(KeyChange::Set(&index(number), &json::quote_utf16(&[unit]), None));
                }
            }
            _ => {}
        }
    }

    /// Whether its `op` is CHECKPOINT.
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        self.open.starts_with(CHECKPOINT_START) || json::canonical_key(self.op()) == "\"CHECKPOINT\""
    }

    fn compact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if self.spelling == Spelling::Ours { Cow::Borrowed(value) } else { json::compact(value) }
    }
}

/// `delete state[key]`.
fn delete(key: &str, apply: &mut impl FnMut(KeyChange)) {
    if let Some(key) = json::property_key(key) {
        apply(KeyChange::Delete(&key));
    }
}
