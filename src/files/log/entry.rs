//! One line of a log: its format, its checksum, and what it changes.
//!
//! ```text
//! {"timestamp":ISO,"op":"SET","key":K,"value":V,"_crc":"89abcdef"}\n
//! {"timestamp":ISO,"op":"SET","data":{…},"_crc":"89abcdef"}\n
//! {"timestamp":ISO,"op":"DELETE","key":K,"_crc":"89abcdef"}\n
//! {"op":"CHECKPOINT","state":{…},"compactedAt":ISO,"_crc":"89abcdef"}\n
//! {"timestamp":ISO,"op":"EXPIRE","_until":ms,"_crc":"89abcdef"}\n
//! {"op":"END","_end":true,"_crc":"89abcdef"}\n
//! └──────────── checked ────────────────────────┘
//! ```
//!
//! `_crc` is the CRC-32 (IEEE) of all bytes of the line before `,"_crc"`, in lower-case hex. Two
//! more properties may stand before it: `"_edit":"0123456789abcdef"` (the change was found in a
//! mirror of that hash, see `mirror::edit`; with `-old` behind the hash where that mirror lacked newer entries) or
//! `"_memory":"0123456789abcdef-0123456789abcdef"` (the log was lost, and this is what a process remembered that knew
//! it up to that offset; behind it the hash of the mirror that stood there then, see `open::lost_log`), and `"_more":N` (the operation goes on for N more lines).
//!
//! An operation of several lines ends with the line END, which changes nothing and which no caller sees. It
//! is written when the others are on disk: so a hole that a power cut left in them is never behind an
//! END, and damage in an operation that has one came later.
//!
//! A line is valid if and only if its checksum is right, or it has none at its end and the line is
//! one JSON object (the old module's lines, or a person's).

use crate::data::entry_text::{
    CHECKPOINT_START, END_PROPERTY, EntryText, KeyChange, OWN_PROPERTIES, Spelling,
};
use crate::data::json;

pub(super) const CRC_START: &str = ",\"_crc\":\"";
const CRC_BYTES: usize = CRC_START.len() + 8 + 2;
pub(super) const EDIT_START: &str = ",\"_edit\":\"";
const HASH_BYTES: usize = 16;
pub(super) const EDIT_OF_OLD: &str = "-old";
pub(super) const MEMORY_START: &str = ",\"_memory\":\"";
pub(super) const MORE_START: &str = ",\"_more\":";

pub(super) const EMPTY_KEY: &str = "\"\"";

pub(super) const END: &str = "{\"op\":\"END\",\"_end\":true";

/// Where a change was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditTag {
    /// Hash of the mirror.
    pub mirror_hash: u64,
    /// The mirror was edited when it was old: what it held is no state of the log.
    pub is_of_old: bool,
}

/// What is known of an operation beside what it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Nothing: a call.
    Call,
    /// It was found in a mirror.
    Edit(EditTag),
    /// A process remembered it when the log was lost.
    Memory(MemoryTag),
}

/// What a process knew that logs its memory of a lost log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryTag {
    /// Up to where it knew the log.
    pub known_end: u64,
    /// Hash of the mirror that it knew: nothing in that is new.
    pub mirror_hash: u64,
}

/// A valid line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    text: EntryText<'a>,
    has_crc: bool,
    /// The mirror in which this change was found.
    pub edit: Option<EditTag>,
    /// A process remembered it when the log was lost.
    pub memory: Option<MemoryTag>,
    /// For how many more lines the operation goes on.
    pub more: u64,
}

/// Why a line is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// There is a checksum, and it is another one.
    Checksum,
    /// There is no checksum, and the line is not a JSON object.
    NotAnObject,
    /// A good line is not ended by a line break but by another byte.
    LineBreak,
    /// A checkpoint that ends too early. It was synced before it was in its place, so no crash leaves it so.
    CutCheckpoint,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Checksum => "its checksum does not match its content",
            Self::NotAnObject => "it is not a JSON object",
            Self::LineBreak => "it stands where the line before should end (that line is used)",
            Self::CutCheckpoint => "it is a CHECKPOINT that was cut short",
        })
    }
}

