//! Entries that stand on one line with others, or behind garbage: where do they begin?
//!
//! ```text
//! \0\0\0\0\0\0{"timestamp":…,"_crc":"…"}\n          a power cut took the bytes before it
//! {"timestamp":…,"op":"SE{"timestamp":…}\n          a torn line, and the next one appended to it
//! └───── garbage ───────┘└── entry ────┘
//! ```
//!
//! An entry begins at the first `{"timestamp":` or `{"op":` behind which
//! 1. there is a line with a right checksum, or one JSON object up to the end of the line or to the next such place, and
//!    which
//! 2. does not stand where a value is expected: an object there is a part of what is damaged, not an entry.
//!
//! Where the garbage is the beginning of JSON, its own grammar says whether a value is expected; else the last byte does
//! that is no white space: `:`, `,` or `[`.
//!
//! Invariant: a value of a damaged entry is never taken for an entry. Where that is not certain, all of it is garbage.

use crate::data::json;
use crate::files::log::entry::{Entry, first_checked};

const STARTS: [&[u8]; 2] = [b"{\"timestamp\":", b"{\"op\":"];
/// Each try may read the rest of the line.
const TRIES_MAX: usize = 64;
/// Nobody nests data deeper.
const DEPTH_MAX: usize = 10_000;

/// Bytes before the first entry in a line that is not valid from its beginning.
pub fn garbage_before_entry(line: &[u8]) -> Option<usize> {
    let mut garbage = Nesting::default();
    let (mut tries, mut fed) = (0, 0);
    for at in memchr::memchr_iter(b'{', line).skip_while(|at| *at == 0) {
        if !STARTS.iter().any(|start| line[at..].starts_with(start)) {
            continue;
        }
        garbage.feed(&line[fed..at]);
        fed = at;
        if garbage.expects_value(&line[..at]) {
            continue;
        }
        let rest = &line[at..];
        if first_of_joined(rest).is_some() || Entry::decode(rest).is_ok_and(|entry| is_written_so(&entry)) {
            return Some(at);
        }
        // It begins a line all the same, which may be torn as well.
        garbage = Nesting::default();
        tries += 1;
        if tries == TRIES_MAX {
            break;
        }
    }
    None
}

/// Length of the valid entry at the beginning of a line that is not valid as a whole. What is behind it should have begun
/// a line of its own, or is a byte in the place of a line break.
pub fn first_of_joined(line: &[u8]) -> Option<usize> {
    first_checked(line).or_else(|| {
        let size_bytes = json::first_object(line)?;
        let is_joined = STARTS.iter().any(|start| line[size_bytes..].starts_with(start));
        let is_entry = || Entry::decode(&line[..size_bytes]).is_ok_and(|entry| is_written_so(&entry));
        (is_joined && is_entry()).then_some(size_bytes)
    })
}

