//! What a value means to JavaScript: as a condition, as a key, as a number, as a time.

use std::borrow::Cow;

use super::scan::{Members, is_space, value_end};
use super::spelling::{canonical_key, quote_utf16, unquote_utf16};

/// Whether `if (value)` is true in JavaScript.
#[must_use]
pub fn is_truthy(value: &str) -> bool {
    match value {
        "null" | "false" | "undefined" | "\"\"" => false,
        _ => number(value) != Some(0.0),
    }
}

/// The key literal that JavaScript makes of a value in `object[value]`: `String(value)`. `None` where it throws: for an
/// object whose own `toString` is no function.
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
                // JSON has no functions, so an own `toString` hides that of all objects.
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
                    // `null` in an array is written as nothing.
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
    // Keys that `JSON.stringify` wrote are unique, so the first hit is the answer.
    Members::of(value).find(|(key, _)| canonical_key(key) == field).and_then(|(_, found)| number(found))
}

/// A point in time in milliseconds since 1970: a string as `toISOString` writes it, or a number of milliseconds.
#[must_use]
pub fn time_ms(value: &str) -> Option<i64> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => crate::data::time::parse_iso(text),
        None => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::quote;
    use super::*;

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
}
