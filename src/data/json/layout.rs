//! White space between the parts of a JSON text: removed, and laid out as `JSON.stringify(value, null, 2)` does.

use std::borrow::Cow;

use super::scan::{is_space, skip_space, string_end};

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

/// Appends `text` (compact) to `out`, laid out, `depth` levels in. Stops early when `out` is over `size_bytes_max`: then
/// the rest is missing.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
