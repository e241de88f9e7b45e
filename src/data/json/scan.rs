//! Where the parts of a JSON text begin and end.

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

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Offset behind the string whose opening quote is at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
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
pub(super) fn value_end(bytes: &[u8], start: usize) -> usize {
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

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
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
        // Text that is no JSON may have an empty one, and would never end.
        text.get(start..at).filter(|element| !element.is_empty())
    })
}

/// Whether arrays and objects stand in each other more than `depth_max` deep.
#[must_use]
pub fn is_deeper_than(text: &str, depth_max: usize) -> bool {
    // Each level takes two bytes, so most texts need no scan.
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
    fn depth_is_that_of_arrays_and_objects_outside_strings() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
        assert!(!is_deeper_than(&nested(50), 100));
        assert!(is_deeper_than(&nested(51), 100));
        assert!(!is_deeper_than(&format!(r#"["{}"]"#, r#"[{\""#.repeat(500)), 100));
        assert!(!is_deeper_than(&format!("[{}1]", "[[]],".repeat(500)), 3));
    }

    #[test]
    fn only_whole_objects_pass() {
        for good in ["{}", " {\"a\":1}\n", r#"{"\ud800":1e400}"#] {
            assert!(is_object(good.as_bytes()), "{good}");
        }
        for bad in ["", "[]", "{", "{\"a\":1}}", "{\"a\":01}", "{\"a\":1,}", "null", "{\"a\":\u{1}}"] {
            assert!(!is_object(bad.as_bytes()), "{bad}");
        }
        assert!(!is_object(b"{\"a\":\"\xff\"}"));
    }
}