impl<'a> Entry<'a> {
    /// Reads a line (without its line break).
    pub fn decode(line: &'a [u8]) -> Result<Self, Invalid> {
        let line = line.trim_ascii();
        let split = line.len().saturating_sub(CRC_BYTES);
        let (checked, tail) = line.split_at(split);
        let has_crc = tail.starts_with(CRC_START.as_bytes()) && tail.ends_with(b"\"}");
        let stated = tail.get(CRC_START.len()..CRC_START.len() + 8).unwrap_or_default();
        if !has_crc {
            if stated == hex(crc32fast::hash(checked)) {
                // One of ours whose `_crc` itself was damaged.
                return Err(Invalid::Checksum);
            }
            let text = std::str::from_utf8(line).map_err(|_| Invalid::NotAnObject)?;
            if !json::is_object(line) {
                return Err(Invalid::NotAnObject);
            }
            let text = EntryText::new(&text[..text.len() - 1], Spelling::Any);
            return Ok(Self { text, has_crc, edit: None, memory: None, more: 0 });
        }
        if stated != hex(crc32fast::hash(checked)) || !checked.starts_with(b"{") {
            return Err(Invalid::Checksum);
        }
        let mut open = std::str::from_utf8(checked).map_err(|_| Invalid::Checksum)?;
        let mut more = 0;
        let before_digits = open.trim_end_matches(|character: char| character.is_ascii_digit());
        if let Some(before) = before_digits.strip_suffix(MORE_START)
            && let Ok(count) = open[before_digits.len()..].parse()
        {
            more = count;
            open = before;
        }
        let mut edit = None;
        if let Some(tagged) = open.strip_suffix('"') {
            let of_old = tagged.strip_suffix(EDIT_OF_OLD);
            let (before, hash) = tagged_hash(of_old.unwrap_or(tagged));
            if let Some(before) = before.strip_suffix(EDIT_START)
                && let Ok(mirror_hash) = u64::from_str_radix(hash, 16)
            {
                edit = Some(EditTag { mirror_hash, is_of_old: of_old.is_some() });
                open = before;
            }
        }
        let mut memory = None;
        if let Some(tagged) = open.strip_suffix('"') {
            let (before, mirror_hash) = tagged_hash(tagged);
            let (before, known_end) = tagged_hash(before.strip_suffix('-').unwrap_or_default());
            let number = |digits| u64::from_str_radix(digits, 16);
            if let Some(before) = before.strip_suffix(MEMORY_START)
                && let (Ok(known_end), Ok(mirror_hash)) = (number(known_end), number(mirror_hash))
            {
                memory = Some(MemoryTag { known_end, mirror_hash });
                open = before;
            }
        }
        Ok(Self { text: EntryText::new(open, Spelling::Ours), has_crc, edit, memory, more })
    }

    /// An entry that is about to be written: its text without the closing brace.
    pub fn of_text(open: &'a str) -> Self {
        let text = EntryText::new(open, Spelling::Ours);
        Self { text, has_crc: true, edit: None, memory: None, more: 0 }
    }

    /// The line that ends an operation of several lines, which is nothing for callers.
    pub fn is_end(&self) -> bool {
        const FORMATTED_BYTES_MAX: usize = 200;
        self.text.open() == END
            || (!self.has_crc
                && self.text.open().len() < FORMATTED_BYTES_MAX
                && self.text.members().any(|(name, _)| name == END_PROPERTY))
    }

    /// Hash of a mirror in which nothing is new since this entry.
    pub fn mirror_hash(&self) -> Option<u64> {
        let of_memory = self.memory.map(|tag| tag.mirror_hash);
        self.edit.map(|tag| tag.mirror_hash).or(of_memory)
    }

    /// The entry as callers see it: a JSON object without our properties.
    pub fn text(&self) -> String {
        if !self.has_crc && OWN_PROPERTIES.iter().any(|name| self.text.open().contains(name)) {
            // Somebody formatted the line anew, so our properties are no longer the last ones.
            let shown = self.text.members().filter(|(key, _)| !OWN_PROPERTIES.contains(key));
            let shown: Vec<String> = shown.map(|(key, value)| format!("{key}:{value}")).collect();
            return format!("{{{}}}", shown.join(","));
        }
        format!("{}}}", self.text.open())
    }

    /// Whether the line has our checksum, so that we wrote it.
    pub fn has_crc(&self) -> bool {
        self.has_crc
    }

    /// See `EntryText::op`.
    pub fn op(&self) -> &'a str {
        self.text.op()
    }

    /// See `EntryText::time`.
    pub fn time(&self) -> Option<&'a str> {
        self.text.time()
    }

    /// See `EntryText::changes`.
    pub fn changes(&self, apply: impl FnMut(KeyChange)) {
        self.text.changes(apply);
    }

    /// See `EntryText::is_checkpoint`.
    pub fn is_checkpoint(&self) -> bool {
        self.text.is_checkpoint()
    }

    /// Whether the line spells each key that it changes as it is spelled in the state, so that a line without this
    /// text changes no such key. True for the lines that are written most.
    pub fn spells_keys(&self) -> bool {
        const TIMESTAMP_BYTES: usize = "{\"timestamp\":\"1970-01-01T00:00:00.000Z\"".len();
        let behind_time = self.text.open().get(TIMESTAMP_BYTES..).unwrap_or_default();
        let is_of_one_key = [",\"op\":\"SET\",\"key\":\"", ",\"op\":\"DELETE\",\"key\":\""]
            .iter()
            .any(|start| behind_time.strip_prefix(start).is_some_and(|key| !key.starts_with('"')));
        let is_checkpoint =
            self.text.open().strip_prefix(CHECKPOINT_START).is_some_and(|state| state.starts_with('{'));
        self.has_crc && (is_of_one_key || is_checkpoint)
    }
}

