//! One key and its value, which is what a state, a line and a row have in common.
//!
//! Invariant: a member never changes, and is one piece of memory however often it is cloned.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::data::json;

/// The most that a thread keeps of the buffer in which it joins texts.
const KEPT_TEXT_BYTES: usize = 64 << 10;
/// Length of the longest key literal that JavaScript orders by number, `"4294967294"`.
const ARRAY_INDEX_BYTES_MAX: u32 = 12;

/// One key and its value, as the JSON text `"key":value`, with the time at which it is over, if there is one. Cheap to
/// clone. Two are equal if key, value and time are.
///
/// ```text
/// "a":{"x":1}1795446000000
/// └key┘      └── expiry ──┘      digits behind the text: a member without an expiry pays nothing for it
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    text: Arc<str>,
    key_bytes: u32,
    expiry_bytes: u32,
}

impl Member {
    /// From a key literal in its one spelling and a compact value.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        Self::expiring(key, value, None)
    }

    /// The same; over from `expires_ms` on, in milliseconds since 1970.
    #[must_use]
    pub fn expiring(key: &str, value: &str, expires_ms: Option<i64>) -> Self {
        thread_local! {
            // A text is joined here, then copied once into memory of its size.
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            text.push_str(key);
            text.push(':');
            text.push_str(value);
            let text_bytes = text.len();
            if let Some(expires_ms) = expires_ms {
                let _ = write!(text, "{expires_ms}");
            }
            let member = Self {
                text: text.as_str().into(),
                // A key literal over 4 GiB cannot exist: V8's longest string is shorter.
                key_bytes: u32::try_from(key.len()).unwrap_or(u32::MAX),
                expiry_bytes: u32::try_from(text.len() - text_bytes).unwrap_or(0),
            };
            text.shrink_to(KEPT_TEXT_BYTES);
            member
        })
    }

    /// The key literal.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.text[..self.key_bytes as usize]
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.text()[self.key_bytes as usize + 1..]
    }

    /// `"key":value`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text[..self.text_bytes()]
    }

    /// Bytes of that.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len() - self.expiry_bytes as usize
    }

    /// When it is over, in milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        if self.expiry_bytes == 0 { None } else { self.text[self.text_bytes()..].parse().ok() }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now_ms: i64) -> bool {
        self.expires_ms().is_some_and(|expires_ms| expires_ms <= now_ms)
    }

    /// The same key and value with this expiry.
    #[must_use]
    pub fn with_expiry(self, expires_ms: Option<i64>) -> Self {
        if self.expires_ms() == expires_ms {
            return self;
        }
        Self::expiring(self.key(), self.value(), expires_ms)
    }

    /// Whether both are the same piece of memory.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }

    /// Whether both show the same to a reader of a mirror, which has no expiries.
    #[must_use]
    pub fn shows_same(&self, other: &Self) -> bool {
        self.text() == other.text()
    }

    /// The number by which JavaScript orders the key, if it is an array index.
    pub(super) fn array_index(&self) -> Option<u32> {
        // Most keys are longer, so a pass over the slots does not fetch their texts from memory.
        if self.key_bytes > ARRAY_INDEX_BYTES_MAX { None } else { json::array_index(self.key()) }
    }
}
