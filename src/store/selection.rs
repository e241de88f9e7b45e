//! Which members of a collection an iteration gives, and in which order.
//!
//! ```text
//! order of the collection:   a1 │ b1 │ a2 │ a3 │ b2 │ a4
//! prefix a, after a1, limit 2:          a2 ─ a3
//! the same in reverse, after a4:        a2 ─ a3       (a3 comes first)
//! ```
//!
//! Invariant: the limit counts what is given, not what is passed over; the key that it goes on behind need not have the
//! prefix, and must be there.

use crate::data::json::{key_for_people, quote_utf16};
use crate::data::state::{Kept, State};
use crate::error::{Error, Result};

/// See the header of this file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Only keys that begin so.
    pub prefix: Option<Prefix>,
    /// Only what comes behind this key literal.
    pub after: Option<String>,
    /// The last member comes first.
    pub is_reverse: bool,
    /// So many at most.
    pub limit: Option<usize>,
}

/// How a key begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefix {
    /// A key literal without its closing quote.
    text: String,
    /// The first half of a character, with which the prefix ends. Keys go on with its other half, or with none.
    half: Option<u16>,
}

impl Prefix {
    /// From the units of a JavaScript string.
    #[must_use]
    pub fn new(units: &[u16]) -> Self {
        let (whole, half) = match units {
            [whole @ .., last @ 0xd800..=0xdbff] => (whole, Some(*last)),
            whole => (whole, None),
        };
        let mut text = quote_utf16(whole);
        text.pop();
        Self { text, half }
    }

    /// What all literals of the keys begin with. Others may, too, where the prefix ends within a character.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether no others do.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.half.is_none()
    }

    /// Whether a key literal begins so.
    #[must_use]
    pub fn is_of(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&self.text) else { return false };
        let Some(half) = self.half else { return true };
        let mut first_units = [0; 2];
        let first = rest.chars().next().map(|first| &*first.encode_utf16(&mut first_units));
        matches!(first, Some([high, _]) if *high == half) || rest.starts_with(&format!("\\u{half:04x}"))
    }
}

impl Selection {
    /// Whether a key literal has the prefix.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| prefix.is_of(key))
    }

    /// The members that are chosen and not over at `now_ms`, in the order in which they are given.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` where the key to go on behind is not there.
    pub fn of_state<V: Kept>(&self, state: &State<V>, now_ms: i64) -> Result<Vec<V>> {
        let after = self.after.as_deref();
        if let Some(after) = after.filter(|after| state.get_live(after, now_ms).is_none()) {
            return Err(Error::no_key_after(key_for_people(after)));
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        let is_after = |member: &&V| Some(member.key()) == after;
        let chosen = |member: &&V| self.has(member.key());
        if self.is_reverse {
            // Behind it in reverse is what comes before it.
            let before = state.live(now_ms).take_while(|member| !is_after(member));
            let mut members: Vec<V> = before.filter(chosen).cloned().collect();
            members.reverse();
            members.truncate(limit);
            members.shrink_to_fit();
            return Ok(members);
        }
        let mut all = state.live(now_ms);
        if after.is_some() {
            all.find(is_after);
        }
        Ok(all.filter(chosen).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::state::Member;

    fn state() -> State {
        let mut state = State::default();
        for key in ["\"b1\"", "\"a2\"", "\"10\"", "\"a1\"", "\"9\"", "\"b2\""] {
            state.set(Member::new(key, "0"));
        }
        state
    }

    fn prefix(text: &str) -> Prefix {
        Prefix::new(&text.encode_utf16().collect::<Vec<_>>())
    }

    fn keys(selection: &Selection) -> Vec<String> {
        let members = selection.of_state(&state(), 0).expect("it is there");
        members.iter().map(|member| member.key().trim_matches('"').to_owned()).collect()
    }

    #[test]
    fn members_come_in_order_or_in_reverse_from_a_key_on() {
        let all = Selection::default();
        assert_eq!(keys(&all), ["9", "10", "b1", "a2", "a1", "b2"]);
        let reverse = Selection { is_reverse: true, ..all.clone() };
        assert_eq!(keys(&reverse), ["b2", "a1", "a2", "b1", "10", "9"]);
        let after = Selection { after: Some("\"b1\"".to_owned()), ..all.clone() };
        assert_eq!(keys(&after), ["a2", "a1", "b2"]);
        let both = Selection { is_reverse: true, ..after.clone() };
        assert_eq!(keys(&both), ["10", "9"]);
        // The key itself need not have the prefix, and the limit counts what is given.
        let some = Selection { prefix: Some(prefix("a")), limit: Some(1), ..after.clone() };
        assert_eq!(keys(&some), ["a2"]);
        let last = Selection { prefix: Some(prefix("a")), limit: Some(1), is_reverse: true, after: None };
        assert_eq!(keys(&last), ["a1"]);
        assert!(keys(&Selection { limit: Some(0), ..all }).is_empty());
    }

    #[test]
    fn a_key_to_go_on_behind_must_be_there() {
        for is_reverse in [false, true] {
            let selection =
                Selection { after: Some("\"a3\"".to_owned()), is_reverse, limit: Some(0), prefix: None };
            let error = selection.of_state(&state(), 0).expect_err("it is not there");
            assert!(error.message().contains("\"a3\""), "{}", error.message());
        }
    }

    #[test]
    fn a_prefix_is_compared_by_units() {
        let face = quote_utf16(&"😀!".encode_utf16().collect::<Vec<_>>());
        let high = Prefix::new(&[0xd83d]);
        assert!(high.is_of(&face) && high.is_of("\"\\ud83d\"") && high.is_of("\"\\ud83dx\""));
        assert!(
            !high.is_of("\"\\ud83c\"") && !high.is_of("\"x\"") && !high.is_of("\"𐀀\"") && !high.is_of("\"\"")
        );
        assert!(prefix("😀").is_of(&face) && !prefix("😁").is_of(&face));
        assert!(prefix("a\"").is_of("\"a\\\"b\"") && !prefix("a\"").is_of("\"a\""));
        assert!(prefix("").is_of("\"a\"") && prefix("a").is_of("\"a\""));
        // A backslash begins no escape of the next character.
        assert!(prefix("\\").is_of("\"\\\\n\"") && !prefix("\\").is_of("\"\\n\""));
    }
}