/// Cuts off what may be the hash of a mirror.
fn tagged_hash(text: &str) -> (&str, &str) {
    text.len().checked_sub(HASH_BYTES).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// A checksum as it stands in a line.
pub(super) fn hex(crc: u32) -> [u8; 8] {
    std::array::from_fn(|place| b"0123456789abcdef"[(crc >> (28 - 4 * place)) as usize & 15])
}

/// An entry that can still be read although its checksum is wrong.
pub fn decode_damaged(line: &[u8]) -> Option<Entry<'_>> {
    let text = std::str::from_utf8(line.trim_ascii()).ok()?;
    json::is_object(text.as_bytes()).then(|| Entry {
        text: EntryText::new(&text[..text.len() - 1], Spelling::Any),
        has_crc: false,
        edit: None,
        memory: None,
        more: 0,
    })
}

/// Whether a line begins as the checkpoints of compactions do, at least as far as nothing else does.
pub fn begins_checkpoint(line: &[u8]) -> bool {
    const FIRST_OF_ALL: &[u8] = b"{\"op\":\"C";
    let start = &CHECKPOINT_START.as_bytes()[..CHECKPOINT_START.len().min(line.len())];
    line.starts_with(FIRST_OF_ALL) && (line.starts_with(start) || line.starts_with(b"{\"op\":\"CHECKPOINT\""))
}

/// Length of the entry with a right checksum at the beginning of a line that is not valid as a whole: the byte behind it
/// should have been a line break.
pub fn first_checked(line: &[u8]) -> Option<usize> {
    const TRIES_MAX: usize = 16;
    memchr::memmem::find_iter(line, CRC_START.as_bytes())
        .map(|at| at + CRC_BYTES)
        .take_while(|end| *end < line.len())
        .take(TRIES_MAX)
        .find(|end| Entry::decode(&line[..*end]).is_ok())
}

