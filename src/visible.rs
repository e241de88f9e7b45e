//! Messages as a terminal may show them. A message names files and keys that others chose, and a terminal would obey the
//! control characters in them.
//!
//! Invariant: the message of an event, a warning or an error has no control character, no line separator, and nothing
//! that changes the direction of the text. `bin/support/visible.mjs` has the same rule.

use std::borrow::Cow;
use std::fmt::Write as _;

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// The text with `\n`, `\t`, `\u001b` instead of such characters.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            unsafe_one if is_unsafe(unsafe_one) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(unsafe_one));
            }
            other => shown.push(other),
        }
    }
    Cow::Owned(shown)
}

/// The same for a text that the caller owns.
#[must_use]
pub fn made_visible(text: String) -> String {
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        assert!(matches!(visible("a key 'Bén 😀'"), Cow::Borrowed(_)));
        assert_eq!(
            visible("\u{1b}]0;x\u{7}\n\u{9b}2J\u{202e}\u{2028}\u{7f}"),
            "\\u001b]0;x\\u0007\\n\\u009b2J\\u202e\\u2028\\u007f"
        );
    }
}
