//! What a state keeps of a key: the member itself, or where nothing but its key and the hash of its value are in memory.
//!
//! ```text
//! held     "a":{"x":1}             the text is in memory
//! lying    "a" │ 7 bytes │ hash     the text is in the log, at the slot's offset
//! ```
//!
//! Invariant: a value that is read back has the length and the hash of the one that was let go.

use std::fmt::Write as _;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::data::json;
use crate::data::member::Member;

/// What a state can keep of a key.
pub trait Kept: Clone + From<Member> {
    /// The key literal.
    fn key(&self) -> &str;
    /// Length of `"key":value`.
    fn text_bytes(&self) -> usize;
    /// When it is over, in milliseconds since 1970.
    fn expires_ms(&self) -> Option<i64>;
    /// The member, if its text is in memory.
    fn held(&self) -> Option<&Member>;
    /// The same without the text; `None` where it is not in memory, or has to stay there.
    fn let_go(&self) -> Option<Self>;
    /// Whether both are the same piece of memory.
    fn is_same(&self, other: &Self) -> bool;
    /// Whether key and value are those of the member. Of what is not in memory the hash is compared.
    fn shows_same(&self, member: &Member) -> bool;

    /// The same, with the time at which they are over.
    fn is_member(&self, member: &Member) -> bool {
        self.expires_ms() == member.expires_ms() && self.shows_same(member)
    }

    /// Whether it is over.
    fn is_over(&self, now_ms: i64) -> bool {
        self.expires_ms().is_some_and(|expires_ms| expires_ms <= now_ms)
    }

    /// The number by which JavaScript orders the key, if it is an array index.
    fn array_index(&self) -> Option<u32> {
        json::array_index(self.key())
    }
}

impl Kept for Member {
    fn key(&self) -> &str {
        Self::key(self)
    }

    fn text_bytes(&self) -> usize {
        self.text().len()
    }

    fn expires_ms(&self) -> Option<i64> {
        Self::expires_ms(self)
    }

    fn held(&self) -> Option<&Member> {
        Some(self)
    }

    fn let_go(&self) -> Option<Self> {
        None
    }

    fn is_same(&self, other: &Self) -> bool {
        Self::is_same(self, other)
    }

    fn shows_same(&self, member: &Member) -> bool {
        Self::shows_same(self, member)
    }

    fn array_index(&self) -> Option<u32> {
        Self::array_index(self)
    }
}

/// See the header of this file.
#[derive(Clone, Debug)]
pub enum Slot {
    /// The text is in memory.
    Held(Member),
    /// It is in the log.
    Lying(Lying),
}

/// A key whose value is in the log.
///
/// ```text
/// "a"1795446000000          the expiry behind the key, as in a member
/// ```
#[derive(Clone, Debug)]
pub struct Lying {
    text: Arc<str>,
    hash: u64,
    key_bytes: u32,
    value_bytes: u32,
}

impl Lying {
    /// `None` where the value is too long to be known by four bytes.
    #[must_use]
    pub fn new(key: &str, value_bytes: u64, hash: u64, expires_ms: Option<i64>) -> Option<Self> {
        let (key_bytes, value_bytes) = (u32::try_from(key.len()).ok()?, u32::try_from(value_bytes).ok()?);
        let text = match expires_ms {
            None => key.into(),
            Some(expires_ms) => {
                let mut text = key.to_owned();
                let _ = write!(text, "{expires_ms}");
                text.into()
            }
        };
        Some(Self { text, hash, key_bytes, value_bytes })
    }

    /// The key literal.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.text[..self.key_bytes as usize]
    }

    /// Length of the value.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes as usize
    }

    /// The member, if this is its value.
    #[must_use]
    pub fn with_value(&self, value: &[u8]) -> Option<Member> {
        if value.len() != self.value_bytes() || xxh3_64(value) != self.hash {
            return None;
        }
        Some(Member::expiring(self.key(), std::str::from_utf8(value).ok()?, self.expires_ms()))
    }

    fn expires_ms(&self) -> Option<i64> {
        self.text[self.key_bytes as usize..].parse().ok()
    }
}

impl Slot {
    /// Length and hash of the value.
    #[must_use]
    pub fn value_id(&self) -> (u64, u64) {
        match self {
            Self::Held(member) => (member.value().len() as u64, xxh3_64(member.value().as_bytes())),
            Self::Lying(lying) => (u64::from(lying.value_bytes), lying.hash),
        }
    }
}

impl From<Member> for Slot {
    fn from(member: Member) -> Self {
        Self::Held(member)
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held(one), Self::Held(other)) => one == other,
            _ => {
                self.key() == other.key()
                    && self.expires_ms() == other.expires_ms()
                    && self.value_id() == other.value_id()
            }
        }
    }
}

impl Kept for Slot {
    fn key(&self) -> &str {
        match self {
            Self::Held(member) => member.key(),
            Self::Lying(lying) => lying.key(),
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Held(member) => member.text().len(),
            Self::Lying(lying) => lying.key().len() + 1 + lying.value_bytes(),
        }
    }

    fn expires_ms(&self) -> Option<i64> {
        match self {
            Self::Held(member) => member.expires_ms(),
            Self::Lying(lying) => lying.expires_ms(),
        }
    }

    fn held(&self) -> Option<&Member> {
        match self {
            Self::Held(member) => Some(member),
            Self::Lying(_) => None,
        }
    }

    fn let_go(&self) -> Option<Self> {
        let Self::Held(member) = self else { return None };
        let value = member.value().as_bytes();
        Lying::new(member.key(), value.len() as u64, xxh3_64(value), member.expires_ms()).map(Self::Lying)
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held(one), Self::Held(other)) => one.is_same(other),
            (Self::Lying(one), Self::Lying(other)) => Arc::ptr_eq(&one.text, &other.text),
            _ => false,
        }
    }

    fn shows_same(&self, member: &Member) -> bool {
        match self {
            Self::Held(held) => held.shows_same(member),
            Self::Lying(lying) => {
                let value = member.value().as_bytes();
                lying.key() == member.key()
                    && lying.value_bytes() == value.len()
                    && lying.hash == xxh3_64(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_is_known_again_by_its_value_alone() {
        let member = Member::expiring("\"a\"", "{\"x\":1}", Some(1_795_446_000_000));
        let held = Slot::from(member.clone());
        let lying = held.let_go().expect("it was held");
        assert!(lying.let_go().is_none() && lying.held().is_none());
        assert_eq!(lying, held);
        assert_eq!((lying.key(), lying.text_bytes()), ("\"a\"", member.text().len()));
        assert_eq!(lying.expires_ms(), member.expires_ms());
        assert!(lying.is_member(&member) && lying.is_same(&lying.clone()));
        let Slot::Lying(lying) = lying else { panic!("it is held") };
        assert_eq!(lying.with_value(b"{\"x\":1}"), Some(member.clone()));
        assert_eq!((lying.with_value(b"{\"x\":2}"), lying.with_value(b"{\"x\":1")), (None, None));
        let lying = Slot::Lying(lying);
        let without = member.clone().with_expiry(None);
        assert!(lying.shows_same(&without) && !lying.is_member(&without));
        for other in [Member::new("\"a\"", "{\"x\":2}"), Member::new("\"b\"", "{\"x\":1}")] {
            assert!(!lying.shows_same(&other) && lying != Slot::from(other));
        }
    }

    #[test]
    fn a_slot_is_small() {
        assert!(size_of::<Slot>() <= 32, "{} bytes", size_of::<Slot>());
    }
}
