//! Reading the lines of a log from a file, in order, with bounded memory.
//!
//! Invariant: offsets are those of the file; a line's bytes are handed on as they are, and every line
//! ends at the first line break behind its beginning, whatever stands between.

use super::entry::{Entry, Invalid, guess_key};
use crate::error::Result;
use crate::vfs::File;

/// The first read asks for so much, as most logs are short; each further one for twice as much.
const FIRST_CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// A byte order mark, as some editors put it before the first line.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Bytes before it in the file.
    pub offset: u64,
    /// 1 for the first.
    pub number: u64,
    /// Without its line break.
    pub bytes: &'a [u8],
    /// False for a last line without a line break.
    pub is_terminated: bool,
}

impl Line<'_> {
    /// Offset behind the line and its break.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64 + u64::from(self.is_terminated)
    }

    /// The same without zeros at its end: a power cut can keep the length that a write gave the file, and lose
    /// what was written, a lone line break that the line lacked.
    pub fn without_zeros(&self) -> Self {
        let zeros = self.bytes.iter().rev().take_while(|byte| **byte == 0).count();
        Self { bytes: &self.bytes[..self.bytes.len() - zeros], ..*self }
    }

    /// True for a first line behind a byte order mark.
    pub fn has_bom(&self) -> bool {
        self.offset == 0 && self.bytes.starts_with(BOM)
    }

    /// The entry in this line; `None` when it is empty.
    pub fn entry(&self) -> Option<std::result::Result<Entry<'_>, Invalid>> {
        let bytes = if self.has_bom() { &self.bytes[BOM.len()..] } else { self.bytes };
        let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then(|| Entry::decode(bytes))
    }
}

/// A line that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes before it in the file.
    pub offset: u64,
    /// Length without the line break.
    pub size_bytes: u64,
    /// 1 for the first line.
    pub line: u64,
    /// The key that the line seems to hold.
    pub key: Option<String>,
    /// What is wrong with it.
    pub reason: Invalid,
}

impl Damage {
    /// Describes a line that `Line::entry` refused.
    pub fn of(line: &Line, reason: Invalid) -> Self {
        Self {
            offset: line.offset,
            size_bytes: line.bytes.len() as u64,
            line: line.number,
            key: guess_key(line.bytes),
            reason,
        }
    }
}

/// Reads lines from `start` (a beginning of a line) up to `end` or the end of the file. Pulled one by
/// one, so a reader may stop at any line.
pub struct LineReader<'f> {
    file: &'f mut dyn File,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already handed out, and bytes filled.
    taken: usize,
    filled: usize,
    /// Offset in the file of `buffer[0]`.
    base: u64,
    end: u64,
    number: u64,
}

impl<'f> LineReader<'f> {
    /// A reader whose first line has number `first_number`.
    pub fn new(file: &'f mut dyn File, start: u64, end: u64, first_number: u64) -> Self {
        Self { file, buffer: Vec::new(), taken: 0, filled: 0, base: start, end, number: first_number - 1 }
    }

    /// The next line; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let mut searched = self.taken;
        let (line_end, is_terminated) = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                break (searched + found, true);
            }
            searched = self.filled - self.taken;
            if !self.fill()? {
                break (self.filled, false);
            }
        };
        if line_end == self.taken && !is_terminated {
            return Ok(None);
        }
        self.number += 1;
        let start = self.taken;
        self.taken = line_end + usize::from(is_terminated);
        Ok(Some(Line {
            offset: self.base + start as u64,
            number: self.number,
            bytes: &self.buffer[start..line_end],
            is_terminated,
        }))
    }

    /// Moves what is left to the front and reads more behind it. False at the end.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.base += self.taken as u64;
        self.filled -= self.taken;
        self.taken = 0;
        let missing = self.end.saturating_sub(self.base + self.filled as u64);
        let chunk = (2 * self.buffer.len()).clamp(FIRST_CHUNK_BYTES, CHUNK_BYTES_MAX);
        let room = self.filled.max(chunk).min(usize::try_from(missing).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(false);
        }
        if self.buffer.len() < self.filled + room {
            self.buffer.resize(self.filled + room, 0);
        }
        let read = self
            .file
            .read_at(&mut self.buffer[self.filled..self.filled + room], self.base + self.filled as u64)?;
        self.filled += read;
        Ok(read > 0)
    }
}
