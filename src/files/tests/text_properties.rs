//! The text functions on arbitrary input: JSON of every shape, spelling and layout against `serde_json`,
//! log lines with arbitrary keys and values, line reading with arbitrary pieces.
//!
//! Invariant of the generators: the same value comes in one canonical spelling (that of `JSON.stringify`)
//! and in any number of others, so what a function makes of the one must be what it makes of the others.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::reference::{Json, Ordered, apply, quoted};
use super::support::property_config;
use crate::data::entry_text::{KeyChange, OWN_PROPERTIES};
use crate::data::json::{
    Members, array_index, canonical_key, compact, elements, is_object, key_for_people, number,
    number_of_field, push_pretty, quote, quote_utf16,
};
use crate::data::state::{Member, State};
use crate::error::{Error, Result};
use crate::files::log::encoder::Encoder;
use crate::files::log::entry::{EditTag, Entry, Tag};
use crate::files::log::lines::LineReader;
use crate::files::log::replay::replay;
use crate::vfs::{File, Stamp};

/// Strings with many of the characters that matter: quotes, escapes, brackets, white space.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => proptest::char::range('a', 'e'),
        2 => proptest::sample::select(vec!['"', '\\', '{', '}', '[', ']', ',', ':', ' ', '\n', '\t', '/', 'u']),
        1 => proptest::sample::select(vec!['\0', '\u{1f}', '\u{7f}', '\u{2028}', 'é', '€', '😀', '\u{feff}']),
        1 => any::<char>(),
    ];
    vec(character, 0..12).prop_map(String::from_iter)
}

fn json_number() -> impl Strategy<Value = serde_json::Number> {
    prop_oneof![
        any::<i64>().prop_map(Into::into),
        (-100_i64..100).prop_map(Into::into),
        // serde_json reads only such fractions exactly as they were written.
        any::<i32>().prop_filter_map("finite", |n| serde_json::Number::from_f64(f64::from(n) / 8.0)),
    ]
}

/// Any JSON value. Keys of an object may come twice.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        json_number().prop_map(Json::Number),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Json::List),
            vec((text(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}

fn members() -> impl Strategy<Value = Vec<(String, Json)>> {
    vec((text(), json()), 0..6)
}

fn push_escape(out: &mut String, unit: u16) {
    write!(out, "\\u{unit:04X}").expect("text can be written");
}

/// What a writer may choose: white space between the parts, and which characters to escape.
struct Spelling {
    choices: Vec<u8>,
    next: usize,
    has_space: bool,
}

impl Spelling {
    fn new(choices: &[u8], has_space: bool) -> Self {
        Self { choices: choices.to_vec(), next: 0, has_space }
    }

    fn choose(&mut self, of: u8) -> u8 {
        self.next += 1;
        match self.choices.len() {
            0 => 0,
            length => self.choices[self.next % length] % of,
        }
    }

    fn space(&mut self, out: &mut String) {
        let space = ["", "", "", " ", "\n", "\r\n\t", "  \t "][usize::from(self.choose(7))];
        if self.has_space {
            out.push_str(space);
        }
    }

    fn string(&mut self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            match self.choose(6) {
                0 => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        push_escape(out, *unit);
                    }
                }
                1 if character == '/' => out.push_str("\\/"),
                _ => {
                    let literal = quoted(&character.to_string());
                    out.push_str(&literal[1..literal.len() - 1]);
                }
            }
        }
        out.push('"');
    }

    fn object(&mut self, out: &mut String, members: &[(String, Json)]) {
        out.push('{');
        for (number, (key, value)) in members.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            self.space(out);
            self.string(out, key);
            self.space(out);
            out.push(':');
            self.value(out, value);
        }
        self.space(out);
        out.push('}');
    }

    fn value(&mut self, out: &mut String, value: &Json) {
        self.space(out);
        match value {
            Json::Text(text) => self.string(out, text),
            Json::List(items) => {
                out.push('[');
                for (number, item) in items.iter().enumerate() {
                    if number > 0 {
                        out.push(',');
                    }
                    self.value(out, item);
                }
                self.space(out);
                out.push(']');
            }
            Json::Object(members) => self.object(out, members),
            other => out.push_str(&other.to_string()),
        }
        self.space(out);
    }
}