/// Anything else that has an `op` first may be a value.
fn is_written_so(entry: &Entry) -> bool {
    entry.has_crc()
        || entry.time().is_some()
        || matches!(entry.op(), "\"SET\"" | "\"DELETE\"" | "\"CHECKPOINT\"")
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ExpectedToken {
    #[default]
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    Colon,
    CommaOrClose,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    Text,
    Escape,
    Word,
}

/// What JSON grammar expects behind some bytes.
#[derive(Default)]
struct Nesting {
    /// True for an object, false for an array.
    open: Vec<bool>,
    expected: ExpectedToken,
    within: Within,
    is_no_json: bool,
}

impl Nesting {
    /// Whether a value is expected behind `garbage`, all of which was fed.
    fn expects_value(&self, garbage: &[u8]) -> bool {
        if self.is_no_json {
            let last = garbage.trim_ascii_end().last();
            return matches!(last, Some(b':' | b',' | b'['));
        }
        self.within == Within::Nothing
            && matches!(self.expected, ExpectedToken::Value | ExpectedToken::ValueOrClose)
    }

    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_no_json {
                return;
            }
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        match self.within {
            Within::Escape => self.within = Within::Text,
            Within::Text => match byte {
                b'\\' => self.within = Within::Escape,
                b'"' => self.within = Within::Nothing,
                0..=31 => self.is_no_json = true,
                _ => {}
            },
            Within::Word if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-') => {}
            Within::Word | Within::Nothing => {
                self.within = Within::Nothing;
                self.step_between(byte);
            }
        }
    }

    fn step_between(&mut self, byte: u8) {
        let takes_value = matches!(self.expected, ExpectedToken::Value | ExpectedToken::ValueOrClose);
        match byte {
            b' ' | b'\t' | b'\r' => {}
            b'"' if matches!(self.expected, ExpectedToken::Key | ExpectedToken::KeyOrClose) => {
                (self.within, self.expected) = (Within::Text, ExpectedToken::Colon);
            }
            b'"' if takes_value => (self.within, self.expected) = (Within::Text, ExpectedToken::CommaOrClose),
            b'{' | b'[' if takes_value && self.open.len() < DEPTH_MAX => {
                self.open.push(byte == b'{');
                self.expected =
                    if byte == b'{' { ExpectedToken::KeyOrClose } else { ExpectedToken::ValueOrClose };
            }
            b':' if self.expected == ExpectedToken::Colon => self.expected = ExpectedToken::Value,
            b',' if self.expected == ExpectedToken::CommaOrClose && !self.open.is_empty() => {
                self.expected =
                    if self.open.last() == Some(&true) { ExpectedToken::Key } else { ExpectedToken::Value };
            }
            b'}' | b']' => {
                let is_empty =
                    matches!(self.expected, ExpectedToken::KeyOrClose | ExpectedToken::ValueOrClose);
                let is_end = is_empty || self.expected == ExpectedToken::CommaOrClose;
                self.is_no_json = !is_end || self.open.pop() != Some(byte == b'}');
                self.expected = ExpectedToken::CommaOrClose;
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' if takes_value => {
                (self.within, self.expected) = (Within::Word, ExpectedToken::CommaOrClose);
            }
            _ => self.is_no_json = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::state::Member;
    use crate::files::log::encoder::Encoder;

    const OLD: &str = "{\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"b\",\"value\":2}";

    fn found(garbage: &str, entry: &str) -> bool {
        let line = format!("{garbage}{entry}");
        match garbage_before_entry(line.as_bytes()) {
            Some(at) => {
                assert_eq!(at, garbage.len(), "{line}");
                true
            }
            None => false,
        }
    }

    fn ours() -> String {
        let mut out = Vec::new();
        Encoder::new(&mut out).set(0, &Member::new("\"b\"", "2"), 0);
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }

    #[test]
    fn entries_behind_garbage_are_found() {
        let checkpoint = "{\"op\":\"CHECKPOINT\",\"state\":{\"a\":1}}";
        for garbage in [
            "\0\0\0",
            "x",
            "{\"timestamp\":\"2026-",
            "{\"a\":1}",
            "{\"op\":\"SET\",\"data\":{\"a\":1,",
            "\u{fffd}]",
        ] {
            for entry in [
                OLD,
                &ours(),
                checkpoint,
                "{\"op\":\"DELETE\",\"key\":\"a\"}",
                "{\"timestamp\":1,\"op\":\"NOTE\"}",
            ] {
                assert!(found(garbage, entry), "{garbage}{entry}");
            }
        }
        // A line of ours may be followed by anything.
        assert_eq!(garbage_before_entry(format!("xx{}yy", ours()).as_bytes()), Some(2));
        let many = format!("xx{OLD}{OLD}{}{OLD}", ours());
        assert_eq!(garbage_before_entry(many.as_bytes()), Some(2));
        assert_eq!(first_of_joined(&many.as_bytes()[2..]), Some(OLD.len()));
        assert_eq!(first_of_joined(OLD.as_bytes()), None);
        assert_eq!(first_of_joined(format!("{OLD} {OLD}").as_bytes()), None, "nothing wrote that");
        assert!(!found("x", "{\"op\":\"NOTE\"}"), "that may be anything");
        assert!(!found("x", "{\"key\":\"a\",\"op\":\"SET\"}"), "no program writes it so");
    }

    #[test]
    fn a_torn_line_is_garbage_wherever_it_ends_but_where_a_value_is_expected() {
        for end in 1..OLD.len() {
            let expects_value =
                OLD[..end].ends_with(':') && !OLD[..end].ends_with("T00:") && !OLD[..end].ends_with("00:00:");
            for entry in [OLD, &ours()] {
                assert_eq!(found(&OLD[..end], entry), !expects_value, "{}", &OLD[..end]);
            }
            if !expects_value {
                // Two torn lines before it.
                let twice = format!("{}{}", &OLD[..end], &OLD[..end]);
                let line = format!("{twice}{OLD}");
                assert_eq!(garbage_before_entry(line.as_bytes()), Some(twice.len()), "{line}");
            }
        }
    }

    #[test]
    fn values_of_damaged_entries_are_no_entries() {
        for start in [
            "{\"op\":\"SET\",\"key\":\"a\",\"value\":",
            "{\"op\":\"CHECKPOINT\",\"state\":{\"x\":1,\"a\": ",
            "{\"op\":\"SET\",\"key\":\"a\",\"value\":[",
            "{\"op\":\"SET\",\"key\":\"a\",\"value\":[1,",
            "{\"op\":\"SET\",\"key\":\"a\",\"value\":[{\"x\":[]} , ",
            "?\"op\":\"SET\",\"key\":\"a\",\"value\":",
            "\0\"value\":[1,\t",
        ] {
            for value in [OLD, &ours()] {
                for end in ["", "}", "]}", "}}", "}\u{1}"] {
                    let line = format!("{start}{value}{end}");
                    assert_eq!(garbage_before_entry(line.as_bytes()), None, "{line}");
                }
            }
        }
    }
}