/// The key that a damaged line seems to hold, for the report.
pub fn guess_key(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line);
    let (_, rest) = text.split_once("\"key\":\"")?;
    let end = rest.find('"').unwrap_or(rest.len());
    Some(json::key_for_people(&rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::state::Member;
    use crate::files::log::encoder::Encoder;

    fn line(write: impl FnOnce(&mut Encoder)) -> String {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    fn changes(line: &str) -> Vec<String> {
        let mut found = Vec::new();
        let entry = Entry::decode(line.as_bytes()).unwrap();
        entry.changes(|change| {
            found.push(match change {
                KeyChange::Set(key, value, None) => format!("{key}={value}"),
                KeyChange::Set(key, value, Some(expires_ms)) => format!("{key}={value} until {expires_ms}"),
                KeyChange::Delete(key) => format!("-{key}"),
                KeyChange::Expire(until_ms) => format!("-until {until_ms}"),
            });
        });
        found
    }

    #[test]
    fn lines_are_written_as_the_format_says() {
        assert_eq!(
            line(|lines| lines.set(0, &Member::new("\"u1\"", "{\"a\":1}"), 0)),
            "{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"u1\",\"value\":{\"a\":1},\"_crc\":\"8e7a16f8\"}\n"
                .replace("8e7a16f8", &format!("{:08x}", crc32fast::hash(
                    b"{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"u1\",\"value\":{\"a\":1}"
                )))
        );
        for (is_of_old, tag) in [(false, "0000000000000abc"), (true, "0000000000000abc-old")] {
            let edit = Some(EditTag { mirror_hash: 0xabc, is_of_old });
            let group = line(|lines| {
                lines.tag = edit.map_or(Tag::Call, Tag::Edit);
                lines.delete(0, "\"u1\"", 12);
            });
            assert!(group.contains(&format!(",\"key\":\"u1\",\"_edit\":\"{tag}\",\"_more\":12,\"_crc\":\"")));
            let entry = Entry::decode(group.trim_end().as_bytes()).unwrap();
            assert_eq!((entry.edit, entry.more), (edit, 12));
            assert_eq!(
                entry.text(),
                "{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"op\":\"DELETE\",\"key\":\"u1\"}"
            );
        }
        let checkpoint =
            line(|lines| lines.checkpoint(0, &[Member::new("\"a\"", "1"), Member::new("\"b\"", "2")], 0));
        let empty_key = line(|lines| lines.set(0, &Member::new(EMPTY_KEY, "1"), 0));
        assert_eq!(changes(&empty_key), ["\"\"=1"], "{empty_key}");
        assert!(checkpoint.starts_with(
            "{\"op\":\"CHECKPOINT\",\"state\":{\"a\":1,\"b\":2},\"compactedAt\":\"1970-01-01T00:00:00.000Z\",\"_crc\":\""
        ));
        assert_eq!(changes(&checkpoint), ["\"a\"=1", "\"b\"=2"]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = line(|lines| lines.set(0, &Member::new("\"k\"", "{\"n\":12}"), 0));
        let good = good.trim_end();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                // A flip may turn an end of the line into white space, which carries no content.
                if let Ok(entry) = Entry::decode(&bytes) {
                    panic!("flip of bit {bit} at {at} reads as {entry:?}");
                }
            }
        }
    }

    #[test]
    fn replay_follows_the_table_of_the_contract() {
        for (text, expected) in [
            (r#"{"op":"SET","key":"a","value":{"x": [1, 2]}}"#, vec![r#""a"={"x":[1,2]}"#]),
            (r#"{"op":"SET","key":"a"}"#, vec!["-\"a\""]),
            (r#"{"op":"SET","key":"","data":{"b":1,"c":null}}"#, vec!["\"b\"=1", "\"c\"=null"]),
            (r#"{"op":"SET","data":{"b":1}}"#, vec!["\"b\"=1"]),
            (r#"{"op":"SET","data":[1,{"x": 2}]}"#, vec!["\"0\"=1", "\"1\"={\"x\":2}"]),
            (r#"{"op":"SET","data":"a\ud83d"}"#, vec!["\"0\"=\"a\"", "\"1\"=\"\\ud83d\""]),
            (r#"{"op":"SET","data":7}"#, vec![]),
            (r#"{"op":"SET","key":[],"value":1}"#, vec!["\"\"=1"]),
            (r#"{"op":"SET","key":{"toString":1},"value":1}"#, vec![]),
            (r#"{"op":"SET","key":-0,"data":{"b":1}}"#, vec!["\"b\"=1"]),
            (r#"{"\u006fp":"S\u0045T","key":"a","value":1}"#, vec!["\"a\"=1"]),
            (r#"{"op":"SET","key":"a","key":"b","value":1}"#, vec!["\"b\"=1"]),
            (r#"{"op":"DELETE","key":null}"#, vec!["-\"null\""]),
            (r#"{"op":"DELETE","key":0}"#, vec!["-\"0\""]),
            (r#"{"op":"DELETE","key":false}"#, vec!["-\"false\""]),
            (r#"{"op":"DELETE","key":""}"#, vec!["-\"\""]),
            (r#"{"op":"CHECKPOINT","state":["x"]}"#, vec!["\"0\"=\"x\""]),
            (r#"{"op":"SET","key":7,"value":1}"#, vec!["\"7\"=1"]),
            (r#"{"op":"SET","key":null,"data":{"b":1}}"#, vec!["\"b\"=1"]),
            (r#"{"op":"DELETE","key":"a"}"#, vec!["-\"a\""]),
            (r#"{"op":"DELETE"}"#, vec!["-\"undefined\""]),
            (r#"{"op":"CHECKPOINT","state":{"a":1}}"#, vec!["\"a\"=1"]),
            (r#"{"op":"OTHER","key":"a","value":1}"#, vec![]),
            (r#"{"key":"a","value":1}"#, vec![]),
            (r#"{"op":"SET","key":"\u0061","value":1}"#, vec!["\"a\"=1"]),
        ] {
            assert_eq!(changes(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_of_others_are_accepted_and_ours_are_hidden() {
        let entry = Entry::decode(b"{\"_crc\": \"00000000\", \"op\":\"X\"} \r").unwrap();
        assert_eq!(entry.text(), "{\"op\":\"X\"}");
        assert!(
            Entry::decode(b"{ \"op\": \"END\", \"_end\": true, \"_crc\": \"00000000\" }").unwrap().is_end()
        );
        assert!(!Entry::decode(b"{\"op\":\"END\"}").unwrap().is_end());
        assert_eq!(Entry::decode(b"{\"a\":1}").unwrap().text(), "{\"a\":1}");
        assert_eq!(Entry::decode(b"{\"a\":1"), Err(Invalid::NotAnObject));
        assert_eq!(Entry::decode(b""), Err(Invalid::NotAnObject));
        assert_eq!(Entry::decode(b"{\"a\":1,\"_crc\":\"00000000\"}"), Err(Invalid::Checksum));
        assert_eq!(guess_key(b"x\"key\":\"u1\",\"val"), Some("u1".to_owned()));
    }
}