/// `value` in some spelling, with or without white space.
fn spelled(value: &Json, choices: &[u8], has_space: bool) -> String {
    let mut out = String::new();
    Spelling::new(choices, has_space).value(&mut out, value);
    out
}

fn pretty(text: &str, depth: usize) -> String {
    let mut out = String::new();
    push_pretty(&mut out, text, depth, usize::MAX);
    out
}

/// A file that hands its bytes out in pieces of its own choice.
struct Pieces {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
    next: usize,
}

impl Pieces {
    fn new(bytes: &[u8], sizes: &[usize]) -> Self {
        Self { bytes: bytes.to_vec(), sizes: sizes.to_vec(), next: 0 }
    }
}

impl File for Pieces {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.next += 1;
        let size = self.sizes[self.next % self.sizes.len()].max(1);
        let start = usize::try_from(offset).expect("a small file").min(self.bytes.len());
        let rest = &self.bytes[start..];
        let read = size.min(buffer.len()).min(rest.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn append(&mut self, _bytes: &[u8]) -> Result<()> {
        Err(Error::internal("this file is only read"))
    }

    fn sync_data(&mut self) -> Result<()> {
        Err(Error::internal("this file is only read"))
    }

    fn stamp(&self) -> Result<Stamp> {
        Err(Error::internal("this file is nowhere"))
    }

    fn try_lock(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn unlock(&mut self) -> Result<()> {
        Ok(())
    }

    fn overwrite(&mut self, _bytes: &[u8]) -> Result<()> {
        Err(Error::internal("this file is only read"))
    }
}

/// The sizes of what is read at once.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1_usize..8, 8_usize..5000], 1..20)
}

/// All changes of an entry, in words.
fn changes(entry: &Entry) -> Vec<String> {
    let mut found = Vec::new();
    entry.changes(|change| {
        found.push(match change {
            KeyChange::Set(key, value, None) => format!("{key}={value}"),
            KeyChange::Set(key, value, Some(expires_ms)) => format!("{key}={value} until {expires_ms}"),
            KeyChange::Expire(until_ms) => format!("-until {until_ms}"),
            KeyChange::Delete(key) => format!("-{key}"),
        });
    });
    found
}

/// What may stand for `key`: most of all what JavaScript takes for another thing than it seems.
fn odd_key() -> impl Strategy<Value = Json> {
    let odd = [
        "null",
        "true",
        "false",
        "0",
        "-0.0",
        "7",
        "1.5",
        "\"\"",
        "\"7\"",
        "[]",
        "[null]",
        "[7]",
        "{}",
        "\"undefined\"",
    ];
    prop_oneof![
        2 => proptest::sample::select(odd.to_vec()).prop_map(|text| Json::parse(text).expect("JSON")),
        1 => json(),
    ]
}

/// A key literal of any JavaScript string, lone surrogates included.
fn key_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => text().prop_map(|text| quoted(&text)),
        1 => vec(prop_oneof![any::<u16>(), 0xd7ff_u16..0xe001, 0x20_u16..0x7f], 0..6)
            .prop_map(|units| quote_utf16(&units)),
    ]
}

