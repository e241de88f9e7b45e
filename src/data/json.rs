//! JSON as text: finding the members of an object, the length of a value, white space, keys.
//!
//! Values are never rebuilt here. A value's text is passed on as it is, so numbers and strings stay
//! as JavaScript wrote them. Everything but `is_object` expects text that is known to be valid JSON
//! (it came from `JSON.stringify`, carries our checksum, or passed `is_object`); on other text the
//! results are wrong but nothing panics.
//!
//! A *key* is everywhere the JSON string literal with its quotes, in the one spelling that
//! `JSON.stringify` gives it. So a key can hold a lone surrogate (which UTF-8 cannot), two spellings
//! of one key are equal, and a key goes into a line without being escaped again.

use std::borrow::Cow;
use std::fmt::Write;

/// True when `bytes` are one whole JSON object.
#[must_use]
pub fn is_object(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !is_space(**byte));
    first == Some(&b'{')
        && std::str::from_utf8(bytes)
            .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// Length of the object at the beginning of `bytes`, whatever is behind it.
#[must_use]
pub fn first_object(bytes: &[u8]) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    let is_object = bytes.first() == Some(&b'{') && values.next()?.is_ok();
    is_object.then(|| values.byte_offset())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Offset behind the string whose opening quote is at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Offset behind the value that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => string_end(bytes, start),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = start;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            bytes.len()
        }
        _ => {
            let rest = bytes.get(start..).unwrap_or_default();
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']') || is_space(*byte));
            start + length.unwrap_or(rest.len())
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// The members of an object, in the order of the text: key literal and value text.
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// Members of the object that `text` is.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let at = text.find('{').map_or(text.len(), |open| open + 1);
        Self { text, at }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut key_start = skip_space(bytes, self.at);
        if bytes.get(key_start) == Some(&b',') {
            key_start = skip_space(bytes, key_start + 1);
        }
        if bytes.get(key_start) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(bytes, key_start);
        let colon = skip_space(bytes, key_end);
        let value_start = skip_space(bytes, colon + 1);
        let end = value_end(bytes, value_start);
        self.at = end;
        Some((self.text.get(key_start..key_end)?, self.text.get(value_start..end)?))
    }
}

/// The elements of the array that `text` is; none when it is no array.
pub fn elements(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = if bytes.first() == Some(&b'[') { 1 } else { bytes.len() };
    std::iter::from_fn(move || {
        let mut start = skip_space(bytes, at);
        if bytes.get(start) == Some(&b',') {
            start = skip_space(bytes, start + 1);
        }
        if matches!(bytes.get(start), None | Some(b']')) {
            return None;
        }
        at = value_end(bytes, start);
        // In text that is no JSON there may be none: without this it would not end.
        text.get(start..at).filter(|element| !element.is_empty())
    })
}

/// The same JSON without white space between its parts.
#[must_use]
pub fn compact(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut result = String::new();
    let mut kept_from = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at = string_end(bytes, at);
        } else if is_space(*byte) {
            result.push_str(&text[kept_from..at]);
            at = skip_space(bytes, at);
            kept_from = at;
        } else {
            at += 1;
        }
    }
    if kept_from == 0 {
        return Cow::Borrowed(text);
    }
    result.push_str(&text[kept_from..]);
    Cow::Owned(result)
}

/// Appends `text` (compact) to `out` as `JSON.stringify(value, null, 2)` lays it out, `depth` levels in.
/// Stops early, with the rest missing, when `out` is over `size_bytes_max`.
pub fn push_pretty(out: &mut String, text: &str, mut depth: usize, size_bytes_max: usize) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut kept_from = 0;
    while let Some(byte) = bytes.get(at) {
        if out.len() > size_bytes_max {
            return;
        }
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => {
                if matches!(bytes.get(at + 1), Some(b'}' | b']')) {
                    at += 2;
                    continue;
                }
                depth += 1;
                out.push_str(&text[kept_from..=at]);
                push_new_line(out, depth);
                kept_from = at + 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                out.push_str(&text[kept_from..at]);
                push_new_line(out, depth);
                kept_from = at;
            }
            b',' => {
                out.push_str(&text[kept_from..=at]);
                push_new_line(out, depth);
                kept_from = at + 1;
            }
            b':' => {
                out.push_str(&text[kept_from..=at]);
                out.push(' ');
                kept_from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    out.push_str(&text[kept_from..]);
}

/// A line break and the indentation of `depth` levels.
pub fn push_new_line(out: &mut String, depth: usize) {
    const SPACES: &str = "                                                                ";
    out.push('\n');
    let mut missing = depth * 2;
    while missing > 0 {
        let part = missing.min(SPACES.len());
        out.push_str(&SPACES[..part]);
        missing -= part;
    }
}

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

/// A point in time in milliseconds since 1970: a string as `toISOString` writes it, or a number of milliseconds.
#[must_use]
pub fn time_ms(value: &str) -> Option<i64> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => crate::data::time::parse_iso(text),
        None => value.parse().ok(),
    }
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

