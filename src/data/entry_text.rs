//! What an entry means: which keys it changes, wherever entries are kept.
//!
//! ```text
//! {"timestamp":ISO,"op":"SET","key":K,"value":V}      one key
//! {"timestamp":ISO,"op":"SET","data":{…}}             several keys
//! {"timestamp":ISO,"op":"DELETE","key":K}             a key is removed
//! {"op":"CHECKPOINT","state":{…},"compactedAt":ISO}   a state is merged
//! ```
//!
//! Any other `op`, or none, changes nothing.
//!
//! Invariant: `changes` is the one place that says what an entry means.

use std::borrow::Cow;

use crate::data::json;

/// How a checkpoint begins that we wrote; with a checksum, nothing else begins so.
pub(crate) const CHECKPOINT_START: &str = "{\"op\":\"CHECKPOINT\",\"state\":";

/// Properties of an entry that are the package's own and that no caller sees.
pub const OWN_PROPERTIES: [&str; 5] = ["\"_crc\"", "\"_edit\"", "\"_memory\"", "\"_more\"", END_PROPERTY];
/// Stands in the line that ends an operation.
pub(crate) const END_PROPERTY: &str = "\"_end\"";

/// What an entry does to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange<'a> {
    /// Key literal, compact value.
    Set(&'a str, &'a str),
    /// Key literal.
    Delete(&'a str),
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
    /// ```
    ///
    /// except that `__proto__` is an ordinary key, and that a key which JavaScript refuses (an object whose own
    /// `toString` is no function) changes nothing.
    pub fn changes(&self, mut apply: impl FnMut(KeyChange)) {
        if self.spelling == Spelling::Ours
            && let Some(state) = self.open.strip_prefix(CHECKPOINT_START)
            && state.starts_with('{')
        {
            // The members are handed on as they are found: its end need not be looked for first.
            return self.assign(state, &mut apply);
        }
        let (mut op, mut key, mut value, mut data, mut state) = (None, None, None, None, None);
        for (name, text) in self.members() {
            match &*json::canonical_key(name) {
                "\"op\"" => op = Some(text),
                "\"key\"" => key = Some(text),
                "\"value\"" => value = Some(text),
                "\"data\"" => data = Some(text),
                "\"state\"" => state = Some(text),
                _ => {}
            }
        }
        match op.map(json::canonical_key).as_deref() {
            Some("\"SET\"") => match (key.filter(|key| json::is_truthy(key)), value) {
                (Some(key), Some(value)) => {
                    if let Some(key) = json::property_key(key) {
                        apply(KeyChange::Set(&key, &self.compact(value)));
                    }
                }
                (Some(key), None) => delete(key, &mut apply),
                (None, _) => self.assign(data.unwrap_or_default(), &mut apply),
            },
            Some("\"DELETE\"") => delete(key.unwrap_or("undefined"), &mut apply),
            Some("\"CHECKPOINT\"") => self.assign(state.unwrap_or_default(), &mut apply),
            _ => {}
        }
    }

    /// `Object.assign(state, value)`: the members of an object, the items of an array, the characters of a string.
    fn assign(&self, value: &'a str, apply: &mut impl FnMut(KeyChange)) {
        let index = |number: usize| format!("\"{number}\"");
        match value.as_bytes().first() {
            Some(b'{') => {
                for (key, value) in json::Members::of(value) {
                    apply(KeyChange::Set(&json::canonical_key(key), &self.compact(value)));
                }
            }
            Some(b'[') => {
                for (number, item) in json::elements(value).enumerate() {
                    apply(KeyChange::Set(&index(number), &self.compact(item)));
                }
            }
            Some(b'"') => {
                for (number, unit) in json::unquote_utf16(value).into_iter().enumerate() {
                    apply(KeyChange::Set(&index(number), &json::quote_utf16(&[unit])));
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