proptest! {
    #![proptest_config(property_config(2000))]

    #[test]
    fn members_are_those_that_serde_finds(members in members(), choices in vec(any::<u8>(), 0..40)) {
        let mut spelling = Spelling::new(&choices, true);
        let mut text = String::new();
        spelling.space(&mut text);
        spelling.object(&mut text, &members);
        spelling.space(&mut text);
        let found: Vec<(String, Json)> = Members::of(&text)
            .map(|(key, value)| {
                let key: String = serde_json::from_str(key).expect("a string literal");
                (key, Json::parse(value).expect("a value"))
            })
            .collect();
        prop_assert_eq!(found, members);
    }

    #[test]
    fn elements_are_those_that_serde_finds(items in vec(json(), 0..6), choices in vec(any::<u8>(), 0..40)) {
        let text = spelled(&Json::List(items.clone()), &choices, true);
        let found: Vec<Json> =
            elements(text.trim_ascii()).map(|item| Json::parse(item).expect("a value")).collect();
        prop_assert_eq!(found, items);
    }

    #[test]
    fn compacting_removes_white_space_and_nothing_else(value in json(), choices in vec(any::<u8>(), 0..40)) {
        let short = spelled(&value, &choices, false);
        let (spaced, layout) = (spelled(&value, &choices, true), value.pretty());
        prop_assert_eq!(compact(&spaced), short.as_str());
        prop_assert!(matches!(compact(&short), std::borrow::Cow::Borrowed(_)));
        prop_assert_eq!(compact(&layout), value.to_string());
    }

    #[test]
    fn the_layout_is_that_of_json_stringify(value in json(), depth in 0_usize..4) {
        let short = value.to_string();
        prop_assert_eq!(pretty(&short, 0), value.pretty());
        // Deeper in, all lines but the first are indented further.
        let indented = value.pretty().replace('\n', &format!("\n{}", "  ".repeat(depth)));
        prop_assert_eq!(pretty(&short, depth), indented);
        // serde_json sorts keys and drops those that come twice, and lays out the rest in the same way.
        let sorted: serde_json::Value = serde_json::from_str(&short).expect("JSON");
        prop_assert_eq!(pretty(&sorted.to_string(), 0), serde_json::to_string_pretty(&sorted).expect("JSON"));
    }

    #[test]
    fn a_layout_that_stops_early_is_a_beginning_of_the_whole(value in json(), size_bytes_max in 0_usize..200) {
        let whole = value.pretty();
        let mut out = String::new();
        push_pretty(&mut out, &value.to_string(), 0, size_bytes_max);
        prop_assert!(whole.starts_with(&out));
        prop_assert!(out.len() > size_bytes_max || out == whole);
    }

    #[test]
    fn a_key_has_one_spelling(key in text(), choices in vec(any::<u8>(), 0..40)) {
        let mut literal = String::new();
        Spelling::new(&choices, true).string(&mut literal, &key);
        prop_assert_eq!(canonical_key(&literal), quoted(&key));
        prop_assert_eq!(quote(&key), quoted(&key));
        prop_assert_eq!(quote_utf16(&key.encode_utf16().collect::<Vec<_>>()), quoted(&key));
    }

    #[test]
    fn a_key_that_is_no_unicode_has_one_spelling_too(
        units in vec(prop_oneof![any::<u16>(), 0xd7ff_u16..0xe001, 0x20_u16..0x7f], 0..8)
    ) {
        let mut escaped = String::from("\"");
        for unit in &units {
            push_escape(&mut escaped, *unit);
        }
        escaped.push('"');
        let literal = quote_utf16(&units);
        prop_assert_eq!(canonical_key(&escaped), literal.as_str());
        prop_assert_eq!(canonical_key(&literal), literal.as_str());
        let object = format!("{{{literal}:0}}");
        prop_assert!(is_object(object.as_bytes()));
    }

    #[test]
    fn array_indices_are_canonical_numbers(key in "[0-9]{1,11}|0[0-9]{0,3}|[+-]?[0-9]{1,3}|429496729[0-9]|.{0,3}") {
        let expected = key.parse::<u32>().ok().filter(|n| *n != u32::MAX && n.to_string() == key);
        prop_assert_eq!(array_index(&quoted(&key)), expected);
    }

    #[test]
    fn objects_are_told_from_all_else(value in json(), choices in vec(any::<u8>(), 0..40)) {
        let text = spelled(&value, &choices, true);
        prop_assert_eq!(is_object(text.as_bytes()), matches!(value, Json::Object(_)));
    }

    #[test]
    fn objects_with_a_changed_byte_are_judged_as_serde_does(
        members in members(), at in any::<prop::sample::Index>(), byte in any::<u8>(), is_cut in any::<bool>()
    ) {
        let mut bytes = Json::Object(members).pretty().into_bytes();
        let at = at.index(bytes.len());
        if is_cut { bytes.truncate(at) } else { bytes[at] = byte }
        let is_parsed = std::str::from_utf8(&bytes).ok().and_then(Json::parse);
        if is_object(&bytes) {
            // Beyond what the reference can hold there are lone surrogates and numbers over 1e308.
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(is_parsed.is_some() || text.contains("\\u") || text.contains('e'), "{text}");
        } else {
            prop_assert!(!matches!(is_parsed, Some(Json::Object(_))));
        }
    }

    #[test]
    fn numbers_are_read_as_serde_reads_them(value in json()) {
        let expected = if let Json::Number(number) = &value { number.as_f64() } else { None };
        prop_assert_eq!(number(&value.to_string()), expected);
    }

    #[test]
    fn numbers_of_fields_are_found(mut members in members(), field in text(), value in json()) {
        members.retain(|(key, _)| *key != field);
        let expected = if let Json::Number(number) = &value { number.as_f64() } else { None };
        let object = Json::Object(members.clone()).to_string();
        prop_assert_eq!(number_of_field(&object, &quoted(&field)), None);
        members.insert(members.len() / 2, (field.clone(), value.clone()));
        let object = Json::Object(members).to_string();
        prop_assert_eq!(number_of_field(&object, &quoted(&field)), expected);
        prop_assert_eq!(number_of_field(&Json::List(vec![value]).to_string(), &quoted(&field)), None);
    }

    #[test]
    fn nothing_panics_on_text_that_is_no_json(
        text in prop_oneof![text(), any::<String>(), "[\\[\\]{}\":,\\\\ u0-9a-f]{0,20}"]
    ) {
        Members::of(&text).for_each(drop);
        let most = text.len() + 1;
        prop_assert!(elements(&text).take(most).count() < most, "elements without end");
        let short = compact(&text);
        prop_assert!(short.len() <= text.len());
        pretty(&text, 0);
        drop(canonical_key(&text));
        let _ = array_index(&text);
        let _ = number(&text);
        let _ = number_of_field(&text, "\"a\"");
        prop_assert!(key_for_people(&text).chars().count() <= 81);
        drop(Entry::decode(text.as_bytes()).map(|entry| (entry.text(), changes(&entry))));
    }

    #[test]
    fn entries_come_back_as_they_were_written(
        key in key_literal().prop_filter("not empty", |key| key.len() > 2),
        value in json(),
        others in vec((key_literal(), json()), 0..4),
        now_ms in 0_i64..4_000_000_000_000,
        edit in proptest::option::of((any::<u64>(), any::<bool>())),
        more in prop_oneof![Just(0_u64), 1_u64..1000, Just(u64::MAX)],
        kind in 0..5,
    ) {
        let value = value.to_string();
        let others: Vec<(String, String)> = others.into_iter().map(|(k, v)| (k, v.to_string())).collect();
        let members: Vec<String> = others.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        let all_set: Vec<String> = others.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out);
        let edit = edit.map(|(mirror_hash, is_of_old)| EditTag { mirror_hash, is_of_old });
        encoder.tag = edit.map_or(Tag::Call, Tag::Edit);
        let members: Vec<Member> = members.iter().flat_map(|text| State::from_object(&format!("{{{text}}}")).snapshot()).collect();
        let expected = match kind {
            0 => {
                encoder.set(now_ms, &Member::new(&key, &value), more);
                vec![format!("{key}={value}")]
            }
            1 => {
                encoder.set_many(now_ms, &members, more);
                all_set
            }
            2 => {
                encoder.delete(now_ms, &key, more);
                vec![format!("-{key}")]
            }
            3 => {
                encoder.checkpoint(now_ms, &members, more);
                all_set
            }
            _ => {
                encoder.raw(&format!("{{\"op\":\"SET\",\"value\":{value},\"key\":{key}"), more);
                vec![format!("{key}={value}")]
            }
        };
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        prop_assert_eq!(out.pop(), Some(b'\n'));
        prop_assert!(is_object(&out), "a line is JSON for every reader");
        let entry = Entry::decode(&out).expect("a valid line");
        prop_assert_eq!((entry.edit, entry.more), (edit, more));
        prop_assert_eq!(changes(&entry), expected);
        // What callers see is the line without our properties, which are the last ones.
        let line = String::from_utf8(out.clone()).expect("UTF-8");
        let own = Members::of(&line).filter(|(name, _)| OWN_PROPERTIES.contains(name)).count();
        prop_assert_eq!(own, 1 + usize::from(edit.is_some()) + usize::from(more > 0));
        let shown = entry.text();
        prop_assert!(is_object(shown.as_bytes()));
        prop_assert!(line.starts_with(&shown[..shown.len() - 1]));
        let names = |text: &str| Members::of(text).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(&names(&shown)[..], &names(&line)[..names(&line).len() - own]);
    }

    #[test]
    fn a_changed_or_cut_line_is_never_taken_for_another(
        key in key_literal(), value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut line = Vec::new();
        Encoder::new(&mut line).set(0, &Member::new(&key, &value.to_string()), 0);
        line.pop();
        let at = at.index(line.len());
        prop_assert!(Entry::decode(&line[..at]).is_err(), "cut at {at}");
        if line[at] != byte {
            line[at] = byte;
            prop_assert!(Entry::decode(&line).is_err(), "byte {at} became {byte}: {}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn lines_of_others_mean_the_same_in_every_spelling(
        key in text().prop_filter("not empty", |key| !key.is_empty()),
        value in json(),
        choices in vec(any::<u8>(), 0..40),
    ) {
        // The names of the properties are spelled plainly by every program; the rest is arbitrary.
        let mut spelling = Spelling::new(&choices, true);
        let mut line = String::from("{\"op\" :\"SET\",\"key\": ");
        spelling.string(&mut line, &key);
        line.push_str(" ,\"value\":");
        spelling.value(&mut line, &value);
        line.push_str("}\r");
        let line = line.replace(['\n', '\r'], " ");
        let entry = Entry::decode(line.as_bytes()).expect("a valid line");
        let found = changes(&entry);
        prop_assert_eq!(found.len(), 1);
        let (found_key, found_value) = found[0].split_at(quoted(&key).len());
        prop_assert_eq!(found_key, quoted(&key));
        prop_assert_eq!(Json::parse(&found_value[1..]), Some(value));
        prop_assert_eq!(compact(&found_value[1..]), &found_value[1..]);
    }

    #[test]
    fn lines_do_what_javascript_makes_of_them(
        lines in vec(
            (
                proptest::sample::select(vec!["SET", "SET", "DELETE", "CHECKPOINT", "NOTE"]),
                proptest::option::weighted(0.8, odd_key()),
                proptest::option::weighted(0.8, json()),
                proptest::option::weighted(0.5, json()),
                any::<bool>(),
            ),
            0..12,
        ),
        swapped in any::<bool>(),
    ) {
        let (mut log, mut expected) = (Vec::new(), Ordered::default());
        for (op, key, value, data, is_ours) in lines {
            let mut members = vec![("op".to_owned(), Json::Text(op.to_owned()))];
            members.extend(key.map(|key| ("key".to_owned(), key)));
            members.extend(value.map(|value| ("value".to_owned(), value)));
            let name = if op == "CHECKPOINT" { "state" } else { "data" };
            members.extend(data.map(|data| (name.to_owned(), data)));
            if swapped {
                members.reverse();
            }
            let text = Json::Object(members).to_string();
            apply(&Json::parse(&text).expect("JSON"), &mut expected);
            if is_ours {
                Encoder::new(&mut log).raw(&text[..text.len() - 1], 0);
            } else {
                log.extend_from_slice(text.as_bytes());
                log.push(b'\n');
            }
        }
        let replayed = replay(&mut Pieces::new(&log, &[usize::MAX]), u64::MAX).expect("no failure");
        prop_assert!(replayed.mending.damages.is_empty());
        let found: Vec<String> = replayed.state.iter().map(|member| member.text().to_owned()).collect();
        prop_assert_eq!(format!("{{{}}}", found.join(",")), expected.text());
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_they_are_read(
        bytes in vec(prop_oneof![2 => Just(b'\n'), 5 => any::<u8>()], 0..300),
        sizes in sizes(),
        end in prop_oneof![Just(u64::MAX), 0_u64..300],
        skipped in 0_usize..4,
    ) {
        let limit = bytes.len().min(usize::try_from(end).unwrap_or(usize::MAX));
        // Lines of the first `limit` bytes, by hand.
        let mut expected = Vec::new();
        let mut start = 0;
        for piece in bytes[..limit].split_inclusive(|byte| *byte == b'\n') {
            expected.push((start, piece.to_vec()));
            start += piece.len();
        }
        let skipped = skipped.min(expected.len());
        let from = expected.get(skipped).map_or(start, |(start, _)| *start);
        let mut file = Pieces::new(&bytes, &sizes);
        let first_number = skipped as u64 + 1;
        let mut reader = LineReader::new(&mut file, from as u64, end, first_number);
        for (number, (start, piece)) in expected.iter().enumerate().skip(skipped) {
            let line = reader.next_line().expect("no failure").expect("a line");
            let is_terminated = piece.ends_with(b"\n");
            prop_assert_eq!(line.bytes, &piece[..piece.len() - usize::from(is_terminated)]);
            prop_assert_eq!(line.is_terminated, is_terminated);
            prop_assert_eq!((line.offset, line.end()), (*start as u64, (start + piece.len()) as u64));
            prop_assert_eq!(line.number, number as u64 + 1);
        }
        prop_assert!(reader.next_line().expect("no failure").is_none());
        prop_assert!(reader.next_line().expect("no failure").is_none(), "the end stays the end");
    }

    #[test]
    fn a_replay_is_the_same_in_whatever_pieces_the_log_is_read(
        lines in vec((key_literal(), json(), 0_u8..8), 0..20), cut in 0_usize..40, sizes in sizes()
    ) {
        let mut log = Vec::new();
        for (key, value, kind) in &lines {
            match kind {
                0 => log.extend_from_slice(b"{damage\n"),
                1 => log.push(b'\n'),
                2 => Encoder::new(&mut log).delete(0, key, 0),
                3 => Encoder::new(&mut log).set(0, &Member::new(key, &value.to_string()), 1),
                _ => Encoder::new(&mut log).set(0, &Member::new(key, &value.to_string()), 0),
            }
        }
        log.truncate(log.len().saturating_sub(cut));
        let whole = replay(&mut Pieces::new(&log, &[usize::MAX]), u64::MAX).expect("no failure");
        let pieces = replay(&mut Pieces::new(&log, &sizes), u64::MAX).expect("no failure");
        prop_assert_eq!(whole.state.snapshot(), pieces.state.snapshot());
        prop_assert_eq!((whole.end, whole.lines), (pieces.end, pieces.lines));
        prop_assert_eq!(&whole.mending, &pieces.mending);
        prop_assert_eq!(whole.end + whole.mending.torn_bytes, log.len() as u64, "every byte is accounted for");
    }
}

#[test]
fn elements_of_what_is_no_array_come_to_an_end() {
    for text in ["[}", "[1}", "[1,}", "[{}}", "[,]", "[", "[:", "[\"a"] {
        assert!(elements(text).take(100).count() < 100, "{text}");
    }
}

#[test]
fn depth_and_size_are_no_limit() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(is_object(deep.as_bytes()));
    assert_eq!(compact(&deep), deep);
    assert_eq!(
        Members::of(&deep).map(|(key, value)| (key, value.len())).collect::<Vec<_>>(),
        [("\"a\"", 40_001)]
    );
    let wide = format!("{{{}}}", (0..5000).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(","));
    assert_eq!(Members::of(&wide).count(), 5000);
    assert!(is_object(b"{\"n\":1e999999,\"m\":-0.0e-999999,\"s\":\"\\udfff\\ud800\"}"));
}