/// A key for people: shortened when it is long, without characters that a terminal would act on.
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

/// Whether `if (value)` is true in JavaScript.
#[must_use]
pub fn is_truthy(value: &str) -> bool {
    match value {
        "null" | "false" | "undefined" | "\"\"" => false,
        _ => number(value) != Some(0.0),
    }
}

/// The key literal that JavaScript makes of a value in `object[value]`: `String(value)`. `None` where it throws, as for
/// an object whose own `toString` is no function.
#[must_use]
pub fn property_key(value: &str) -> Option<Cow<'_, str>> {
    if value.starts_with('"') {
        return Some(canonical_key(value));
    }
    let mut text = Vec::new();
    let bytes = value.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            // Arrays in arrays are joined by the same comma, and no bracket is written.
            b'[' | b']' => at += 1,
            b',' => {
                text.push(u16::from(*byte));
                at += 1;
            }
            b'{' => {
                let end = value_end(bytes, at);
                let object = value.get(at..end)?;
                // Nothing in JSON is a function, so any of its own hides that of all objects.
                if Members::of(object).any(|(name, _)| canonical_key(name) == "\"toString\"") {
                    return None;
                }
                text.extend("[object Object]".encode_utf16());
                at = end;
            }
            _ if is_space(*byte) => at += 1,
            b'"' => {
                let end = value_end(bytes, at);
                text.extend(unquote_utf16(value.get(at..end)?));
                at = end;
            }
            _ => {
                let end = value_end(bytes, at);
                let word = value.get(at..end)?;
                match number(word) {
                    Some(found) => text.extend(ryu_js::Buffer::new().format(found).encode_utf16()),
                    // In an array it is written as nothing.
                    None if word == "null" && value.starts_with('[') => {}
                    None => text.extend(word.encode_utf16()),
                }
                at = end.max(at + 1);
            }
        }
    }
    Some(Cow::Owned(quote_utf16(&text)))
}

