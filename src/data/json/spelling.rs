//! JSON string literals in the one spelling that `JSON.stringify` gives them.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as a JSON string literal, spelled as `JSON.stringify` does.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        push_escaped(&mut out, character);
    }
    out.push('"');
    out
}

/// A JavaScript string (UTF-16, lone surrogates allowed) as a JSON string literal.
#[must_use]
pub fn quote_utf16(units: &[u16]) -> String {
    let mut out = String::with_capacity(units.len() + 2);
    out.push('"');
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => push_escaped(&mut out, character),
            Err(lone) => push_unicode_escape(&mut out, lone.unpaired_surrogate()),
        }
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        control if control < ' ' => push_unicode_escape(out, control as u16),
        other => out.push(other),
    }
}

fn push_unicode_escape(out: &mut String, unit: u16) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
}

/// The one spelling of a key literal.
#[must_use]
pub fn canonical_key(literal: &str) -> Cow<'_, str> {
    if literal.as_bytes().contains(&b'\\') {
        let spelled = quote_utf16(&unquote_utf16(literal));
        if spelled != literal {
            return Cow::Owned(spelled);
        }
    }
    Cow::Borrowed(literal)
}

/// The UTF-16 units of a string literal.
#[must_use]
pub fn unquote_utf16(literal: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(literal.len());
    let inner = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(literal);
    let mut characters = inner.chars();
    let mut pair = [0; 2];
    while let Some(character) = characters.next() {
        let plain = if character == '\\' {
            match characters.next() {
                Some('b') => '\u{8}',
                Some('t') => '\t',
                Some('n') => '\n',
                Some('f') => '\u{c}',
                Some('r') => '\r',
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                    continue;
                }
                Some(other) => other,
                None => break,
            }
        } else {
            character
        };
        units.extend_from_slice(plain.encode_utf16(&mut pair));
    }
    units
}

/// A key for people: shortened when it is long, without control characters.
#[must_use]
pub fn key_for_people(literal: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let printable = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let mut shown: String = literal.chars().take(CHARACTERS_MAX).map(printable).collect();
    if literal.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_spelling() {
        assert_eq!(canonical_key(r#""\u0041\/""#), r#""A/""#);
        assert_eq!(canonical_key(r#""\ud83d\ude00""#), "\"😀\"");
        assert_eq!(canonical_key(r#""\uD800x""#), r#""\ud800x""#);
        assert_eq!(canonical_key(r#""a\n\u0001""#), r#""a\n\u0001""#);
        assert_eq!(quote_utf16(&[0x61, 0xd800, 0x22]), r#""a\ud800\"""#);
    }
}
