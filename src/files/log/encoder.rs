//! Writing lines of a log, in the format that `entry` describes.
//!
//! Invariant: each line has a checksum, compact JSON and its line break; what `Entry::decode` makes of it is what was
//! asked for.

use crate::data::entry_text::{CHECKPOINT_START, EXPIRES_START, UNTIL_START, expiries_text};
use crate::data::state::Member;
use crate::data::time::iso;
use crate::files::log::entry::{
    CRC_START, EDIT_OF_OLD, EDIT_START, EMPTY_KEY, END, MEMORY_START, MORE_START, MemoryTag, Tag, hex,
};

/// Appends lines to a buffer.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// What is known of the operation.
    pub tag: Tag,
    /// Where in `out` the values are, in order.
    values: Option<&'a mut Vec<u64>>,
}

impl<'a> Encoder<'a> {
    /// An encoder at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, tag: Tag::Call, values: None }
    }

    /// The same; notes where in `out` each value is that it writes.
    pub fn noting(out: &'a mut Vec<u8>, values: &'a mut Vec<u64>) -> Self {
        Self { out, tag: Tag::Call, values: Some(values) }
    }

    /// The line of an entry's text: a JSON object without its closing brace.
    pub fn raw(&mut self, open: &str, more: u64) {
        let start = self.out.len();
        self.out.extend_from_slice(open.as_bytes());
        self.close(start, more);
    }

    /// A SET of one key.
    pub fn set(&mut self, now_ms: i64, member: &Member, more: u64) {
        if member.key() == EMPTY_KEY {
            // Replay takes a SET with an empty key for one of `data`.
            return self.set_many(now_ms, std::slice::from_ref(member), more);
        }
        let start = self.start(now_ms, "SET");
        self.push(&[",\"key\":", member.key(), ",\"value\":"]);
        self.note_value(0);
        self.push(&[member.value()]);
        if let Some(expires_ms) = member.expires_ms() {
            self.push(&[EXPIRES_START, &expires_ms.to_string()]);
        }
        self.close(start, more);
    }

    /// A SET of several members.
    pub fn set_many(&mut self, now_ms: i64, members: &[Member], more: u64) {
        let start = self.start(now_ms, "SET");
        self.push(&[",\"data\":{"]);
        self.join(members);
        self.push(&["}"]);
        self.push(&[&expiries_text(members)]);
        self.close(start, more);
    }

    /// A tombstone.
    pub fn delete(&mut self, now_ms: i64, key: &str, more: u64) {
        let start = self.start(now_ms, "DELETE");
        self.push(&[",\"key\":", key]);
        self.close(start, more);
    }

    /// The tombstone of all keys that are over by `until_ms`.
    pub fn expire(&mut self, now_ms: i64, until_ms: i64) {
        let start = self.start(now_ms, "EXPIRE");
        self.push(&[UNTIL_START, &until_ms.to_string()]);
        self.close(start, 0);
    }

    /// A checkpoint, or one part of it.
    pub fn checkpoint(&mut self, now_ms: i64, members: &[Member], more: u64) {
        let start = self.out.len();
        self.push(&[CHECKPOINT_START, "{"]);
        self.join(members);
        self.push(&["},\"compactedAt\":\"", &iso(now_ms), "\""]);
        self.push(&[&expiries_text(members)]);
        self.close(start, more);
    }

    /// The end of an operation of several lines.
    fn end(&mut self) {
        let start = self.out.len();
        self.push(&[END]);
        self.close(start, 0);
    }

    fn start(&mut self, now_ms: i64, op: &str) -> usize {
        let start = self.out.len();
        self.push(&["{\"timestamp\":\"", &iso(now_ms), "\",\"op\":\"", op, "\""]);
        start
    }

    fn join(&mut self, members: &[Member]) {
        for (number, member) in members.iter().enumerate() {
            self.push(&[if number == 0 { "" } else { "," }]);
            self.note_value(member.key().len() + 1);
            self.push(&[member.text()]);
        }
    }

    /// A value comes so many bytes behind what is written.
    fn note_value(&mut self, behind_bytes: usize) {
        let offset = (self.out.len() + behind_bytes) as u64;
        if let Some(values) = &mut self.values {
            values.push(offset);
        }
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn close(&mut self, start: usize, more: u64) {
        match self.tag {
            Tag::Call => {}
            Tag::Edit(edit) => {
                let of_old = if edit.is_of_old { EDIT_OF_OLD } else { "" };
                self.push(&[EDIT_START, &format!("{:016x}", edit.mirror_hash), of_old, "\""]);
            }
            Tag::Memory(MemoryTag { known_end, mirror_hash }) => {
                self.push(&[MEMORY_START, &format!("{known_end:016x}-{mirror_hash:016x}"), "\""]);
            }
        }
        if more > 0 {
            self.push(&[MORE_START, &more.to_string()]);
        }
        let crc = hex(crc32fast::hash(&self.out[start..]));
        self.out.extend_from_slice(CRC_START.as_bytes());
        self.out.extend_from_slice(&crc);
        self.out.extend_from_slice(b"\"}\n");
    }
}

/// The line that ends an operation of several lines.
pub fn end_line() -> Vec<u8> {
    let mut line = Vec::new();
    Encoder::new(&mut line).end();
    line
}

/// Lines on their way to a log.
#[derive(Default)]
pub struct Lines {
    /// All of them.
    pub bytes: Vec<u8>,
    /// How many.
    pub count: u64,
    /// Offsets in `bytes` at which all before must be on disk before more is written.
    pub barriers: Vec<usize>,
    /// Offsets in `bytes` of the values that are set, in order.
    pub values: Vec<u64>,
}

impl Lines {
    /// Adds the line of an entry's text: a JSON object without its closing brace. Who knows which of it are values notes them.
    pub fn raw(&mut self, open: &str) {
        Encoder::new(&mut self.bytes).raw(open, 0);
        self.count += 1;
    }

    /// Adds the line that removes what is over by now.
    pub fn expire(&mut self, now_ms: i64) {
        Encoder::new(&mut self.bytes).expire(now_ms, now_ms);
        self.count += 1;
    }

    /// Adds an operation: `write` writes the line of an item, behind which so many more lines follow.
    pub fn operation<I: ExactSizeIterator>(
        &mut self,
        tag: Tag,
        items: I,
        mut write: impl FnMut(&mut Encoder, I::Item, u64),
    ) {
        let count = items.len() as u64;
        let has_end = count > 1;
        for (number, item) in (0..).zip(items) {
            let more = if has_end { count - number } else { 0 };
            let values = Some(&mut self.values);
            write(&mut Encoder { out: &mut self.bytes, tag, values }, item, more);
        }
        if has_end {
            self.barriers.push(self.bytes.len());
            Encoder::new(&mut self.bytes).end();
        }
        self.count += count + u64::from(has_end);
    }

    /// Adds more lines.
    pub fn append(&mut self, more: &Self) {
        let start = self.bytes.len();
        self.barriers.extend(more.barriers.iter().map(|barrier| start + barrier));
        self.values.extend(more.values.iter().map(|value| value.saturating_add(start as u64)));
        self.bytes.extend_from_slice(&more.bytes);
        self.count += more.count;
    }
}