/// The number of a key that JavaScript orders as an array index (0 to 2^32 - 2), else `None`.
#[must_use]
pub fn array_index(key: &str) -> Option<u32> {
    let digits = key.get(1..key.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 10 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    digits.parse::<u32>().ok().filter(|index| *index != u32::MAX)
}

/// Whether arrays and objects stand in each other more than `depth_max` deep.
#[must_use]
pub fn is_deeper_than(text: &str, depth_max: usize) -> bool {
    // Each level takes two bytes, so most texts need no look.
    if text.len() < 2 * depth_max {
        return false;
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}

/// The number that `value` is, if it is one.
#[must_use]
pub fn number(value: &str) -> Option<f64> {
    match value.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => value.parse().ok(),
        _ => None,
    }
}

/// The number of the field named by the literal `field` in the object `value`, if it has one.
#[must_use]
pub fn number_of_field(value: &str, field: &str) -> Option<f64> {
    if !value.starts_with('{') {
        return None;
    }
    // The last of several spellings of one key counts, as in JSON.parse; keys written by
    // JSON.stringify are unique, so the first hit is the answer.
    Members::of(value).find(|(key, _)| canonical_key(key) == field).and_then(|(_, found)| number(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_are_found() {
        let text = r#" { "a" : 1 , "b":{"c":[1,"}",{}]}, "d\"":"x\\" ,"e":null}"#;
        let found: Vec<_> = Members::of(text).collect();
        assert_eq!(
            found,
            [("\"a\"", "1"), ("\"b\"", r#"{"c":[1,"}",{}]}"#), ("\"d\\\"\"", "\"x\\\\\""), ("\"e\"", "null")]
        );
        assert_eq!(elements("[1, [2,3] ,\"a,b\",{}]").collect::<Vec<_>>(), ["1", "[2,3]", "\"a,b\"", "{}"]);
        assert_eq!(elements("[]").count(), 0);
        assert_eq!(elements("null").count(), 0);
        for no_json in ["[}", "[1,}", "[:}]", "[,,1]"] {
            assert!(elements(no_json).count() < 4, "{no_json} does not end");
        }
        assert_eq!(Members::of("{}").count(), 0);
    }

    #[test]
    fn white_space_goes_and_comes_back_as_javascript_lays_it_out() {
        let pretty = "{\n  \"a\": [\n    1,\n    {\n      \"b c\": \"x: ,y\"\n    }\n  ],\n  \"e\": {},\n  \"f\": []\n}";
        let short = r#"{"a":[1,{"b c":"x: ,y"}],"e":{},"f":[]}"#;
        assert_eq!(compact(pretty), short);
        assert!(matches!(compact(short), Cow::Borrowed(_)));
        let mut out = String::new();
        push_pretty(&mut out, short, 0, usize::MAX);
        assert_eq!(out, pretty);
    }

    #[test]
    fn keys_have_one_spelling() {
        assert_eq!(canonical_key(r#""\u0041\/""#), r#""A/""#);
        assert_eq!(canonical_key(r#""\ud83d\ude00""#), "\"😀\"");
        assert_eq!(canonical_key(r#""\uD800x""#), r#""\ud800x""#);
        assert_eq!(canonical_key(r#""a\n\u0001""#), r#""a\n\u0001""#);
        assert_eq!(quote_utf16(&[0x61, 0xd800, 0x22]), r#""a\ud800\"""#);
    }

    #[test]
    fn values_become_keys_as_in_javascript() {
        for (value, key) in [
            ("\"a\"", "a"),
            ("null", "null"),
            ("undefined", "undefined"),
            ("true", "true"),
            ("-0", "0"),
            ("1.0", "1"),
            ("1e21", "1e+21"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e-7", "1e-7"),
            ("1e400", "Infinity"),
            ("-1e400", "-Infinity"),
            ("[]", ""),
            ("[null]", ""),
            ("[[],[]]", ","),
            ("[1, [2, [\"x\", null]], {\"a\": [1, 2]}, false]", "1,2,x,,[object Object],false"),
            ("{}", "[object Object]"),
            ("{\"valueOf\":1}", "[object Object]"),
        ] {
            assert_eq!(property_key(value).as_deref(), Some(&*quote(key)), "{value}");
        }
        assert_eq!(property_key("{\"toString\":1}"), None);
        assert_eq!(property_key("[{\"a\":{\"toString\":1}}]").as_deref(), Some("\"[object Object]\""));
        assert_eq!(property_key("[\"\\ud83d\"]").as_deref(), Some("\"\\ud83d\""));
        for falsy in ["null", "false", "0", "-0.0", "1e-400", "\"\"", "undefined"] {
            assert!(!is_truthy(falsy), "{falsy}");
        }
        for truthy in ["true", "1", "1e-300", "1e400", "\" \"", "[]", "{}", "[0]"] {
            assert!(is_truthy(truthy), "{truthy}");
        }
    }

    #[test]
    fn depth_is_that_of_arrays_and_objects_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
        assert!(!is_deeper_than(&nested(50), 100));
        assert!(is_deeper_than(&nested(51), 100));
        assert!(!is_deeper_than(&format!(r#"["{}"]"#, r#"[{\""#.repeat(500)), 100));
        assert!(!is_deeper_than(&format!("[{}1]", "[[]],".repeat(500)), 3));
    }

    #[test]
    fn array_indices_are_those_of_javascript() {
        for (key, index) in [
            ("\"0\"", Some(0)),
            ("\"7\"", Some(7)),
            ("\"4294967294\"", Some(4_294_967_294)),
            ("\"4294967295\"", None),
            ("\"01\"", None),
            ("\"-1\"", None),
            ("\"1e3\"", None),
            ("\"\"", None),
            ("\"123456789012345678\"", None),
        ] {
            assert_eq!(array_index(key), index, "{key}");
        }
    }

    #[test]
    fn whole_objects_are_told_from_other_text() {
        for good in ["{}", " {\"a\":1}\n", r#"{"\ud800":1e400}"#] {
            assert!(is_object(good.as_bytes()), "{good}");
        }
        for bad in ["", "[]", "{", "{\"a\":1}}", "{\"a\":01}", "{\"a\":1,}", "null", "{\"a\":\u{1}}"] {
            assert!(!is_object(bad.as_bytes()), "{bad}");
        }
        assert!(!is_object(b"{\"a\":\"\xff\"}"));
    }
}
